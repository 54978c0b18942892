package tools_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// maxInput bounds an input of a corpus: what is larger belongs into code that makes it.
const maxInput = 4 << 10

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// Every fuzz target has a corpus, which plain `go test` runs: something valid, something cut off and something hostile.
func TestEveryFuzzTargetHasACorpus(t *testing.T) {
	t.Parallel()
	tools, err := tools.Tools()
	if err != nil {
		t.Fatal(err)
	}
	targets := 0
	err = filepath.WalkDir(filepath.Dir(tools), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "build" || d.Name() == "node_modules"):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range fuzzTarget.FindAllSubmatch(src, -1) {
			targets++
			checkCorpus(t, filepath.Join(filepath.Dir(path), "testdata", "fuzz", string(m[1])))
		}
		return nil
	})
	if err != nil || targets < 20 {
		t.Errorf("%d targets found, %v", targets, err)
	}
}

func checkCorpus(t *testing.T, dir string) {
	t.Helper()
	kinds := map[string]bool{}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Errorf("%v: commit a few inputs (go test -fuzz finds some): valid, truncated, hostile-1", err)
		return
	}
	for _, f := range files {
		kind, _, _ := strings.Cut(f.Name(), "-")
		kinds[kind] = true
		if info, err := f.Info(); err != nil || info.Size() > maxInput {
			t.Errorf("%s/%s: more than %d bytes (%v)", dir, f.Name(), maxInput, err)
		}
	}
	for _, kind := range []string{"valid", "truncated", "hostile"} {
		if !kinds[kind] {
			t.Errorf("%s has no input named %s", dir, kind)
		}
	}
}
