package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/madara-orchestrator/orchestrator/shared/config"
)

// fault is what is wrong at one place of the file of chains.
type fault struct {
	path string // of the field, such as chains[0].settings.CHAIN_RPC
	text string // what is wrong and what is wanted
}

// maxFile bounds the file of chains in bytes.
const maxFile = 1 << 20

// Load reads and checks the file. The error names every fault with its line and field.
func Load(path string) (File, error) {
	r, err := os.Open(path)
	if err != nil {
		return File{}, fmt.Errorf("read the chains: %w: copy infra/chains.example.yaml to it", err)
	}
	defer r.Close()
	f, err := parse(r)
	if err != nil {
		return f, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func parse(r io.Reader) (File, error) {
	var f File
	root, err := document(r)
	if err != nil {
		return f, err
	}
	d := &reading{lines: map[string]int{"": root.Line}}
	d.read(root, reflect.ValueOf(&f).Elem(), "", 0)
	d.faults = append(d.faults, f.faults(d.misread)...)
	if len(d.faults) > 0 {
		return f, d.err(f)
	}
	for i := range f.Chains {
		f.Chains[i].defaults()
	}
	return f, nil
}

// document is the one YAML document of a file.
func document(r io.Reader) (*yaml.Node, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("it has more than %d bytes", maxFile)
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	var root, second yaml.Node
	if err := d.Decode(&root); errors.Is(err, io.EOF) ||
		err == nil && (len(root.Content) == 0 || root.Content[0].Tag == "!!null") {
		return nil, errors.New("the file is empty: copy infra/chains.example.yaml to it")
	} else if err != nil {
		return nil, fmt.Errorf("this is not YAML: %w", err)
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: a second document follows after ---: put all chains into one, or it would "+
			"be ignored", max(second.Line, root.Line))
	}
	return root.Content[0], nil
}

// reading turns YAML into the structs of the configuration, and goes on after a fault.
type reading struct {
	lines  map[string]int // of what stands in the file, by path
	faults []fault
	bad    []string // paths that could not be read
}

func (d *reading) fault(path, format string, args ...any) {
	d.faults = append(d.faults, fault{path, fmt.Sprintf(format, args...)})
}

// unread is a fault of a value that is not of its field's kind.
func (d *reading) unread(path, format string, args ...any) {
	d.fault(path, format, args...)
	d.bad = append(d.bad, path)
}

// misread says whether a value at a path was there and could not be read: what follows from that is not reported.
func (d *reading) misread(path string) bool { return slices.Contains(d.bad, path) }

// maxDepth bounds how deep fields lie in each other, with aliases.
const maxDepth = 20

// read puts a node into a value.
func (d *reading) read(n *yaml.Node, to reflect.Value, path string, depth int) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if depth > maxDepth {
		d.unread(path, "it is nested more than %d deep", maxDepth)
		return
	}
	switch to.Kind() {
	case reflect.Struct:
		fields := fieldsOf(to.Type())
		d.each(n, path, depth, func(key string, value *yaml.Node) {
			at := join(path, key)
			if i, ok := fields[key]; ok {
				d.read(value, to.Field(i), at, depth+1)
				return
			}
			d.unknown(at, key, fields)
		})
	case reflect.Map:
		to.Set(reflect.MakeMap(to.Type()))
		d.each(n, path, depth, func(key string, value *yaml.Node) {
			v := reflect.New(to.Type().Elem()).Elem()
			d.read(value, v, join(path, key), depth+1)
			to.SetMapIndex(reflect.ValueOf(key), v)
		})
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			if n.Tag != "!!null" {
				d.unread(path, "want a list: %s", map[bool]string{
					true:  "a - before each chain",
					false: "[a, b]",
				}[path == "chains"])
			}
			return
		}
		for i, c := range n.Content {
			at := fmt.Sprintf("%s[%d]", path, i)
			d.lines[at] = c.Line
			v := reflect.New(to.Type().Elem()).Elem()
			d.read(c, v, at, depth+1)
			to.Set(reflect.Append(to, v))
		}
	default:
		d.scalar(n, to, path)
	}
}

