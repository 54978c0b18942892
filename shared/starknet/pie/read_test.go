package pie_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

// replaced is one file of the sample with a part of its text replaced.
func replaced(t *testing.T, name, old, new string) []byte {
	t.Helper()
	c := string(contents(t, written(t, sample()), name))
	if !strings.Contains(c, old) {
		t.Fatalf("%s has no %s: %s", name, old, c)
	}
	return []byte(strings.Replace(c, old, new, 1))
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	const meta, more, res, version = "metadata.json", "additional_data.json", "execution_resources.json", "version.json"
	for name, tt := range map[string]struct{ file, old, new, want string }{
		"metadata is not JSON":  {meta, `{`, `[`, "an object"},
		"text after metadata":   {meta, `"size":0}}`, `"size":0}} {}`, "more than one value"},
		"another prime":         {meta, `020481`, `020483`, "prime"},
		"a long number":         {meta, `020481`, `020481` + strings.Repeat("9", 200), "number of 276 digits"},
		"a number with a point": {meta, `"main":0`, `"main":0.0`, "not a number below 2^30"},
		"a negative number":     {meta, `"main":0`, `"main":-1`, "not a number below 2^30"},
		"main outside":          {meta, `"main":0`, `"main":2`, "main at 2"},
		"a word beyond the field": {meta, `"data":[1`,
			`"data":[3618502788666131213697322783095070105623107215331596699973092056135872020481`,
			"not below the Stark prime"},
		"a word of text":          {meta, `"data":[1`, `"data":["1"`, "not a number"},
		"a key twice":             {meta, `"program_segment"`, `"program":{},"program_segment"`, "there twice"},
		"a key is missing":        {meta, `"extra_segments"`, `"other"`, "no key extra_segments"},
		"other builtins":          {meta, `"builtins":["output"]`, `"builtins":["output","pedersen"]`, "have segments"},
		"a builtin twice":         {meta, `"builtins":["output"]`, `"builtins":["output","output"]`, "there twice"},
		"no output":               {meta, `"output"`, `"pedersen"`, "have segments"},
		"segments by other order": {meta, `"index":2`, `"index":3`, "segment 3 where 2 follows"},
		"program of another size": {meta, `"index":0,"size":2`, `"index":0,"size":3`, "in a segment of 3"},
		"a return segment":        {meta, `"index":4,"size":0`, `"index":4,"size":1`, "not empty"},
		"another version":         {version, `1.1`, `9.9`, `version "9.9"`},
		"no steps":                {res, `"n_steps":99`, `"n_steps":0`, "no steps"},
		"steps are missing":       {res, `"n_steps"`, `"steps"`, "no key n_steps"},
		"an unknown builtin":      {res, `output_builtin`, `keccak_builtin`, "not a builtin of the program"},
		"no output data":          {more, `output_builtin`, `other`, "no key output_builtin"},
		"pages without a tree":    {more, `"pages":{}`, `"pages":{"1":[1,1],"2":[2,1]}`, "without a fact topology"},
		"pages by other numbers":  {more, `"pages":{}`, `"pages":{"7":[1,2]}`, "none of number 1"},
		"pages by other texts":    {more, `"pages":{}`, `"pages":{"01":[1,2]}`, "not a page number"},
		"a page of one number":    {more, `"pages":{}`, `"pages":{"1":[1]}`, "a page is [start, size]"},
		"an empty tree": {more, `"attributes":{}`, `"attributes":{"gps_fact_topology":[]}`,
			"fact topology of 0 numbers"},
		"an odd tree": {more, `"attributes":{}`, `"attributes":{"gps_fact_topology":[1]}`,
			"fact topology of 1 numbers"},
		"pages with a gap": {more, `"pages":{},"attributes":{}`,
			`"pages":{"1":[1,1],"2":[3,1]},"attributes":{"gps_fact_topology":[3,3]}`, "the next begins at 3"},
		"pages that end early": {more, `"pages":{},"attributes":{}`,
			`"pages":{"1":[1,1]},"attributes":{"gps_fact_topology":[2,2]}`, "the next begins at 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := map[string]string{more: `{"output_builtin":{"pages":{},"attributes":{}}}`}[tt.file]
			content := []byte(strings.Replace(file, tt.old, tt.new, 1))
			if file == "" {
				content = replaced(t, tt.file, tt.old, tt.new)
			}
			_, err := parse(zipped(t, sample(), tt.file, content), pie.Limits{})
			if !errors.Is(err, pie.ErrMalformed) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
		})
	}
}

