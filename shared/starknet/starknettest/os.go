package starknettest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Run is one recorded output of the Starknet OS or of the aggregator, of Starknet 0.14.4
// (testdata/os_0_14_4/README.md).
type Run struct {
	Name        string
	Output      []felt.Felt `json:"program_output"`
	ChainID     felt.Felt   `json:"chain_id"`  // OS only
	FeeToken    felt.Felt   `json:"fee_token"` // OS only
	PublicKeys  []felt.Felt `json:"public_keys"`
	PrivateKeys []felt.Felt `json:"private_keys"`
	// Segment is the DA segment; nil in calldata mode, where the output has it, and in full output without KZG.
	Segment    []felt.Felt `json:"da_segment"`
	Aggregator bool        `json:"-"`
}

// OSRuns are the recorded outputs of the Starknet OS.
func OSRuns(t testing.TB) []Run { return runs(t, "*.os.json", 31) }

// Aggregations are the recorded outputs of the aggregator.
func Aggregations(t testing.TB) []Run {
	out := append(runs(t, "*.aggregator_kzg?.json", 28), runs(t, "starknet_os_aggregator_*.json", 4)...)
	for i := range out {
		out[i].Aggregator = true
	}
	return out
}

func runs(t testing.TB, pattern string, want int) (out []Run) {
	t.Helper()
	dir := filepath.Join(root(t), "shared", "starknet", "starknettest", "testdata", "os_0_14_4")
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) != want {
		t.Fatalf("%s: %d files, want %d; %v", pattern, len(files), want, err)
	}
	for _, file := range files {
		r := Run{Name: filepath.Base(file)}
		load(t, file, &r)
		var aggregated struct {
			DA string `json:"da_file"` // JSON in a text
		}
		load(t, file, &aggregated)
		if beside := strings.TrimSuffix(file, ".json") + ".da.json"; aggregated.DA != "" {
			if err := json.Unmarshal([]byte(aggregated.DA), &r.Segment); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		} else if _, err := os.Stat(beside); err == nil {
			load(t, beside, &r.Segment)
		}
		out = append(out, r)
	}
	return out
}

func load(t testing.TB, file string, to any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
