package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// asMain has the test's binary be the program.
const asMain = "ORCHESTRATOR_LINT"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The whole program on a module: checks of all kinds under their names, what is ignored and switched off, and where
// results are kept.
func TestProgram(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example\n\ngo 1.26\n",
		"a.go": `package a

import (
	"fmt"
	"os"
)

func nobody() {}

// Id is a name that ST1003, which is off, would find.
type Id struct{}

// F is long enough.
func F(a int) bool {
	fmt.Printf("%d", "x")
	os.Remove("x")
	//lint:ignore errcheck it may stay
	os.Remove("y")
	a = a + 1
	return a == a
}
`,
		"b/b.go": "// Package b is fine.\npackage b\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golang, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	lint := func(in string, args ...string) (string, int) {
		cmd := exec.Command(os.Args[0], args...)
		cmd.Dir = filepath.Join(dir, in)
		// A home that can't be written has no folder for caches.
		cmd.Env = append(os.Environ(), asMain+"=1", "STATICCHECK_CACHE=", "XDG_CACHE_HOME=", "HOME=/dev/null",
			"GOCACHE="+strings.TrimSpace(string(golang)))
		out, err := cmd.CombinedOutput()
		var ended *exec.ExitError
		if err != nil && !errors.As(err, &ended) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	out, code := lint("", "./...")
	var got []string
	for _, m := range regexp.MustCompile(`a\.go:(\d+):\d+: .*\((\w+)\)`).FindAllStringSubmatch(out, -1) {
		got = append(got, m[1]+" "+m[2])
	}
	slices.Sort(got)
	want := []string{"15 SA5009", "15 printf", "16 errcheck", "19 gocritic", "20 SA4000", "20 gocritic", "8 U1000"}
	if got = slices.Compact(got); code != 1 || !slices.Equal(got, want) {
		t.Errorf("it ends with %d and finds %q, want %q:\n%s", code, got, want, out)
	}
	if out, code := lint("b", "."); code != 0 || out != "" {
		t.Errorf("in a folder where all is fine it ends with %d: %s", code, out)
	}
	if _, err := os.Stat(filepath.Join(dir, ".cache", "staticcheck")); err != nil {
		t.Errorf("results are not kept in the checkout, where the user's folder can't be written: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "staticcheck.conf")); err != nil || !strings.Contains(string(b), dir) {
		t.Errorf("the configuration does not name the checkout: %v: %s", err, b)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "b", "*")); err != nil || len(left) != 1 {
		t.Errorf("it leaves %q where it is started, %v", left, err)
	}
}