func TestMalformedMemory(t *testing.T) {
	t.Parallel()
	whole := contents(t, written(t, sample()), "memory.bin")
	cell := func(i int) []byte { return whole[i*40 : (i+1)*40] }
	with := func(at int, b ...byte) []byte {
		c := slices.Clone(whole)
		copy(c[at:], b)
		return c
	}
	last := len(whole)/40 - 1 // the output's last word
	for name, tt := range map[string]struct {
		content []byte
		want    string
	}{
		"half a cell":            {whole[:len(whole)-1], fmt.Sprintf("cell %d", last)},
		"plain address":          {make([]byte, 40), "not relocatable"},
		"empty":                  {[]byte{}, "0 of 2 program words"},
		"an output word missing": {whole[:len(whole)-40], "2 of 3 output words"},
		"an output word twice":   {slices.Concat(whole, cell(last)), "output word 2 is there twice"},
		"a program word twice":   {slices.Concat(whole, cell(0)), "program word 0 is there twice"},
		"another program":        {with(8, 2), "not that of metadata.json"},
		"an unknown segment": {slices.Concat(whole, binary.LittleEndian.AppendUint64(nil, 1<<63|9<<47),
			make([]byte, 32)), "address 9:0 is in no segment"},
		"beyond a segment": {slices.Concat(whole, binary.LittleEndian.AppendUint64(nil, 1<<63|2<<47|3),
			make([]byte, 32)), "address 2:3 is in no segment"},
		"a word beyond P":      {with(last*40+8+31, 0x7f), "not below the Stark prime"},
		"output is an address": {with(last*40+8, append(make([]byte, 31), 0x80)...), "output word 2 is an address"},
	} {
		_, err := parse(zipped(t, sample(), "memory.bin", tt.content), pie.Limits{})
		if !errors.Is(err, pie.ErrMalformed) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want it to say %q", name, err, tt.want)
		}
	}
}

