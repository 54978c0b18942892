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
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
)

var runbookSection = regexp.MustCompile(`(?m)^### (Alert|Alarm) (\S+)$`)

// The runbook has a section for each key of an alert and for each alarm in the code, and no other.
func TestRunbookHasASectionForEachAlertAndAlarm(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	for _, m := range runbookSection.FindAllStringSubmatch(read(t, "docs/runbook.md"), -1) {
		got[m[1]] = append(got[m[1]], m[2])
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(alert.Sections())), alertKeys(t)); diff != "" {
		t.Errorf("alert.Sections (-) and the keys in the code (+), by which alerts link to the runbook:\n%s", diff)
	}
	for kind, want := range map[string][]string{"Alert": alertKeys(t), "Alarm": alarmNames(t)} {
		slices.Sort(got[kind])
		if diff := cmp.Diff(want, got[kind]); diff != "" {
			t.Errorf("%ss of the code (-) and of docs/runbook.md (+):\n%s", kind, diff)
		}
	}
}

// The scan of the code finds keys however they are put together, and refuses what it can't follow.
func TestScanOfAlertKeys(t *testing.T) {
	t.Parallel()
	const code = `package x
const Prefix = "five/"
func a() { notify(alert.Alert{Title: "t", Key: "one/" + id}) }
func warn(c int, key, title string) { notify(alert.Alert{Key: key}) }
func b() { w.warn(1, fmt.Sprintf("two/%d", n), "t"); w.warn(2, "three/"+x+"/y", "t"); warn(3, "four", "") }
func halt(key string) { return alert.Cause{Key: Prefix + key} }
func c() { halt("a"); halt("b/" + s) }
func d() { return alert.Cause{Key: fmt.Sprintf("%s%s/%d", Prefix, "c", n)} }
func send(c alert.Cause) { notify(alert.Alert{Key: c.Key}) }
`
	keys, err := keysIn(parse(t, "x.go", code))
	if want := []string{"five/a", "five/b/", "five/c/", "four", "one/", "three/", "two/"}; err != nil ||
		!slices.Equal(keys, want) {
		t.Errorf("got %q, %v, want %q", keys, err, want)
	}
	for _, unknown := range []string{
		`package x; func a() { notify(alert.Alert{Key: id}) }`,
		`package x; func a() { notify(alert.Alert{Title: "t"}) }`,
		`package x; func warn(key string) { notify(alert.Alert{Key: key}) }; func b() { warn(f()) }`,
		`package x; func warn(key string) { notify(alert.Alert{Key: key}) }`,
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
		case d.IsDir() && (d.Name() == "dev" || d.Name() == "simulation" || d.Name() == "testdata" ||
			strings.HasSuffix(d.Name(), "test")):
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

// alarmName adds the name of the alarm that a literal makes.
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
	names := (&scan{}).values(nil, id)
	if names[0].text == "" {
		t.Fatal("an alarm's id does not begin with a string")
	}
	all[names[0].text] = true
}
