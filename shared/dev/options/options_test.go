package options_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/dev/options"
)

// set is a program's options.
type set struct {
	blocks  int
	name    string
	dry     bool
	timeout time.Duration
}

func parse(t *testing.T, args, environ []string) (set, string, error) {
	t.Helper()
	var s set
	var out bytes.Buffer
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	fs.SetOutput(&out)
	fs.IntVar(&s.blocks, "blocks", 1, "")
	fs.StringVar(&s.name, "name", "default", "")
	fs.BoolVar(&s.dry, "dry-run", false, "")
	fs.DurationVar(&s.timeout, "timeout", time.Minute, "")
	err := options.Parse(fs, "run", args, environ)
	return s, out.String(), err
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "options")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A flag goes before the environment, that before the file, and that before the default.
func TestOrder(t *testing.T) {
	t.Parallel()
	path := file(t, "# options\n\nORCH_RUN_BLOCKS = 4\nORCH_RUN_NAME=file\nORCH_RUN_DRY_RUN=true\nORCH_OPS_X=1\n")
	for name, tt := range map[string]struct {
		args, environ []string
		want          set
	}{
		"defaults":    {nil, []string{"PATH=x", "ORCHESTRATOR_CHAIN_ID=x"}, set{1, "default", false, time.Minute}},
		"environment": {nil, []string{"ORCH_RUN_BLOCKS=3", "ORCH_RUN_DRY_RUN=1"}, set{3, "default", true, time.Minute}},
		"flag first": {[]string{"-blocks", "2"}, []string{"ORCH_RUN_BLOCKS=3", "ORCH_RUN_TIMEOUT=2m"},
			set{2, "default", false, 2 * time.Minute}},
		"file":       {[]string{"-options", path}, nil, set{4, "file", true, time.Minute}},
		"file's way": {nil, []string{"ORCH_OPTIONS=" + path}, set{4, "file", true, time.Minute}},
		"all": {[]string{"-options", path, "-name", "flag"}, []string{"ORCH_RUN_BLOCKS=3", "ORCH_OPTIONS=/nowhere"},
			set{3, "flag", true, time.Minute}},
		"a flag's default goes before": {[]string{"-blocks", "1"}, []string{"ORCH_RUN_BLOCKS=3"},
			set{1, "default", false, time.Minute}},
	} {
		if got, out, err := parse(t, tt.args, tt.environ); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v %s; want %+v", name, got, err, out, tt.want)
		}
	}
}

// What can't be read is named with where it stands.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args, environ []string
		says          []string
	}{
		"values": {nil, []string{"ORCH_RUN_BLOCKS=many", "ORCH_RUN_TIMEOUT=soon"},
			[]string{"ORCH_RUN_BLOCKS in the environment", "ORCH_RUN_TIMEOUT"}},
		"unknown":   {nil, []string{"ORCH_RUN_BLOKS=1"}, []string{"ORCH_RUN_BLOKS", "no such option"}},
		"in a file": {[]string{"-options", file(t, "ORCH_RUN_X=1")}, nil, []string{"ORCH_RUN_X in /"}},
		"no file":   {[]string{"-options", "/nowhere"}, nil, []string{"/nowhere"}},
		"no line":   {[]string{"-options", file(t, "\nblocks: 3")}, nil, []string{"line 2"}},
		"twice":     {[]string{"-options", file(t, "ORCH_RUN_X=1\nORCH_RUN_X=2")}, nil, []string{"line 2", "twice"}},
		"a flag":    {[]string{"-x"}, nil, []string{"-x"}},
	} {
		_, out, err := parse(t, tt.args, tt.environ)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		for _, want := range tt.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q lacks %q", name, out, want)
			}
		}
	}
	if _, out, err := parse(t, []string{"-help"}, nil); !errors.Is(err, flag.ErrHelp) ||
		!strings.Contains(out, "ORCH_RUN_JSON") || !strings.Contains(out, "-blocks") {
		t.Errorf("help: %v\n%s", err, out)
	}
}

// Each program for people takes its options so, and prints JSON where it is asked to. The SNOS container's entry is not
// one of them: its settings are the container's.
func TestEveryProgram(t *testing.T) {
	t.Parallel()
	mains, err := filepath.Glob("../../../scripts/*/main.go")
	if err != nil || len(mains) < 8 {
		t.Fatal(mains, err)
	}
	takes := regexp.MustCompile(`options\.(Parse|Fill)\(`)
	json := regexp.MustCompile(`(?s)BoolVar\(&\w*\.?\w+, "json"|flag\.Bool\("json"`)
	for _, main := range mains {
		dir := filepath.Dir(main)
		if filepath.Base(dir) == "snosentry" {
			continue
		}
		if filepath.Base(dir) == "ops" { // it lies in shared/dev/ops
			dir = "../ops"
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var text string
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			text += string(b)
		}
		if !takes.MatchString(text) {
			t.Errorf("%s takes no options of environment and file", dir)
		}
		if !json.MatchString(text) {
			t.Errorf("%s has no -json", dir)
		}
	}
}