func TestMalformedZip(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"metadata.json", "memory.bin", "additional_data.json", "execution_resources.json"} {
		if _, err := parse(zipped(t, sample(), name, nil), pie.Limits{}); !errors.Is(err, pie.ErrMalformed) ||
			!strings.Contains(err.Error(), "no "+name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if p, err := parse(zipped(t, sample(), "version.json", nil), pie.Limits{}); err != nil || p.Version != "1.0" {
		t.Errorf("without a version, as early PIEs are: %+v, %v", p, err)
	}
	if _, err := parse([]byte("PK"), pie.Limits{}); !errors.Is(err, pie.ErrMalformed) {
		t.Errorf("no zip: %v", err)
	}
	whole := written(t, sample())
	if _, err := parse(whole[:len(whole)-30], pie.Limits{}); !errors.Is(err, pie.ErrMalformed) {
		t.Errorf("half a zip: %v", err)
	}
	for name, files := range map[string][]string{
		"is there twice":     {"metadata.json", "metadata.json"},
		"is none of a PIE's": {"metadata.json", "../metadata.json"},
	} {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, f := range files {
			must(w.Create(f))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := parse(b.Bytes(), pie.Limits{}); !errors.Is(err, pie.ErrMalformed) ||
			!strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	raw := written(t, paged())
	p := read(t, raw)
	for name, l := range map[string]pie.Limits{
		"zip":       {Zip: int64(len(raw)) - 1},
		"directory": {Directory: 200},
		"files":     {Files: 4},
		"JSON":      {JSON: 60},
		"small":     {Small: 10},
		"memory":    {Memory: 40*p.MemoryCells - 1},
		"total":     {Total: 40 * p.MemoryCells},
		"cells":     {Cells: p.MemoryCells - 1},
		"program":   {Program: 2},
		"output":    {Output: 5},
		"builtins":  {Builtins: 2},
		"segments":  {Segments: 6},
		"pages":     {Pages: 1},
	} {
		if _, err := parse(raw, l); !errors.Is(err, pie.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := pie.ReadStream(bytes.NewReader(raw), t.TempDir(), l); !errors.Is(err, pie.ErrTooLarge) {
			t.Errorf("%s, from a stream: %v", name, err)
		}
	}
	exact := pie.Limits{
		Zip: int64(len(raw)), Files: 5, Memory: 40 * p.MemoryCells, Cells: p.MemoryCells,
		Program: 3, Output: 6, Builtins: 3,
		Segments: 7, Pages: 2,
	}
	if _, err := parse(raw, exact); err != nil {
		t.Errorf("what the PIE has: %v", err)
	}
}

// A few kilobytes that unpack to much more are refused, also where the zip's directory claims less, and cost no memory.
func TestZipBomb(t *testing.T) {
	l := pie.Limits{JSON: 8 << 20, Memory: 8 << 20, Program: 1 << 16}
	for name, bomb := range map[string]struct {
		file    string
		content []byte
	}{
		"blanks":     {"metadata.json", bytes.Repeat([]byte(" "), 32<<20)},
		"memory":     {"memory.bin", make([]byte, 32<<20)},
		"small file": {"version.json", bytes.Repeat([]byte(" "), 32<<20)},
		"many words": {"metadata.json", []byte(`{"program":{"data":[` + strings.Repeat("1,", 3<<20) + `1]}}`)},
		"many keys":  {"metadata.json", []byte(`{"program":{` + keys(100_000) + `}}`)},
		"many builtins": {"metadata.json",
			[]byte(`{"program":{"builtins":[` + strings.Repeat(`"a",`, 1<<20) + `"a"]}}`)},
		"many segments": {"metadata.json",
			[]byte(`{"extra_segments":[` + strings.Repeat(`{"index":1,"size":0},`, 300_000) + `{}]}`)},
		"deep":          {"additional_data.json", bytes.Repeat([]byte("["), 7<<20)},
		"deep in a key": {"additional_data.json", append([]byte(`{"a":`), bytes.Repeat([]byte("["), 7<<20)...)},
		"many pages":    {"additional_data.json", []byte(`{"output_builtin":{"pages":{` + pages(100_000) + `}}}`)},
		"a long tree": {"additional_data.json",
			[]byte(`{"output_builtin":{"attributes":{"gps_fact_topology":[` + strings.Repeat("1,", 1<<20) + `1]}}}`)},
		"a long number": {"additional_data.json",
			[]byte(`{"output_builtin":{"pages":{"1":[` + strings.Repeat("1", 7<<20) + `]}}}`)},
		"a long builtin": {"metadata.json", []byte(`{"program":{"builtins":["` + strings.Repeat("a", 7<<20) + `"]}}`)},
	} {
		raw := zipped(t, sample(), bomb.file, bomb.content)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := parse(raw, l)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, pie.ErrTooLarge) && !errors.Is(err, pie.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		// All that was ever allocated, also what was freed. A long token is buffered, growing by doubling.
		if n := after.TotalAlloc - before.TotalAlloc; n > 96<<20 {
			t.Errorf("%s: reading allocated %d MB for %d MB unpacked", name, n>>20, len(bomb.content)>>20)
		}
	}
}

// A zip may hold any number of entries and claim another one: none of them may cost memory before they are counted.
func TestDirectoryBomb(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for range 100_000 {
		must(w.CreateRaw(&zip.FileHeader{Name: "x"}))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := parse(b.Bytes(), pie.Limits{}); !errors.Is(err, pie.ErrTooLarge) ||
		!strings.Contains(err.Error(), "directory") {
		t.Errorf("got %v", err)
	}
}

func keys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":0,`, i)
	}
	return b.String() + `"end":0`
}

func pages(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%d":[1,1],`, i+1)
	}
	return strings.TrimSuffix(b.String(), ",")
}

// A size that the zip's directory claims is not believed.
func TestClaimedSize(t *testing.T) {
	t.Parallel()
	raw := zipped(t, sample(), "memory.bin", make([]byte, 4<<20))
	// The directory's record of memory.bin: its unpacked size is 22 bytes before the name.
	at := bytes.LastIndex(raw, []byte("memory.bin"))
	binary.LittleEndian.PutUint32(raw[at-22:], 400)
	_, err := parse(raw, pie.Limits{Memory: 1 << 20})
	if !errors.Is(err, pie.ErrTooLarge) && !errors.Is(err, pie.ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

func TestStreamLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := io.MultiReader(bytes.NewReader(written(t, sample())), failingReader{})
	if _, err := pie.ReadStream(broken, dir, pie.Limits{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a stream that fails: %v", err)
	}
	if _, err := pie.ReadStream(bytes.NewReader(nil), dir, pie.Limits{}); !errors.Is(err, pie.ErrMalformed) {
		t.Errorf("an empty stream: %v", err)
	}
	if left := must(os.ReadDir(dir)); len(left) > 0 {
		t.Errorf("%d files are left, such as %s", len(left), left[0].Name())
	}
	if _, err := pie.ReadStream(bytes.NewReader(nil), dir+"/none", pie.Limits{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }
