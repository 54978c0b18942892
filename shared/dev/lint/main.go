// Command lint checks our Go code: go vet's and staticcheck's analyzers, some others' and our own, in staticcheck's
// runner, which keeps results until a package changes. `make lint` tests, builds and runs it. It is a module of its
// own: who builds the orchestrator downloads no linter. Above a line that is right all the same, write
// //lint:ignore CHECK and why.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/gordonklaus/ineffassign/pkg/ineffassign"
	"github.com/timakin/bodyclose/passes/bodyclose"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/suite/vet"
	"honnef.co/go/tools/lintcmd"
	"honnef.co/go/tools/quickfix"
	"honnef.co/go/tools/simple"
	"honnef.co/go/tools/staticcheck"
	"honnef.co/go/tools/stylecheck"
	"honnef.co/go/tools/unused"
)

// checks are all but some of staticcheck's. ST1005: errors may begin with a name such as Ethereum. ST1003, QF: style
// that gofmt and review decide.
var checks = []string{"all", "-ST1000", "-ST1003", "-ST1005", "-ST1012", "-ST1016", "-QF1001", "-QF1008"}

func main() {
	if err := cached(); err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(1)
	}
	cmd := lintcmd.NewCommand("lint")
	cmd.ParseFlags(append([]string{"-checks", strings.Join(checks, ",")}, os.Args[1:]...))
	cmd.AddAnalyzers(staticcheck.Analyzers...)
	cmd.AddAnalyzers(simple.Analyzers...)
	cmd.AddAnalyzers(stylecheck.Analyzers...)
	cmd.AddAnalyzers(quickfix.Analyzers...)
	cmd.AddAnalyzers(unused.Analyzer)
	cmd.AddBareAnalyzers(others()...)
	cmd.Run()
}

// others are the analyzers that aren't staticcheck's. Each reports under its own name, and nothing in generated files.
func others() []*analysis.Analyzer {
	all := []*analysis.Analyzer{
		named(bodyclose.Analyzer, "bodyclose", func(file string) bool {
			// in heads.go websocket.Dial closes the body itself
			return inTest(file) || strings.HasSuffix(file, "/client/appchain/heads.go")
		}),
		named(critic, "gocritic", inTest),
		named(ineffassign.Analyzer, "ineffassign", nil),
		named(unhandled, "errcheck", nil),
		named(imports, "imports", nil),
		named(lines, "lll", nil),
		named(spelling, "misspell", nil),
	}
	for _, a := range vet.Suite {
		all = append(all, named(a, a.Name, nil))
	}
	return all
}
