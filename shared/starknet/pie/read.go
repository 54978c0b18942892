package pie

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Limits bound what Read takes. Zero fields take those of DefaultLimits.
type Limits struct {
	JSON   int64 // bytes of each JSON file, unpacked
	Memory int64 // bytes of memory.bin, unpacked
	Output int   // words of the output
}

// DefaultLimits are far above the largest PIEs of Starknet (memory of about 2 GB).
var DefaultLimits = Limits{JSON: 64 << 20, Memory: 8 << 30, Output: 1 << 22}

func (l Limits) filled() Limits {
	if l.JSON == 0 {
		l.JSON = DefaultLimits.JSON
	}
	if l.Memory == 0 {
		l.Memory = DefaultLimits.Memory
	}
	if l.Output == 0 {
		l.Output = DefaultLimits.Output
	}
	return l
}

// maxFiles bounds the number of files in the zip.
const maxFiles = 100

// Read reads a PIE of size bytes. Memory is read as a stream: only the output's words and the JSON files are held.
func Read(r io.ReaderAt, size int64, l Limits) (*PIE, error) {
	l = l.filled()
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(z.File) > maxFiles {
		return nil, fmt.Errorf("%w: %d files, at most %d", ErrTooLarge, len(z.File), maxFiles)
	}
	var m metadata
	if err := readJSON(z, "metadata.json", l.JSON, &m); err != nil {
		return nil, err
	}
	p := &PIE{}
	if p.Program, err = m.program(); err != nil {
		return nil, err
	}
	var res struct {
		Steps uint64 `json:"n_steps"`
	}
	if err := readJSON(z, "execution_resources.json", l.JSON, &res); err != nil {
		return nil, err
	}
	p.Steps = res.Steps
	if err := p.readTopology(z, l); err != nil {
		return nil, err
	}
	return p, p.readMemory(z, m.BuiltinSegments["output"], l)
}

// open returns a file of the zip that gives ErrTooLarge beyond most bytes, whatever the zip's directory claims.
func open(z *zip.Reader, name string, most int64) (io.ReadCloser, error) {
	i := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%w: no %s", ErrMalformed, name)
	}
	if z.File[i].UncompressedSize64 > uint64(most) {
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d", ErrTooLarge, name, z.File[i].UncompressedSize64, most)
	}
	f, err := z.File[i].Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, name, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{&bounded{r: f, left: most, name: name}, f}, nil
}

// bounded fails instead of reading beyond its limit.
type bounded struct {
	r    io.Reader
	left int64
	name string
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("%w: %s unpacks to more than it may", ErrTooLarge, b.name)
	}
	return n, err
}

func readJSON(z *zip.Reader, name string, most int64, v any) error {
	f, err := open(z, name, most)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := json.NewDecoder(f).Decode(v); err != nil {
		if errors.Is(err, ErrTooLarge) {
			return err
		}
		return fmt.Errorf("%w: %s: %w", ErrMalformed, name, err)
	}
	return nil
}

// segment is a memory segment as the metadata lists it.
type segment struct {
	Index uint64 `json:"index"`
	Size  uint64 `json:"size"`
}

type metadata struct {
	Program struct {
		Data     []integer `json:"data"`
		Builtins []string  `json:"builtins"`
		Main     uint64    `json:"main"`
		Prime    integer   `json:"prime"`
	} `json:"program"`
	BuiltinSegments map[string]segment `json:"builtin_segments"`
}

// integer is a JSON number of any size.
type integer struct{ big.Int }

// UnmarshalJSON reads digits.
func (n *integer) UnmarshalJSON(b []byte) error {
	if len(b) > 80 {
		return fmt.Errorf("number of %d digits", len(b))
	}
	return n.Int.UnmarshalJSON(b)
}

