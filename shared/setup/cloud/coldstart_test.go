package cloud

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
)

// The functions whose cold start is compared, and in how many pairs of starts.
var coldFunctions = []string{"aggregator", "statetransition"}

const coldPairs = 25

// coldAddress is the account of the key 0x0101...
const coldAddress = "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1"

// TestColdStart compares two builds of the functions by the time from the start of a process to its first answer:
// ORCHESTRATOR_COLD_BEFORE and ORCHESTRATOR_COLD_AFTER are folders of programs, as `go build -o FOLDER/
// ./functions/...` makes them, ORCHESTRATOR_COLD_UNKNOWN is a setting that the earlier one does not know. Starts
// alternate, so that a busy machine strikes both.
func TestColdStart(t *testing.T) {
	before, after := os.Getenv("ORCHESTRATOR_COLD_BEFORE"), os.Getenv("ORCHESTRATOR_COLD_AFTER")
	if before == "" || after == "" {
		t.Skip("ORCHESTRATOR_COLD_BEFORE and ORCHESTRATOR_COLD_AFTER name no builds")
	}
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("0x"+strings.Repeat("01", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append([]string{"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x"}, environ...)
	for i, e := range env {
		e = strings.Replace(e, "=file:/key", "=file:"+key, 1)
		env[i] = strings.Replace(e, "=0x0000000000000000000000000000000000000003", "="+coldAddress, 1)
	}
	unknown := os.Getenv("ORCHESTRATOR_COLD_UNKNOWN")
	older := slices.DeleteFunc(slices.Clone(env),
		func(e string) bool { return unknown != "" && strings.Contains(e, unknown+"=") })
	for _, name := range coldFunctions {
		var took [2][]time.Duration
		for range coldPairs {
			for i, folder := range []string{before, after} {
				b := &lambda.Binary{Path: filepath.Join(folder, name), Name: name, Env: [][]string{older, env}[i],
					Timeout: time.Minute}
				began := time.Now()
				_, err := b.Invoke(t.Context(), []byte(`{"Records":[]}`))
				took[i] = append(took[i], time.Since(began))
				b.Close()
				if err != nil {
					t.Fatalf("%s in %s: %v", name, folder, err)
				}
			}
		}
		for i := range took {
			slices.Sort(took[i])
		}
		was, is := took[0][coldPairs/2], took[1][coldPairs/2]
		t.Logf("%s: median %s before, %s after: %.2f of it; fastest %s and %s", name, was, is,
			is.Seconds()/was.Seconds(), took[0][0], took[1][0])
	}
}
