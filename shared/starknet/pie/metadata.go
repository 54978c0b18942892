package pie

import (
	"fmt"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

const (
	outputBuiltin = "output"
	builtinSuffix = "_builtin" // of a builtin's name in execution_resources.json and additional_data.json
	sizeBits      = 30         // of segment indices, sizes, steps and instances (cairo-lang, vm/cairo_pie.py)
)

// segment is a memory segment as the metadata lists it. Size is in cells.
type segment struct{ Index, Size uint64 }

// metadata is what metadata.json says.
type metadata struct {
	program  Program
	builtins []segment         // in the program's order
	sizes    map[uint64]uint64 // of all segments, by index
}

// output is the output builtin's segment.
func (m *metadata) output() segment {
	return m.builtins[slices.Index(m.program.Builtins, outputBuiltin)]
}

// readMetadata reads the program and its segments, which must be numbered as provers expect: program, execution,
// builtins in the program's order, return fp, return pc, others.
func readMetadata(z *archive, l Limits) (*metadata, error) {
	m := &metadata{sizes: map[uint64]uint64{}}
	var f segments
	one := func(to *segment) func(*walker) error {
		return func(w *walker) (err error) { *to, err = w.segment(); return err }
	}
	err := walk(z, metadataFile, l.JSON, map[string]func(*walker) error{
		"program":           func(w *walker) error { return w.program(&m.program, l) },
		"program_segment":   one(&f.program),
		"execution_segment": one(&f.execution),
		"ret_fp_segment":    one(&f.retFP),
		"ret_pc_segment":    one(&f.retPC),
		"builtin_segments": func(w *walker) error {
			return w.object(l.Builtins, func(key string) error {
				s, err := w.segment()
				f.names, m.builtins = append(f.names, key), append(m.builtins, s)
				return err
			})
		},
		"extra_segments": func(w *walker) error {
			return w.list(l.Segments, func(int) error {
				s, err := w.segment()
				f.extra = append(f.extra, s)
				return err
			})
		},
	})
	if err != nil {
		return nil, err
	}
	if err := m.check(f, l); err != nil {
		return nil, err
	}
	return m, m.number(f, l)
}

// segments are those that metadata keeps no other trace of than their sizes, and the names of the builtins that have
// some.
type segments struct {
	program, execution, retFP, retPC segment

	names []string
	extra []segment
}

func wrongMetadata(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrMalformed, metadataFile, fmt.Sprintf(format, args...))
}

// check compares the program with its segments.
func (m *metadata) check(f segments, l Limits) error {
	switch {
	case !slices.Equal(f.names, m.program.Builtins):
		return wrongMetadata("builtins %.200q have segments %.200q", m.program.Builtins, f.names)
	case !slices.Contains(f.names, outputBuiltin):
		return wrongMetadata("the program has no output builtin, so no fact")
	case f.program.Size != uint64(len(m.program.Data)):
		return wrongMetadata("program of %d words in a segment of %d", len(m.program.Data), f.program.Size)
	case m.program.Main >= f.program.Size:
		return wrongMetadata("main at %d in a program of %d words", m.program.Main, f.program.Size)
	case f.retFP.Size != 0 || f.retPC.Size != 0:
		return wrongMetadata("return segments are not empty")
	}
	if s := m.output().Size; s > uint64(l.Output) {
		return fmt.Errorf("%w: output of %d words, at most %d", ErrTooLarge, s, l.Output)
	}
	return nil
}

// number notes the segments' sizes; they must be numbered in their order.
func (m *metadata) number(f segments, l Limits) error {
	all := slices.Concat([]segment{f.program, f.execution}, m.builtins, []segment{f.retFP, f.retPC}, f.extra)
	if len(all) > l.Segments {
		return fmt.Errorf("%w: %d memory segments, at most %d", ErrTooLarge, len(all), l.Segments)
	}
	for i, s := range all {
		if s.Index != uint64(i) {
			return wrongMetadata("segment %d where %d follows", s.Index, i)
		}
		m.sizes[s.Index] = s.Size
	}
	return nil
}

func (w *walker) segment() (s segment, err error) {
	n := func(to *uint64) func(*walker) error {
		return func(w *walker) (err error) { *to, err = w.count(sizeBits); return err }
	}
	err = w.fields(map[string]func(*walker) error{"index": n(&s.Index), "size": n(&s.Size)})
	return s, err
}

func (w *walker) program(p *Program, l Limits) error {
	return w.fields(map[string]func(*walker) error{
		"main": func(w *walker) (err error) { p.Main, err = w.count(sizeBits); return err },
		"prime": func(w *walker) error {
			n, err := w.integer()
			if err == nil && n.Cmp(felt.Prime()) != 0 {
				return fmt.Errorf("%s is not Starknet's prime", n)
			}
			return err
		},
		"builtins": func(w *walker) error {
			return w.list(l.Builtins, func(int) error {
				name, err := w.text()
				if err == nil {
					_, err = felt.FromShortString(name)
				}
				if slices.Contains(p.Builtins, name) {
					return fmt.Errorf("builtin %.40q is there twice", name)
				}
				p.Builtins = append(p.Builtins, name)
				return err
			})
		},
		"data": func(w *walker) error {
			return w.list(l.Program, func(int) error {
				f, err := w.felt()
				p.Data = append(p.Data, f)
				return err
			})
		},
	})
}

// earliestVersion is the version of PIEs without version.json.
const earliestVersion = "1.0"

func (p *PIE) readVersion(z *archive, l Limits) error {
	p.Version = earliestVersion
	if z.files[versionFile] == nil {
		return nil
	}
	err := walk(z, versionFile, l.Small, map[string]func(*walker) error{
		"cairo_pie": func(w *walker) (err error) { p.Version, err = w.text(); return err },
	})
	if err == nil && p.Version != earliestVersion && p.Version != currentVersion {
		return fmt.Errorf("%w: version %.40q, known are %s and %s",
			ErrMalformed, p.Version, earliestVersion, currentVersion)
	}
	return err
}

func (p *PIE) readResources(z *archive, m *metadata, l Limits) error {
	p.Instances = map[string]uint64{}
	err := walk(z, resourcesFile, l.Small, map[string]func(*walker) error{
		"n_steps":                   func(w *walker) (err error) { p.Steps, err = w.count(sizeBits); return err },
		"n_memory_holes" + optional: func(w *walker) (err error) { p.MemoryHoles, err = w.count(sizeBits); return err },
		"builtin_instance_counter": func(w *walker) error {
			return w.object(l.Builtins, func(key string) error {
				name, ok := strings.CutSuffix(key, builtinSuffix)
				if !ok || !slices.Contains(m.program.Builtins, name) {
					return fmt.Errorf("it is not a builtin of the program")
				}
				n, err := w.count(sizeBits)
				p.Instances[name] = n
				return err
			})
		},
	})
	if err == nil && p.Steps == 0 {
		return fmt.Errorf("%w: %s: a run of no steps", ErrMalformed, resourcesFile)
	}
	return err
}
