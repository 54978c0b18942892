package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/golangci/misspell"
	"github.com/kisielk/errcheck/errcheck"
	"golang.org/x/tools/go/analysis"
)

// unchecked are errors that may be left alone: of closing, of writing to a terminal or to a client, and of removing.
var unchecked = regexp.MustCompile(`Close|fmt\.Fprint|os\.RemoveAll|w\.Write`)

// unhandled is errcheck, which says only that an error is unchecked, with the function whose error it is.
var unhandled = &analysis.Analyzer{
	Name: "errcheck", Doc: "errors that nobody looks at",
	Run: func(pass *analysis.Pass) (any, error) {
		silent := *pass
		silent.Report = func(analysis.Diagnostic) {}
		result, err := errcheck.Analyzer.Run(&silent)
		if err != nil {
			return nil, fmt.Errorf("errcheck: %w", err)
		}
		files := map[string]*token.File{}
		for _, f := range pass.Files {
			in := pass.Fset.File(f.FileStart)
			files[in.Name()] = in
		}
		for _, e := range result.(errcheck.Result).UncheckedErrors {
			of := cmp.Or(e.SelectorName, e.FuncName, "what is received here")
			if in := files[e.Pos.Filename]; in != nil && !unchecked.MatchString(of) {
				pass.Reportf(in.Pos(e.Pos.Offset), "the error of %s is not checked", of)
			}
		}
		return nil, nil
	},
}

// columns is how long a line may be, with tabs of 4.
const columns = 120

// lines reports lines that are too long. A setting's tag, an import and a directive can't be broken.
var lines = &analysis.Analyzer{
	Name: "lll", Doc: fmt.Sprintf("lines of more than %d columns", columns),
	Run: func(pass *analysis.Pass) (any, error) {
		return nil, sources(pass, func(f *ast.File, in *token.File, source string) {
			long := map[int]int{}
			for i, line := range strings.Split(source, "\n") {
				if n := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); n > columns &&
					!strings.Contains(line, "`env:\"") && !strings.HasPrefix(line, "//go:") {
					long[i+1] = n
				}
			}
			for _, i := range f.Imports {
				delete(long, in.Line(i.Pos()))
			}
			for line, n := range long {
				pass.Reportf(in.LineStart(line), "the line has %d columns, at most %d are allowed", n, columns)
			}
		})
	},
}

// words has the dictionary, which is built once.
var words = sync.OnceValue(misspell.New)

// spelling reports words that are often misspelt.
var spelling = &analysis.Analyzer{
	Name: "misspell", Doc: "misspelt words",
	Run: func(pass *analysis.Pass) (any, error) {
		return nil, sources(pass, func(_ *ast.File, in *token.File, source string) {
			_, wrong := words().Replace(source)
			for _, w := range wrong {
				pass.Reportf(in.LineStart(w.Line)+token.Pos(w.Column), "%s is written %s", w.Original, w.Corrected)
			}
		})
	},
}

// sources calls do with each file and its text.
func sources(pass *analysis.Pass, do func(*ast.File, *token.File, string)) error {
	for _, f := range pass.Files {
		in := pass.Fset.File(f.FileStart)
		source, err := os.ReadFile(in.Name())
		if err != nil {
			return fmt.Errorf("read the source: %w", err)
		}
		do(f, in, string(source))
	}
	return nil
}
