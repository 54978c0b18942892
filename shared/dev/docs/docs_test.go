package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

const root = "../../.."

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The generated parts are what `make docs` would write.
func TestGeneratedPartsAreUpToDate(t *testing.T) {
	t.Parallel()
	for _, p := range parts {
		page := read(t, p.file)
		want, err := p.apply(root, page)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(page, want); diff != "" {
			t.Errorf("%s: %s is not what the code says; run `make docs`:\n%s", p.file, p.name, diff)
		}
	}
}

// A page without a part's markers is refused: a part that is never compared would get old.
func TestMissingMarkersAreRefused(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"", begin("job states") + "\n", end} {
		if _, err := parts[0].apply(root, page); err == nil {
			t.Errorf("page %q was accepted", page)
		}
	}
}

func TestPoliciesShareRetries(t *testing.T) {
	t.Parallel()
	if !sharedRetries() {
		t.Error("job types differ in Retry, MaxCrashes or AlertAfter: make them columns of docs/jobs.md")
	}
}

var sentenceEnd = regexp.MustCompile(`\.(\s|$)`)

// docs/jobs.md has one section for each status, of three sentences: who enters it, who leaves it, what a person does.
func TestEachJobStateIsDescribed(t *testing.T) {
	t.Parallel()
	_, states, ok := strings.Cut(read(t, "docs/jobs.md"), "\n## The states\n")
	if !ok {
		t.Fatal("docs/jobs.md has no section The states")
	}
	states, _, _ = strings.Cut(states, "\n## ")
	described := map[string]bool{}
	for _, section := range strings.Split(states, "\n### ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		described[name] = true
		if n := len(sentenceEnd.FindAllString(strings.TrimSpace(text), -1)); n != 3 {
			t.Errorf("%s has %d sentences, want 3", name, n)
		}
		if !strings.Contains(strings.ToLower(text), "a person") {
			t.Errorf("%s does not say what a person does", name)
		}
	}
	var want []string
	for _, s := range job.Statuses {
		want = append(want, string(s))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(described))); diff != "" {
		t.Errorf("statuses in code and in docs/jobs.md differ:\n%s", diff)
	}
}

// Each term stands once, and its text is one sentence.
func TestEachTermIsOneSentence(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, line := range strings.Split(read(t, "docs/terminology.md"), "\n") {
		if !strings.HasPrefix(line, "- **") {
			continue
		}
		term, text, ok := strings.Cut(strings.TrimPrefix(line, "- **"), "**")
		if !ok || seen[term] {
			t.Errorf("term %q stands twice or has no end", term)
		}
		seen[term] = true
		if n := len(sentenceEnd.FindAllString(text, -1)); n != 1 || !strings.HasSuffix(text, ".") {
			t.Errorf("%s: want one sentence on one line: %q", term, text)
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d terms were found", len(seen))
	}
}

var link = regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)\s]+)?\)`)

// Links between the repository's pages lead to files that exist.
func TestLinksOfThePages(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "infra/README.md"} {
		pages = append(pages, filepath.Join(root, name))
	}
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
			}
		}
	}
}

// README's map names each package folder of shared.
func TestReadmeNamesEachFolder(t *testing.T) {
	t.Parallel()
	readme := read(t, "README.md")
	for _, layer := range []string{"core", "service", "starknet", "client", "controller", "dev"} {
		entries, err := os.ReadDir(filepath.Join(root, "shared", layer))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() && !strings.HasSuffix(e.Name(), "test") && !strings.Contains(readme, "`"+e.Name()+"`") {
				t.Errorf("README does not name shared/%s/%s", layer, e.Name())
			}
		}
	}
}
