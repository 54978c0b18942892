package pie_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// oracle is cairo-lang in a Python process: see testdata/oracle.py.
type oracle struct {
	t   *testing.T
	in  *json.Encoder
	out *bufio.Scanner
}

type answer struct {
	Version, Program, Poseidon, Fact, Error string
	AggregatorProgram                       string `json:"aggregator_program"`
	AggregatorFact                          string `json:"aggregator_fact"`
	Output                                  []string
	Steps, Cells                            int64
}

// startOracle starts the Python of ORCHESTRATOR_ORACLE, which `make test-oracle` installs with cairo-lang.
func startOracle(t *testing.T) *oracle {
	t.Helper()
	python := os.Getenv("ORCHESTRATOR_ORACLE")
	if python == "" {
		t.Skip("not compared with cairo-lang: run `make test-oracle`, which installs it from PyPI and sets " +
			"ORCHESTRATOR_ORACLE")
	}
	cmd := exec.Command(python, filepath.Join("testdata", "oracle.py"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatalf("ORCHESTRATOR_ORACLE=%s can't be started (%v): run `make test-oracle`", python, err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("oracle: %v", err)
		}
	})
	s := bufio.NewScanner(out)
	s.Buffer(nil, 64<<20)
	return &oracle{t: t, in: json.NewEncoder(in), out: s}
}

func (o *oracle) ask(request any) (a answer) {
	o.t.Helper()
	if err := o.in.Encode(request); err != nil {
		o.t.Fatal(err)
	}
	if !o.out.Scan() {
		o.t.Fatalf("cairo-lang says nothing (%v): its installation in .tools/oracle is broken, remove that folder "+
			"and run `make test-oracle`", o.out.Err())
	}
	if err := json.Unmarshal(o.out.Bytes(), &a); err != nil {
		o.t.Fatal(err)
	}
	return a
}

// ours says what this package finds in a PIE, as the oracle says it.
func ours(raw []byte, f version.HashFunction) answer {
	p, err := parse(raw, pie.Limits{})
	if err != nil {
		return answer{Error: err.Error()}
	}
	own := must(p.Program.Hash(f))
	a := answer{
		Version: p.Version, Program: own.String(), AggregatorProgram: pie.AggregatorHash(own, f).String(),
		Steps: int64(p.Steps),
		Cells: p.MemoryCells, Output: []string{}, Fact: text(p.SharpFactOf(own)),
		AggregatorFact: text(p.AggregatorFactOf(pie.AggregatorHash(own, f))),
	}
	for _, w := range p.Output {
		a.Output = append(a.Output, w.String())
	}
	// The fact of a settlement on Starknet is hashed from this.
	a.Poseidon = hash.PoseidonMany(p.Output).String()
	return a
}

func text(f pie.Fact, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return f.String()
}

// agree compares all except the words of errors.
func agree(t *testing.T, what string, theirs, ours answer) {
	t.Helper()
	for _, a := range []*answer{&theirs, &ours} {
		for _, s := range []*string{&a.Error, &a.Fact, &a.AggregatorFact} {
			if strings.HasPrefix(*s, "error: ") || s == &a.Error && *s != "" {
				*s = "error"
			}
		}
	}
	if d := cmp.Diff(theirs, ours); d != "" {
		t.Errorf("%s: cairo-lang (-), this package (+):\n%s", what, d)
	}
}

// functions are the hash functions that programs are hashed with.
var functions = []version.HashFunction{version.Pedersen, version.Blake2s}

// recordedPIEs are the files of the recorded data that are PIEs, below its folder.
func recordedPIEs(t *testing.T) (found [][]string) {
	t.Helper()
	root := starknettest.Data(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".zip" {
			name, _ := filepath.Rel(root, path)
			found = append(found, strings.Split(name, string(filepath.Separator)))
		}
		return err
	})
	if err != nil || len(found) < 2 {
		t.Fatalf("%d recorded PIEs below %s, %v", len(found), root, err)
	}
	return found
}