// each calls f for the keys of a mapping, those of merged ones (<<) last. A key that is there twice is a fault.
func (d *reading) each(n *yaml.Node, path string, depth int, f func(key string, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		if n.Tag != "!!null" {
			d.unread(path, "want fields with values below it, such as name: value")
		}
		return
	}
	first, merged := map[string]int{}, []*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			merged = append(merged, value)
			continue
		}
		at := join(path, key.Value)
		if line, twice := first[key.Value]; twice {
			d.fault(at, "it is there twice, in lines %d and %d", line, key.Line)
			continue
		}
		first[key.Value], d.lines[at] = key.Line, key.Line
		f(key.Value, value)
	}
	for _, m := range merged {
		for m.Kind == yaml.AliasNode {
			m = m.Alias
		}
		if depth > maxDepth {
			return
		}
		d.each(m, path, depth+1, func(key string, value *yaml.Node) {
			if _, own := first[key]; !own {
				f(key, value)
			}
		})
	}
}

// scalar puts one word into a value.
func (d *reading) scalar(n *yaml.Node, to reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.unread(path, "want one value, not a list and no fields")
		return
	}
	if n.Tag == "!!null" {
		return
	}
	want := ""
	var err error
	switch to.Kind() {
	case reflect.String:
		to.SetString(n.Value)
	case reflect.Bool:
		var v bool
		err, want = n.Decode(&v), "true or false"
		to.SetBool(v)
	case reflect.Int:
		var v int64
		v, err = strconv.ParseInt(n.Value, 10, 0)
		want = "a whole number"
		to.SetInt(v)
	case reflect.Float64:
		var v float64
		err, want = n.Decode(&v), "a number"
		to.SetFloat(v)
	default:
		panic("a field of the kind " + to.Kind().String() + " is not read")
	}
	if err != nil {
		d.unread(path, "%.80q: want %s", n.Value, want)
	}
}

// unknown is the fault of a field that does not exist.
func (d *reading) unknown(at, key string, fields map[string]int) {
	var names []string
	for f := range fields {
		names = append(names, f)
	}
	slices.Sort(names)
	if nearest := config.Nearest(key, names); nearest != "" {
		d.fault(at, "no such field; did you mean %s?", nearest)
		return
	}
	d.fault(at, "no such field; there are %s", strings.Join(names, ", "))
}

// err is all faults, by line.
func (d *reading) err(f File) error {
	slices.SortStableFunc(d.faults, func(a, b fault) int { return cmp.Compare(d.line(a.path), d.line(b.path)) })
	lines := []string{}
	for _, x := range d.faults {
		where := x.path
		for i, c := range f.Chains { // people know a chain by its name
			if rest, ok := strings.CutPrefix(where, fmt.Sprintf("chains[%d]", i)); ok && c.Name != "" {
				where = strings.Trim(c.Name+": "+strings.TrimPrefix(rest, "."), ": ")
			}
		}
		if where != "" {
			where += ": "
		}
		lines = append(lines, fmt.Sprintf("  line %d: %s%s", d.line(x.path), where, x.text))
	}
	lines = slices.Compact(lines)
	if len(lines) == 1 {
		return errors.New("1 fault:\n" + lines[0])
	}
	return fmt.Errorf("%d faults:\n%s", len(lines), strings.Join(lines, "\n"))
}

// line is where a field stands, or where it is missing: the line of what it belongs to.
func (d *reading) line(path string) int {
	for {
		if line, ok := d.lines[path]; ok || path == "" {
			return line
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// fieldsOf are the fields of a struct by their YAML names.
func fieldsOf(t reflect.Type) map[string]int {
	out := map[string]int{}
	for i := range t.NumField() {
		out[t.Field(i).Tag.Get("yaml")] = i
	}
	return out
}
