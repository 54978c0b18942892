package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/config"
)

func TestReadFile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		want []string // nil: an error
	}{
		"plain":  {"A=1\n\n# a comment\nB=x=y\n", []string{"A=1", "B=x=y"}},
		"quotes": {"A=\"1 2\"\nexport B='3'\n", []string{"A=1 2", "B=3"}},
		"end comments": {"URI=mongodb://u@h/d   # where jobs are\nEMPTY=   # nothing\n",
			[]string{"EMPTY=", "URI=mongodb://u@h/d"}},
		"empty":   {"", []string{}},
		"no line": {"A=1\nhunter2\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "env")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := config.ReadFile(file)
			slices.Sort(got)
			if tt.want == nil {
				if err == nil || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("got %q, %v; want an error without the line", got, err)
				}
				return
			}
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	if _, err := config.ReadFile("/nonexistent"); err == nil {
		t.Error("a missing file is read")
	}
}
