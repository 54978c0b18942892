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
	var program, execution, retFP, retPC segment
	var names []string
	var extra []segment
	one := func(to *segment) func(*walker) error {
		return func(w *walker) (err error) { *to, err = w.segment(); return err }
	}
	err := walk(z, metadataFile, l.JSON, map[string]func(*walker) error{
		"program":           func(w *walker) error { return w.program(&m.program, l) },
		"program_segment":   one(&program),
		"execution_segment": one(&execution),
		"ret_fp_segment":    one(&retFP),
		"ret_pc_segment":    one(&retPC),
		"builtin_segments": func(w *walker) error {
			return w.object(l.Builtins, func(key string) error {
				s, err := w.segment()
				names, m.builtins = append(names, key), append(m.builtins, s)
				return err
			})
		},
		"extra_segments": func(w *walker) error {
			return w.list(l.Segments, func(int) error {
				s, err := w.segment()
				extra = append(extra, s)
				return err
			})
		},
	})
	if err != nil {
		return nil, err
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrMalformed, metadataFile, fmt.Sprintf(format, args...))
	}
	switch {
	case !slices.Equal(names, m.program.Builtins):
		return nil, fail("builtins %.200q have segments %.200q", m.program.Builtins, names)
	case !slices.Contains(names, outputBuiltin):
		return nil, fail("the program has no output builtin, so no fact")
	case program.Size != uint64(len(m.program.Data)):
		return nil, fail("program of %d words in a segment of %d", len(m.program.Data), program.Size)
	case m.program.Main >= program.Size:
		return nil, fail("main at %d in a program of %d words", m.program.Main, program.Size)
	case retFP.Size != 0 || retPC.Size != 0:
		return nil, fail("return segments are not empty")
	}
	if s := m.output().Size; s > uint64(l.Output) {
		return nil, fmt.Errorf("%w: output of %d words, at most %d", ErrTooLarge, s, l.Output)
	}
	all := slices.Concat([]segment{program, execution}, m.builtins, []segment{retFP, retPC}, extra)
	if len(all) > l.Segments {
		return nil, fmt.Errorf("%w: %d memory segments, at most %d", ErrTooLarge, len(all), l.Segments)
	}
	for i, s := range all {
		if s.Index != uint64(i) {
			return nil, fail("segment %d where %d follows", s.Index, i)
		}
		m.sizes[s.Index] = s.Size
	}
	return m, nil
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