func (o *oracle) compare(what string, raw []byte) answer {
	o.t.Helper()
	path := filepath.Join(o.t.TempDir(), "pie.zip")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		o.t.Fatal(err)
	}
	var theirs answer
	for _, f := range functions {
		theirs = o.ask(map[string]string{"path": path, "function": string(f)})
		agree(o.t, what+" "+string(f), theirs, ours(raw, f))
	}
	return theirs
}

func TestOracleRecorded(t *testing.T) {
	t.Parallel()
	o := startOracle(t)
	for _, path := range recordedPIEs(t) {
		raw := starknettest.Read(t, path...)
		a := o.compare(path[1], raw)
		if a.Error != "" || len(a.Output) == 0 {
			t.Errorf("%s: %+v", path[1], a)
		}
		// cairo-lang's own writing of it is another zip, with 64-bit sizes.
		written := filepath.Join(t.TempDir(), "copy.zip")
		theirs := o.ask(map[string]string{"path": starknettest.Data(t, path...), "copy": written, "function": "blake"})
		agree(t, path[1]+" as cairo-lang writes it", theirs, ours(must(os.ReadFile(written)), version.Blake2s))
	}
}

// Random PIEs of ours, with any topology, are valid to cairo-lang and have the same hashes and facts there.
func TestOracleWritten(t *testing.T) {
	t.Parallel()
	o := startOracle(t)
	all := []string{"output", "pedersen", "range_check", "ecdsa", "bitwise", "ec_op", "keccak", "poseidon",
		"range_check96", "add_mod", "mul_mod"}
	r := rand.New(rand.NewPCG(1, 2))
	word := func() felt.Felt {
		var f felt.Felt
		for i := 1; i < len(f); i++ {
			f[i] = byte(r.Uint32())
		}
		return f
	}
	for i := range 40 {
		p := &pie.PIE{Steps: 1 + r.Uint64N(1<<20), MemoryHoles: r.Uint64N(100)}
		p.Program.Builtins = slices.Clone(all[:1+r.IntN(len(all))])
		r.Shuffle(len(p.Program.Builtins), func(i, k int) {
			b := p.Program.Builtins
			b[i], b[k] = b[k], b[i]
		})
		for range 1 + r.IntN(20) {
			p.Program.Data = append(p.Program.Data, word())
		}
		p.Program.Main = r.Uint64N(uint64(len(p.Program.Data)))
		var inputs [][]felt.Felt // as an aggregator's
		for range 1 + r.IntN(3) {
			inputs = append(inputs, make([]felt.Felt, r.IntN(3)))
		}
		update := output.Output{NewRoot: word(), NewBlock: felts(uint64(i))[0], Kzg: &output.Kzg{Z: word()}}.Words()
		p.Output = output.WithInputs(inputs, update)
		main := uint64(len(p.Output) - len(update))
		// One page, 1 to 8 pages beside the main one, or 12 of one size: above 9 cairo-lang knows them by their order
		// as text.
		if pages, size := []int{0, 0, 1 + r.IntN(8), 12}[i%4], uint64(1); pages > 0 {
			main++
			for len(p.Output) < int(main)+pages {
				p.Output = append(p.Output, word())
			}
			p.Output = p.Output[:int(main)+pages]
			for k := range pages {
				if pages < 10 && k == pages-1 {
					p.Output, size = append(p.Output, word(), word()), 3
				}
				p.Pages = append(p.Pages, pie.Page{Start: main + uint64(k), Size: size})
			}
			p.Tree = [][]int{{1 + pages, 1 + pages}, {1, 0, pages, pages, 0, 2}, {pages, pages, 1, 2}}[r.IntN(3)]
		} else if i%4 == 1 {
			p.Tree = []int{1, 1}
		}
		raw := written(t, p)
		theirs := o.compare(fmt.Sprintf("PIE %d %+v", i, p), raw)
		if theirs.Error != "" || strings.HasPrefix(theirs.Fact, "error") {
			t.Fatalf("cairo-lang refuses PIE %d, %+v: %+v", i, p, theirs)
		}
	}
}

