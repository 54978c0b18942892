package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var runbookSection = regexp.MustCompile(`(?m)^### (Alert|Alarm) (\S+)$`)

// The runbook has a section for each key of an alert and for each alarm in the code, and no other.
func TestRunbookHasASectionForEachAlertAndAlarm(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	for _, m := range runbookSection.FindAllStringSubmatch(read(t, "docs/runbook.md"), -1) {
		got[m[1]] = append(got[m[1]], m[2])
	}
	for kind, want := range map[string][]string{"Alert": alertKeys(t), "Alarm": alarmNames(t)} {
		slices.Sort(got[kind])
		if diff := cmp.Diff(want, got[kind]); diff != "" {
			t.Errorf("%ss of the code (-) and of docs/runbook.md (+):\n%s", kind, diff)
		}
	}
}

// The scan of the code finds keys however they are passed on, and refuses what it can't follow.
func TestScanOfAlertKeys(t *testing.T) {
	t.Parallel()
	const code = `package x
func a() { notify(alert.Alert{Title: "t", Key: "one/" + id}) }
func warn(c int, key, title string) { notify(alert.Alert{Key: key}) }
func b() { w.warn(1, fmt.Sprintf("two/%d", n), "t"); w.warn(2, "three/"+x+"/y", "t") }
`
	keys, err := keysIn(parse(t, "x.go", code))
	if want := []string{"one/", "three/", "two/"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("got %q, %v, want %q", keys, err, want)
	}
	for _, unknown := range []string{
		`package x; func a() { notify(alert.Alert{Key: id}) }`,
		`package x; func a() { notify(alert.Alert{Title: "t"}) }`,
		`package x; func warn(key string) { notify(alert.Alert{Key: key}) }; func b() { warn(f()) }`,
	} {
		if keys, err := keysIn(parse(t, "x.go", unknown)); err == nil {
			t.Errorf("%s: keys %q, want an error", unknown, keys)
		}
	}
}

func parse(t *testing.T, name, code string) []*ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, code, 0)
	if err != nil {
		t.Fatal(err)
	}
	return []*ast.File{f}
}

// alertKeys are what the keys of all alerts begin with, up to and with the last / before what differs.
func alertKeys(t *testing.T) []string {
	t.Helper()
	all := map[string]bool{}
	for _, files := range packages(t, filepath.Join(root, "shared")) {
		keys, err := keysIn(files)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			all[k] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// packages parses the Go files below a folder that are deployed: no tests, nothing of shared/dev and shared/simulation.
func packages(t *testing.T, folder string) map[string][]*ast.File {
	t.Helper()
	out := map[string][]*ast.File{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "dev" || d.Name() == "simulation" || d.Name() == "testdata" || strings.HasSuffix(d.Name(), "test")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		out[filepath.Dir(path)] = append(out[filepath.Dir(path)], f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// keysIn returns what the keys of a package's alerts begin with, sorted. A key that is a parameter is looked up in the
// calls of its function.
func keysIn(files []*ast.File) ([]string, error) {
	var keys []string
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			for _, lit := range alerts(fn) {
				found, err := keyOf(fn, lit, files)
				if err != nil {
					return nil, fmt.Errorf("%s: alert in %s: %w", f.Name.Name, fn.Name.Name, err)
				}
				keys = append(keys, found...)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// alerts returns the literals alert.Alert{...} of a function.
func alerts(fn *ast.FuncDecl) []*ast.CompositeLit {
	var out []*ast.CompositeLit
	ast.Inspect(fn, func(n ast.Node) bool {
		if lit, ok := n.(*ast.CompositeLit); ok {
			if s, ok := lit.Type.(*ast.SelectorExpr); ok && s.Sel.Name == "Alert" && fmt.Sprint(s.X) == "alert" && len(lit.Elts) > 0 {
				out = append(out, lit)
			}
		}
		return true
	})
	return out
}

func keyOf(fn *ast.FuncDecl, lit *ast.CompositeLit, files []*ast.File) ([]string, error) {
	value := field(lit, "Key")
	if value == nil {
		return nil, fmt.Errorf("it has no Key")
	}
	if k, ok := prefix(value); ok {
		return []string{k}, nil
	}
	id, ok := value.(*ast.Ident)
	at := -1
	if ok {
		at = position(fn, id.Name)
	}
	if at < 0 {
		return nil, fmt.Errorf("its Key begins with no string: begin it with one, so that the runbook can have a section for it")
	}
	var keys []string
	var err error
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || called(call) != fn.Name.Name || len(call.Args) <= at {
				return true
			}
			k, ok := prefix(call.Args[at])
			if !ok {
				err = fmt.Errorf("a call of %s passes a key that begins with no string", fn.Name.Name)
			}
			keys = append(keys, k)
			return true
		})
	}
	return keys, err
}

// field returns the value of a literal's field, nil if it has none.
func field(lit *ast.CompositeLit, name string) ast.Expr {
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && fmt.Sprint(kv.Key) == name {
			return kv.Value
		}
	}
	return nil
}

// position is a parameter's place among a function's parameters, -1 if it has none of that name.
func position(fn *ast.FuncDecl, name string) int {
	i := 0
	for _, p := range fn.Type.Params.List {
		for _, n := range p.Names {
			if n.Name == name {
				return i
			}
			i++
		}
	}
	return -1
}

func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// prefix is the constant beginning of a string expression: a literal, a sum that begins with one, or a Sprintf. It ends
// with the last / where the expression goes on.
func prefix(e ast.Expr) (string, bool) {
	switch x := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(x.Value)
		if x.Kind != token.STRING || err != nil {
			return "", false
		}
		before, _, _ := strings.Cut(s, "%")
		return before, before != ""
	case *ast.BinaryExpr:
		return prefix(x.X)
	case *ast.CallExpr:
		if called(x) == "Sprintf" && len(x.Args) > 0 {
			return prefix(x.Args[0])
		}
	}
	return "", false
}

// alarmNames are the names of the stack's alarms; of a family the part that all have.
func alarmNames(t *testing.T) []string {
	t.Helper()
	all := map[string]bool{}
	for _, files := range packages(t, filepath.Join(root, "infra")) {
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				lit, ok := n.(*ast.CompositeLit)
				if !ok {
					return true
				}
				if list, ok := lit.Type.(*ast.ArrayType); ok && fmt.Sprint(list.Elt) == "alarm" {
					for _, e := range lit.Elts { // literals without a type of their own
						alarmName(t, e, all)
					}
				}
				if fmt.Sprint(lit.Type) == "alarm" {
					alarmName(t, lit, all)
				}
				return true
			})
		}
	}
	if len(all) == 0 {
		t.Fatal("no alarm was found in infra")
	}
	return slices.Sorted(maps.Keys(all))
}

func alarmName(t *testing.T, e ast.Expr, all map[string]bool) {
	t.Helper()
	lit, ok := e.(*ast.CompositeLit)
	if !ok || len(lit.Elts) == 0 {
		t.Fatal("an alarm is not a literal: its name can't be read from the code")
	}
	id := field(lit, "id")
	if id == nil {
		id = lit.Elts[0]
	}
	name, ok := prefix(id)
	if !ok {
		t.Fatal("an alarm's id begins with no string")
	}
	all[name] = true
}
