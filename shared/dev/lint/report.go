package main

import (
	"go/ast"
	"go/token"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// inTest is whether a file is a test's.
func inTest(file string) bool { return strings.HasSuffix(file, "_test.go") }

// named is the analyzer under a name, which all that it reports has too: the runner knows no others, and go vet's
// analyzers have some. It reports nothing in generated files, nor in files for which leave is true.
func named(a *analysis.Analyzer, name string, leave func(file string) bool) *analysis.Analyzer {
	copied := *a
	copied.Name = name
	if len(a.FactTypes) == 0 { // those that have facts run on other modules' packages too, and need no objects
		copied.Requires = append(slices.Clone(a.Requires), objects)
	}
	copied.Run = func(pass *analysis.Pass) (any, error) {
		generated := map[*token.File]bool{}
		for _, f := range pass.Files {
			generated[pass.Fset.File(f.FileStart)] = ast.IsGenerated(f)
		}
		filtered := *pass
		filtered.ReadFile = os.ReadFile // the runner has none
		filtered.Report = func(d analysis.Diagnostic) {
			in := pass.Fset.File(d.Pos)
			if in == nil || generated[in] || leave != nil && leave(in.Name()) {
				return
			}
			d.Category = name
			pass.Report(d)
		}
		return a.Run(&filtered)
	}
	return &copied
}
