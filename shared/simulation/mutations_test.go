package simulation_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// mutation is a deliberate bug: in each file, from becomes to. It is compiled into a copy by go's -overlay; the tree
// stays as it is.
type mutation struct {
	name  string
	edits []edit
}

type edit struct{ file, from, to string }

// caught is the first seed that failed, and why.
var caught = regexp.MustCompile(`seed \d+: .*`)

// TestMutationsApply keeps the deliberate bugs up to date with the code: each text that one replaces stands in its file
// once.
func TestMutationsApply(t *testing.T) {
	t.Parallel()
	for _, m := range mutations {
		for _, e := range m.edits {
			b, err := os.ReadFile(filepath.Join("..", e.file))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(b), e.from); n != 1 {
				t.Errorf("%s: %s holds %q %d times, want once", m.name, e.file, e.from, n)
			}
		}
	}
}

// The sample that CI compiles in is one of bugs that exist: a name that `go test -run` does not know passes in silence.
func TestSampleOfCI(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "..", ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	sample := regexp.MustCompile(`(?m)^sample='([^']+)'$`).FindSubmatch(b)
	if sample == nil {
		t.Fatal(".ci/run names no sample")
	}
	for bug := range strings.SplitSeq(string(sample[1]), "|") {
		known := func(m mutation) bool { return strings.ReplaceAll(m.name, " ", "_") == bug }
		if !slices.ContainsFunc(mutations, known) {
			t.Errorf(".ci/run's sample names %s, which is not a bug of ours", bug)
		}
	}
}

// TestMutations shows that the simulation can fail: each bug is caught within the 200 seeds of TestRandomFaults.
func TestMutations(t *testing.T) {
	if os.Getenv("ORCHESTRATOR_MUTATIONS") == "" {
		t.Skip("`make mutations` runs this: each bug is compiled in")
	}
	shared, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			ran++
			dir := t.TempDir()
			replaced := map[string]string{} // original to mutant
			for i, e := range m.edits {
				path := filepath.Join(shared, e.file)
				source, ok := replaced[path]
				if !ok {
					source = path
				}
				b, err := os.ReadFile(source)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Count(string(b), e.from) != 1 {
					t.Fatalf("%s holds %q %d times, want once: the bug is out of date",
						e.file, e.from, strings.Count(string(b), e.from))
				}
				replaced[path] = filepath.Join(dir, fmt.Sprintf("mutant%d.go", i))
				if err := os.WriteFile(replaced[path], []byte(strings.Replace(string(b), e.from, e.to, 1)),
					0o600); err != nil {
					t.Fatal(err)
				}
			}
			overlay, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "mutant.test")
			o, err := json.Marshal(map[string]any{"Replace": replaced})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(overlay, o, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", binary,
				".").CombinedOutput(); err != nil {
				t.Fatalf("the bug does not compile: %v\n%s", err, out)
			}
			began := time.Now()
			first, err := runMutant(t, binary)
			if err == nil {
				t.Fatalf("200 seeds did not catch it (%s)", time.Since(began).Round(time.Second))
			}
			if first == "" {
				t.Fatalf("it ended without naming a seed: %v", err)
			}
			t.Logf("caught in %s: %.250s", time.Since(began).Round(100*time.Millisecond), first)
		})
	}
	if ran == 0 {
		t.Error("none of the bugs has such a name: write it with _ for spaces, as in BUGS='no_fee_cap'")
	}
}

// runMutant runs the seeds and ends at the first one that fails, which it returns with an error.
func runMutant(t *testing.T, binary string) (first string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "-test.v", "-test.run", "TestRandomFaults|TestCutover")
	cmd.Env = append(os.Environ(), "ORCHESTRATOR_MUTATIONS=")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && first == "" {
		first = caught.FindString(lines.Text())
	}
	if first != "" || lines.Err() != nil {
		_ = cmd.Process.Kill()
	}
	return first, errors.Join(lines.Err(), cmd.Wait())
}
