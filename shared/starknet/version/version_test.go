package version_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

func TestKnown(t *testing.T) {
	t.Parallel()
	var last version.Version
	for _, s := range version.Known() {
		v, err := version.Check(s)
		if err != nil || v.String() != s || !last.Before(v) || v.Before(v) {
			t.Errorf("%s: %s, %v, after %s", s, v, err, last)
		}
		last = v
	}
	if version.Oldest() != "0.13.1" || version.Newest() != last.String() {
		t.Errorf("from %s to %s, want 0.13.1 to %s", version.Oldest(), version.Newest(), last)
	}
}

// What is refused says why and what to do.
func TestCheck(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"0.12.3": "CHAIN_FIRST_BLOCK", "0.13.0": "CHAIN_FIRST_BLOCK",
		"0.14.99": "deploy a release", "0.15.0": "deploy a release",
		"1.0.0": "deploy a release", "0.14.1.2": "check the version", "0.14.2.1": "deploy a release",
		"0.13.99": "check the version",
		"0.014.1": "check the version",
	} {
		_, err := version.Check(s)
		if !errors.Is(err, version.ErrUnknown) || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), s) {
			t.Errorf("%s: %v, want ErrUnknown with %q", s, err, want)
		}
		if version.Supported(s) {
			t.Errorf("%s is supported", s)
		}
	}
	for _, s := range []string{"", "0.13", "0.13.x", "0.13.5.1.1", "0.13.-5", "0.13.+5", "0.13. 5",
		"v0.13.5", "0.13.70000", "0.14.2 "} {
		if _, err := version.Check(s); !errors.Is(err, version.ErrMalformed) {
			t.Errorf("%q: %v, want ErrMalformed", s, err)
		}
	}
}
