package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/big"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/sharp"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// settingFolders are the packages that declare settings.
var settingFolders = []string{"shared/config", "shared/client/atlantic/settings"}

// settings lists every setting with its meaning, which is the comment of its field.
func settings(root string) (string, error) {
	comments := map[string]string{}
	for _, folder := range settingFolders {
		if err := fieldComments(filepath.Join(root, folder), comments); err != nil {
			return "", err
		}
	}
	var b strings.Builder
	group := ""
	for _, s := range config.Settings() {
		meaning := comments[s.Group+"."+s.Field]
		if meaning == "" {
			return "", fmt.Errorf("%s: the field %s.%s has no comment, which is its meaning", s.Name, s.Group, s.Field)
		}
		if title := titleOf(s.Name); title != group {
			group = title
			fmt.Fprintf(&b, "\n### %s\n\n| setting | meaning | unit | default | example |\n|---|---|---|---|---|\n",
				title)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n",
			s.Name, meaning+notes(s), s.Unit, code(defaultOf(s)), code(s.Example))
	}
	return b.String(), nil
}

// notes are what the tags say beyond the meaning.
func notes(s config.Setting) string {
	var out string
	if len(s.Secrets) > 0 {
		out += " **Names a secret.**"
	}
	if s.Stack {
		out += " *Decided by the stack.*"
	}
	return out
}

// titleOf is the section of a setting: the first word of its name, with a second one for a prover's own.
func titleOf(name string) string {
	words := strings.Split(name, "_")
	switch {
	case len(words) > 1 && words[0] == "PROVER" && (words[1] == "ATLANTIC" || words[1] == "SHARP"):
		return "PROVER_" + words[1] + "_…"
	case name == "DRY_RUN", name == "PACE", name == "LOG_LEVEL":
		return "Other"
	}
	return words[0] + "_…"
}

// elsewhere are the structs whose fields of the same name hold the defaults of settings that are 0 where they are not
// set.
var elsewhere = map[string]any{
	"config.Batch": batch.DefaultLimits(), "config.Settlement": tx.DefaultPolicy(),
	"config.SharpProver": sharp.DefaultConfig,
}

// defaultOf is what a setting is where it is not set, "" for nothing.
func defaultOf(s config.Setting) string {
	if s.Default != "" {
		return s.Default
	}
	if s.Type.Kind() == reflect.Bool {
		return "false"
	}
	out := fieldText(elsewhere[s.Group], s.Field)
	if s.Group == "config.Settlement" && out != "" {
		if starknet := fieldText(tx.StarknetPolicy(), s.Field); starknet != out {
			out += ", on Starknet " + starknet
		}
	}
	return out
}

// fieldText is the value of a struct's field as a setting writes it, "" if it has no such field or the field is zero.
func fieldText(v any, field string) string {
	if v == nil {
		return ""
	}
	f := reflect.ValueOf(v).FieldByName(field)
	if !f.IsValid() || f.IsZero() {
		return ""
	}
	switch x := f.Interface().(type) {
	case time.Duration:
		return short(x)
	case *big.Int:
		return x.String()
	default:
		return fmt.Sprint(x)
	}
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// fieldComments adds the comments of the fields of a package's structs, by PACKAGE.TYPE.FIELD.
func fieldComments(folder string, to map[string]string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return err
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if st, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					for _, id := range field.Names {
						to[f.Name.Name+"."+spec.Name.Name+"."+id.Name] = strings.Join(strings.Fields(field.Doc.Text()),
							" ")
					}
				}
			}
			return true
		})
	}
	return nil
}
