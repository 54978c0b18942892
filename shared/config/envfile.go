package config

import (
	"fmt"
	"os"

	"github.com/hashicorp/go-envparse"
)

// ReadFile reads a file of settings, lines KEY=value in the usual .env form: comments, quotes and "export" are
// understood, nothing is expanded. The error names the line and never shows it: it may be a secret.
func ReadFile(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	defer f.Close()
	values, err := envparse.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("read the settings in %s: want lines KEY=value: %w", name, err)
	}
	out := make([]string, 0, len(values))
	for k, v := range values {
		out = append(out, k+"="+v)
	}
	return out, nil
}
