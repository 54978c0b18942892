package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// cached prepares what the runner keeps results in: a folder that can be written, and apart from other checkouts.
func cached() error {
	root, err := checkout()
	if err != nil {
		return err
	}
	if err := writable(root); err != nil {
		return err
	}
	return apart(root)
}

// checkout is the folder of the go.mod that is nearest.
func checkout() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		switch _, err := os.Stat(filepath.Join(dir, "go.mod")); {
		case err == nil:
			return dir, nil
		case !errors.Is(err, os.ErrNotExist):
			return "", err
		case dir == filepath.Dir(dir):
			return "", fmt.Errorf("no go.mod in %s or above: run it in a checkout", start)
		}
	}
}

// writable has the runner keep its results in the checkout where the user's own folder for caches can't be written: it
// would end without.
func writable(root string) error {
	const variable = "STATICCHECK_CACHE" // the runner's
	if os.Getenv(variable) != "" {
		return nil
	}
	if user, err := os.UserCacheDir(); err == nil {
		dir := filepath.Join(user, "staticcheck") // the runner's own
		if err := os.MkdirAll(dir, 0o755); err == nil {
			probe, err := os.CreateTemp(dir, "probe-")
			if err == nil {
				_ = probe.Close()
				return os.Remove(probe.Name())
			}
		}
	}
	dir := filepath.Join(root, ".cache", "staticcheck")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Setenv(variable, dir)
}

// apart keeps the results of this checkout apart from those of others. Results hold paths of files, and their keys do
// not, as we compile with -trimpath: one checkout would show another's paths. A package's configuration is part of the
// key, so our packages get one that names the folder. Results of libraries, most of the work, serve all checkouts.
func apart(root string) error {
	file := filepath.Join(root, "staticcheck.conf")
	text := fmt.Appendf(nil, "# written by shared/dev/lint, see there\ndot_import_whitelist = [%q]\n", root)
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, text) {
		return nil
	}
	part, err := os.CreateTemp(root, "staticcheck.conf.") // renamed, so that nobody reads half of it
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	_, err = part.Write(text)
	if err := errors.Join(err, part.Chmod(0o644), part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), file)
}
