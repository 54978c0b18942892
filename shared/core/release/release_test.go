package release_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/release"
)

// The changelog's first section is that of this version: "Unreleased" names it while it is under development.
func TestChangelogHasTheVersion(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^## (.+)$`).FindStringSubmatch(string(b))
	if m == nil {
		t.Fatal("the changelog has no section")
	}
	version, dev := strings.CutSuffix(release.Version, "-dev")
	want := "[" + version + "] - "
	if dev {
		want = "Unreleased: " + version
	}
	if !strings.HasPrefix(m[1], want) {
		t.Errorf("the first section is %q, want one that begins with %q", m[1], want)
	}
}
