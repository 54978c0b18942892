package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// module is whose folders the rules name.
const module = "github.com/madara-orchestrator/orchestrator/"

// A rule says what the packages below some folders may import: only some beside the standard library, or all but some.
type rule struct {
	of    []string // folders
	but   []string // folders below them that the rule is not for
	tests bool     // whether it is for tests too
	only  []string // folders
	never []string // folders or, with a dot, others' modules
	why   string
}

// rules are the directions of imports: controller -> service -> port in core <- client.
var rules = []rule{
	{of: []string{"shared/core"}, never: []string{"shared/service", "shared/client", "shared/controller"},
		why: "core knows no service, client or controller"},
	{of: []string{"shared/core"}, never: []string{"github.com/aws", "go.mongodb.org", "github.com/ethereum"},
		why: "core knows no cloud, database or chain"},
	{of: []string{"shared/service"}, only: []string{"shared/core", "shared/service"},
		why: "a service knows ports in core alone"},
	{of: []string{"shared/starknet"},
		never: []string{"shared/service", "shared/client", "github.com/aws", "github.com/ethereum"},
		why:   "protocol arithmetic is pure, does no I/O and links no node software"},
	{of: []string{"shared/client"}, never: []string{"shared/service", "shared/controller", "shared/setup"},
		why: "a client implements ports and knows no service, no controller and nothing of its wiring"},
	{of: []string{"shared/client/memory/fault"}, only: []string{"shared/client/memory/fault"},
		why: "it is below the stores in memory and the fakes, which all import it"},
	{of: []string{"shared/controller"}, never: []string{"shared/client"},
		why: "a controller calls services, not clients"},
	{of: []string{"shared/resource"}, only: []string{"shared/core"}, why: "resources know nothing but core"},
	{of: []string{"shared", "functions"}, but: []string{"shared/simulation", "shared/dev"},
		never: []string{"shared/dev", "shared/simulation"}, why: "nothing that is deployed imports what only pretends"},
	{of: []string{"shared/dev"}, tests: true, never: []string{"shared/simulation"},
		why: "the simulation is on top, nothing imports it"},
	{of: []string{"shared"}, never: []string{"scripts", "functions"},
		why: "scripts holds programs, not libraries, and functions wire shared, not the other way round"},
}

// imports reports what the rules don't allow.
var imports = &analysis.Analyzer{
	Name: "imports", Doc: "import directions",
	Run: func(pass *analysis.Pass) (any, error) {
		from := strings.TrimSuffix(pass.Pkg.Path(), "_test")
		for _, f := range pass.Files {
			test := inTest(pass.Fset.File(f.FileStart).Name())
			for _, i := range f.Imports {
				to, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					return nil, fmt.Errorf("an import of %s: %w", from, err)
				}
				for _, r := range rules {
					if !r.allows(from, to, test) {
						pass.Reportf(i.Pos(), "%s must not be imported here: %s", to, r.why)
					}
				}
			}
		}
		return nil, nil
	},
}

func (r rule) allows(from, to string, test bool) bool {
	if test && !r.tests || !below(from, r.of) || below(from, r.but) {
		return true
	}
	if r.only != nil {
		first, _, _ := strings.Cut(to, "/")
		return !strings.Contains(first, ".") || below(to, r.only)
	}
	return !below(to, r.never)
}

// below is whether the package is in one of the folders, or in one below.
func below(pkg string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		if !strings.Contains(folder, ".") {
			folder = module + folder
		}
		return pkg == folder || strings.HasPrefix(pkg, folder+"/")
	})
}