// What cairo-lang refuses is refused here, and topologies that are taken make the same facts.
func TestOracleTopologies(t *testing.T) {
	t.Parallel()
	o := startOracle(t)
	for _, pages := range []string{`{}`, `{"1":[1,5]}`, `{"1":[1,2],"2":[3,3]}`, `{"2":[3,3],"1":[1,2]}`,
		`{"1":[1,2],"3":[3,3]}`, `{"1":[0,6]}`,
		`{"1":[6,0]}`, `{"1":[1,2],"2":[4,2]}`, `{"1":[1,4]}`, `{"1":[1,6]}`, `{"1":[1]}`, `{"x":[1,5]}`} {
		for _, attributes := range []string{`{}`, `{"gps_fact_topology":[1,0]}`, `{"gps_fact_topology":[1,1]}`,
			`{"gps_fact_topology":[2,2]}`,
			`{"gps_fact_topology":[3,3]}`, `{"gps_fact_topology":[1,0,2,2,0,2]}`,
			`{"gps_fact_topology":[]}`, `{"gps_fact_topology":[1]}`,
			`{"gps_fact_topology":[1,0,0,0,0,0,0,0,0,1]}`, `{"gps_fact_topology":[1,0,0,0,0,0,0,0,0,0,0,1]}`,
			`{"gps_fact_topology":[-1,0]}`, `{"other":[1]}`} {
			content := `{"output_builtin":{"pages":` + pages + `,"attributes":` + attributes + `}}`
			raw := zipped(t, paged(), "additional_data.json", []byte(content))
			path := filepath.Join(t.TempDir(), "pie.zip")
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			theirs, got := o.ask(map[string]string{"path": path, "function": "pedersen"}).Fact, ours(raw,
				version.Pedersen)
			switch refused := got.Error != "" || strings.HasPrefix(got.Fact, "error"); {
			case strings.HasPrefix(theirs, "error") != refused:
				t.Errorf("%s: cairo-lang %s, this package %s%s", content, theirs, got.Fact, got.Error)
			case !refused && theirs != got.Fact:
				t.Errorf("%s: fact %s, cairo-lang's %s", content, got.Fact, theirs)
			}
		}
	}
}

// Single changes of single files: this package takes none that cairo-lang refuses.
func TestOracleRefusals(t *testing.T) {
	t.Parallel()
	o := startOracle(t)
	r := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for _, name := range []string{"metadata.json", "execution_resources.json", "memory.bin", "version.json"} {
		whole := contents(t, written(t, paged()), name)
		for range 150 {
			c := slices.Clone(whole)
			at := r.IntN(len(c))
			switch r.IntN(3) {
			case 0:
				c[at] = `0123456789{}[],":ae`[r.IntN(19)]
			case 1:
				c = slices.Delete(c, at, at+1)
			default:
				c[at] ^= 1 << r.IntN(8)
			}
			raw := zipped(t, paged(), name, c)
			path := filepath.Join(t.TempDir(), "pie.zip")
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			theirs, got := o.ask(map[string]string{"path": path, "function": "pedersen"}), ours(raw, version.Pedersen)
			// Keys that it does not know are not a fault here, nor letters beyond ASCII in them.
			if theirs.Error == "" && !strings.HasPrefix(theirs.Fact, "error") ||
				strings.Contains(theirs.Error, "Unknown field") ||
				strings.Contains(theirs.Error, "codec can't decode") {
				continue
			}
			refused++
			if got.Error == "" && !strings.HasPrefix(got.Fact, "error") {
				t.Errorf("%s %q is taken; cairo-lang refuses it: %s %s", name, c, theirs.Error, theirs.Fact)
			}
		}
	}
	if refused < 100 {
		t.Errorf("cairo-lang refuses %d of 600 changes: the test says little", refused)
	}
}
