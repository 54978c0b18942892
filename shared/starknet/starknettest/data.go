// Package starknettest finds the recorded chain data that golden tests compare with.
package starknettest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Data returns the path of a file or folder of recorded data, which lies in shared/data beside the repository
// (ORCHESTRATOR_DATA names another folder). A test is skipped where the whole folder is absent; a missing file in it is
// a failure.
func Data(t testing.TB, path ...string) string {
	t.Helper()
	dir := os.Getenv("ORCHESTRATOR_DATA")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared", "data")
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("recorded chain data is not here: no folder %s", dir)
	}
	file := filepath.Join(append([]string{dir}, path...)...)
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("recorded data: %v", err)
	}
	return file
}

// Read returns a recorded file's content.
func Read(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(Data(t, path...))
	if err != nil {
		t.Fatalf("recorded data: %v", err)
	}
	return b
}

// root is the repository's top folder.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = up
	}
}
