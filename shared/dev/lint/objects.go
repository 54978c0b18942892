package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"

	"golang.org/x/tools/go/analysis"
)

// objects connects each use of a name with its declaration in the same file, as the parser does by default. The
// runner has that left out, and ineffassign and some of go vet's analyzers would then find nothing, or too much.
var objects = &analysis.Analyzer{
	Name: "objects", Doc: "the parser's objects",
	Run: func(pass *analysis.Pass) (any, error) {
		for _, f := range pass.Files {
			name := pass.Fset.File(f.FileStart).Name()
			again, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				return nil, fmt.Errorf("parse it with objects: %w", err)
			}
			ours, theirs := nodes(f), nodes(again)
			if len(ours) != len(theirs) {
				return nil, fmt.Errorf("%s was changed meanwhile: run lint again", name)
			}
			of := map[ast.Node]ast.Node{}
			for i, n := range theirs {
				of[n] = ours[i]
			}
			for i, n := range theirs {
				id, ok := n.(*ast.Ident)
				if !ok || id.Obj == nil {
					continue
				}
				if declared, ok := id.Obj.Decl.(ast.Node); ok && of[declared] != nil {
					id.Obj.Decl = of[declared]
				}
				if to, ok := ours[i].(*ast.Ident); ok {
					to.Obj = id.Obj
				}
			}
		}
		return nil, nil
	},
}

// nodes are all nodes of a file, always in the same order.
func nodes(f *ast.File) []ast.Node {
	var all []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		if n != nil {
			all = append(all, n)
		}
		return true
	})
	return all
}
