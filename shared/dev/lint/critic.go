package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/go-critic/go-critic/checkers"
	"github.com/go-critic/go-critic/linter"
	"golang.org/x/tools/go/analysis"
)

// uncritical are go-critic's checks that we leave out: by what they are called or by their kind.
var uncritical = []string{"ifElseChain", "singleCaseSwitch", "exitAfterDefer",
	linter.ExperimentalTag, linter.OpinionatedTag, linter.PerformanceTag, linter.SecurityTag}

// criticChecks are the others. Go-critic's own analyzer lacks those of them that are rules of its rule language.
var criticChecks = sync.OnceValues(func() ([]*linter.CheckerInfo, error) {
	if err := checkers.InitEmbeddedRules(); err != nil {
		return nil, fmt.Errorf("load go-critic's rules: %w", err)
	}
	return slices.DeleteFunc(linter.GetCheckersInfo(), func(c *linter.CheckerInfo) bool {
		return slices.ContainsFunc(uncritical, func(of string) bool { return c.Name == of || c.HasTag(of) })
	}), nil
})

// critic is go-critic.
var critic = &analysis.Analyzer{
	Name: "gocritic", Doc: "go-critic's checks",
	Run: func(pass *analysis.Pass) (any, error) {
		checks, err := criticChecks()
		if err != nil {
			return nil, err
		}
		ctx := linter.NewContext(pass.Fset, pass.TypesSizes)
		ctx.SetPackageInfo(pass.TypesInfo, pass.Pkg)
		for _, of := range checks {
			check, err := linter.NewChecker(ctx, of)
			if err != nil {
				return nil, fmt.Errorf("go-critic's %s: %w", of.Name, err)
			}
			for _, f := range pass.Files {
				ctx.SetFileInfo(filepath.Base(pass.Fset.File(f.FileStart).Name()), f)
				for _, w := range check.Check(f) {
					pass.Reportf(w.Pos, "%s: %s", of.Name, w.Text)
				}
			}
		}
		return nil, nil
	},
}