func (m *metadata) program() (Program, error) {
	if m.Program.Prime.Cmp(felt.Prime()) != 0 {
		return Program{}, fmt.Errorf("%w: the program's prime is not Starknet's", ErrMalformed)
	}
	p := Program{Builtins: m.Program.Builtins, Main: m.Program.Main, Data: make([]felt.Felt, len(m.Program.Data))}
	for i := range m.Program.Data {
		f, err := felt.FromBig(&m.Program.Data[i].Int)
		if err != nil {
			return p, fmt.Errorf("%w: program word %d: %w", ErrMalformed, i, err)
		}
		p.Data[i] = f
	}
	return p, nil
}

// readTopology reads the output's pages and tree from additional_data.json.
func (p *PIE) readTopology(z *zip.Reader, l Limits) error {
	var a struct {
		Output struct {
			Pages      map[string][2]uint64 `json:"pages"`
			Attributes struct {
				Tree []int `json:"gps_fact_topology"`
			} `json:"attributes"`
		} `json:"output_builtin"`
	}
	if err := readJSON(z, "additional_data.json", l.JSON, &a); err != nil {
		return err
	}
	for i := range len(a.Output.Pages) {
		x, ok := a.Output.Pages[fmt.Sprint(i+1)]
		if !ok {
			return fmt.Errorf("%w: output has %d pages but none of number %d", ErrMalformed, len(a.Output.Pages), i+1)
		}
		if n := len(p.Pages); n > 0 && x[0] != p.Pages[n-1].Start+p.Pages[n-1].Size {
			return fmt.Errorf("%w: output page %d does not follow the one before it", ErrMalformed, i+1)
		}
		p.Pages = append(p.Pages, Page{Start: x[0], Size: x[1]})
	}
	p.Tree = a.Output.Attributes.Tree
	if len(p.Pages) > 0 && len(p.Tree) == 0 {
		if len(p.Pages) > 1 {
			return fmt.Errorf("%w: %d output pages without a fact topology", ErrMalformed, len(p.Pages)+1)
		}
		p.Tree = []int{2, 2}
	}
	return nil
}

// Layout of memory.bin (cairo-lang, vm/memory_dict.py and relocatable.py): cells of an 8-byte address and a 32-byte value,
// both little-endian; a set top bit marks a relocatable one, segment*2^47 + offset.
const (
	addressBytes = 8
	cellBytes    = addressBytes + felt.Bytes
	offsetBits   = 47
	relocatable  = 1 << 63
)

// readMemory takes the output's words from memory.
func (p *PIE) readMemory(z *zip.Reader, out segment, l Limits) error {
	if out.Size > uint64(l.Output) {
		return fmt.Errorf("%w: output of %d words, at most %d", ErrTooLarge, out.Size, l.Output)
	}
	f, err := open(z, "memory.bin", l.Memory)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	words := make([]felt.Felt, out.Size)
	seen := make([]bool, out.Size)
	found := uint64(0)
	var cell [cellBytes]byte
	for ; ; p.MemoryCells++ {
		if _, err := io.ReadFull(r, cell[:]); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			if errors.Is(err, ErrTooLarge) {
				return err
			}
			return fmt.Errorf("%w: memory.bin: cell %d: %w", ErrMalformed, p.MemoryCells, err)
		}
		address := binary.LittleEndian.Uint64(cell[:])
		if address&relocatable == 0 {
			return fmt.Errorf("%w: memory.bin: cell %d has no relocatable address", ErrMalformed, p.MemoryCells)
		}
		address &^= relocatable
		at := address & (1<<offsetBits - 1)
		if address>>offsetBits != out.Index || at >= out.Size {
			continue
		}
		slices.Reverse(cell[addressBytes:])
		v, err := felt.FromBytes(cell[addressBytes:])
		if err != nil {
			return fmt.Errorf("%w: output word %d is no felt: %w", ErrMalformed, at, err)
		}
		if seen[at] {
			return fmt.Errorf("%w: output word %d is there twice", ErrMalformed, at)
		}
		words[at], seen[at] = v, true
		found++
	}
	if found != out.Size {
		return fmt.Errorf("%w: %d of %d output words are in memory", ErrMalformed, found, out.Size)
	}
	p.Output = words
	return nil
}
