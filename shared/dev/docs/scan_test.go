package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// scan evaluates string expressions of a package, as far as the code says their values.
type scan struct{ files []*ast.File }

// value is what an expression may be: a text, and whether that is all of it.
type value struct {
	text  string
	whole bool
}

// keysIn returns the keys of a package's alerts and causes, sorted. Of a key that the code does not say whole it is the
// part up to and with the last "/".
func keysIn(files []*ast.File) ([]string, error) {
	s := &scan{files}
	var keys []string
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			for _, lit := range alerts(fn) {
				found, err := s.keys(fn, lit)
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

// alerts returns the literals alert.Alert{...} and alert.Cause{...} of a function.
func alerts(fn *ast.FuncDecl) []*ast.CompositeLit {
	var out []*ast.CompositeLit
	ast.Inspect(fn, func(n ast.Node) bool {
		if lit, ok := n.(*ast.CompositeLit); ok && len(lit.Elts) > 0 {
			s, ok := lit.Type.(*ast.SelectorExpr)
			if ok && fmt.Sprint(s.X) == "alert" && (s.Sel.Name == "Alert" || s.Sel.Name == "Cause") {
				out = append(out, lit)
			}
		}
		return true
	})
	return out
}

var errNoKey = errors.New("its Key does not begin with a string: begin it with one, so that the runbook can have a " +
	"section for it")

func (s *scan) keys(fn *ast.FuncDecl, lit *ast.CompositeLit) ([]string, error) {
	expr := field(lit, "Key")
	if expr == nil {
		return nil, errors.New("it has no Key")
	}
	if sel, ok := expr.(*ast.SelectorExpr); ok && sel.Sel.Name == "Key" {
		return nil, nil // passed on from a cause
	}
	var keys []string
	for _, v := range s.values(fn, expr) {
		if !v.whole {
			v.text = v.text[:strings.LastIndexByte(v.text, '/')+1]
		}
		if v.text == "" {
			return nil, errNoKey
		}
		keys = append(keys, v.text)
	}
	return keys, nil
}

// values evaluates an expression in a function; what the code does not say is a value that is not whole.
func (s *scan) values(fn *ast.FuncDecl, e ast.Expr) []value {
	switch x := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(x.Value); x.Kind == token.STRING && err == nil {
			return []value{{text, true}}
		}
	case *ast.Ident:
		return s.named(fn, x.Name)
	case *ast.BinaryExpr:
		return s.join(fn, s.values(fn, x.X), x.Y)
	case *ast.CallExpr:
		if called(x) == "Sprintf" && len(x.Args) > 0 {
			return s.formatted(fn, x.Args)
		}
	}
	return []value{{}}
}

// join appends an expression to each value that is whole.
func (s *scan) join(fn *ast.FuncDecl, left []value, e ast.Expr) []value {
	right := s.values(fn, e)
	var out []value
	for _, l := range left {
		if !l.whole {
			out = append(out, l)
			continue
		}
		for _, r := range right {
			out = append(out, value{l.text + r.text, r.whole})
		}
	}
	return out
}

var verb = regexp.MustCompile(`%[-+# 0-9.*]*[a-zA-Z]`)

// formatted evaluates the arguments of a Sprintf.
func (s *scan) formatted(fn *ast.FuncDecl, args []ast.Expr) []value {
	formats := s.values(fn, args[0])
	if !formats[0].whole {
		return formats
	}
	format, out := formats[0].text, []value{{"", true}}
	text := func(s string) ast.Expr { return &ast.BasicLit{Kind: token.STRING, Value: strconv.Quote(s)} }
	for args = args[1:]; ; args = args[1:] {
		at := verb.FindStringIndex(format)
		if at == nil || len(args) == 0 {
			return s.join(fn, out, text(format))
		}
		out = s.join(fn, s.join(fn, out, text(format[:at[0]])), args[0])
		format = format[at[1]:]
	}
}

// named evaluates a constant of the package, or a parameter by the calls of its function.
func (s *scan) named(fn *ast.FuncDecl, name string) []value {
	for _, f := range s.files {
		if o := f.Scope.Lookup(name); o != nil && o.Kind == ast.Con {
			if spec, ok := o.Decl.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
				return s.values(nil, spec.Values[0])
			}
		}
	}
	at := -1
	if fn != nil {
		at = position(fn, name)
	}
	var out []value
	for _, f := range s.files {
		for _, d := range f.Decls {
			caller, ok := d.(*ast.FuncDecl)
			if !ok || at < 0 {
				continue
			}
			ast.Inspect(caller, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && called(call) == fn.Name.Name && len(call.Args) > at {
					out = append(out, s.values(caller, call.Args[at])...)
				}
				return true
			})
		}
	}
	if len(out) == 0 {
		return []value{{}}
	}
	return out
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
