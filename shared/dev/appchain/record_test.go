package appchain_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/block/blocktest"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
)

const data = "/work/shared/data/"

func recordedData(t testing.TB, name string) string {
	t.Helper()
	if _, err := os.Stat(data + name); err != nil {
		t.Skipf("recorded data is absent: %v", err)
	}
	return data + name
}

func TestRecordedSepoliaBatch(t *testing.T) {
	t.Parallel()
	c, err := devappchain.FromRecording(recordedData(t, "batch_8373665/8373665.tar.gz"), devappchain.RecordingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	head, _ := c.Head()
	if c.First() != 789878 || head.Number != 790377 {
		t.Errorf("blocks %d..%d, want 789878..790377", c.First(), head.Number)
	}
	s, err := appchain.New(
		appchain.Config{URL: c.URL(), GatewayURL: c.GatewayURL(), ChainID: c.ChainID(), MaxRange: 600}, appchain.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	blocktest.TestSource(t, blocktest.Harness{Source: s, ChainID: "SN_RECORDED", First: 789878, Last: 790377,
		MaxRange: 600, Cancelable: true})
	h, err := s.Headers(t.Context(), 789878, 789878)
	if err != nil ||
		h[0].ParentHash != felt.MustHex("0x5b8101eb9a1bfaabc0f289f6ee21a6880d18b690b3d3d15528da0ab8c267499") {
		t.Errorf("parent of the first block is %v, %v; want the program output's", h, err)
	}
	if _, err := s.Storage(t.Context(), 789877, []block.Slot{{Contract: felt.FromUint64(0x1234)}}); err != nil {
		t.Errorf("state before the recording: %v", err)
	}
	if notes := strings.Join(c.Notes(), "\n"); !strings.Contains(notes, "answered as 0") {
		t.Errorf("notes say nothing of unanswered reads: %s", notes)
	}
}

// TestAliasesBeforeTheRecording: the aliases that the batch didn't allocate follow from its aliased diff.
func TestAliasesBeforeTheRecording(t *testing.T) {
	t.Parallel()
	runs, err := devappchain.Load(recordedData(t, "batch_8373665/8373665.tar.gz"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	aliases := 0
	for slot := range runs[0].Before {
		if slot.Contract == felt.FromUint64(2) {
			aliases++
		}
	}
	if aliases < 2000 || len(runs[0].Before)-aliases != 130 {
		t.Errorf("%d aliases and %d other slots are derived, want over 2000 and 130",
			aliases, len(runs[0].Before)-aliases)
	}
}

func TestRecordedMainnetBlocks(t *testing.T) {
	t.Parallel()
	dir := recordedData(t, "state_update")
	if _, err := devappchain.FromRecording(dir, devappchain.RecordingOptions{}); !errors.Is(err, devappchain.ErrGaps) {
		t.Errorf("three blocks far apart are served as one chain: %v", err)
	}
	runs, err := devappchain.Load(dir)
	if err != nil || len(runs) != 3 {
		t.Fatalf("%d runs, %v; want 3", len(runs), err)
	}
	for i, want := range []uint64{178, 631861, 640641} {
		c, err := runs[i].Start(devappchain.RecordingOptions{StarknetVersion: "0.13.1"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if head, _ := c.Head(); head.Number != want || c.First() != want {
			t.Errorf("run %d is of block %d, want %d", i, head.Number, want)
		}
	}
	c, err := devappchain.FromRecording(filepath.Join(dir, "178.json"), devappchain.RecordingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if synthesized := strings.Join(c.Synthesized(), ","); !strings.Contains(synthesized, "parent_hash") ||
		strings.Contains(synthesized, "numbers") {
		t.Errorf("synthesized: %s", synthesized)
	}
}

// update writes a state update of an empty block.
func update(hash, from, to int) string {
	return fmt.Sprintf(
		`{"block_hash":"0x%x","old_root":"0x%x","new_root":"0x%x","state_diff":{"storage_diffs":[],"nonces":[]}}`,
		hash, from, to)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  []string // runs, or nothing for an error
	}{
		"SingleFromGenesis": {map[string]string{"a.json": update(1, 0, 5)}, []string{"blocks 0..0 of a.json"}},
		"SingleUnnumbered":  {map[string]string{"a.json": update(1, 4, 5)}, []string{"blocks 1..1 of a.json"}},
		"List": {map[string]string{"state_updates.json": "[" + update(1, 4, 5) + "," + update(2, 5, 5) +
			"]"}, []string{"blocks 1..2 of state_updates.json"}},
		"ListWithGap": {map[string]string{"7.json": "[" + update(1, 4, 5) + "," + update(2, 6, 7) + "]"},
			[]string{"blocks 7..7 of 7.json", "blocks 8..8 of 7.json"}},
		"FilesJoin": {map[string]string{"7.json": update(1, 4, 5), "8.json": update(2, 5, 6),
			"11.json": update(3, 6, 7)}, []string{"blocks 7..8 of 7.json, 8.json", "blocks 11..11 of 11.json"}},
		"SaysItsNumber": {map[string]string{"a.json": `{"block_number":42,` + update(1, 4, 5)[1:]},
			[]string{"blocks 42..42 of a.json"}},
		"Twice": {map[string]string{"7.json": "[" + update(1, 4, 5) + "," + update(2, 5, 6) + "]",
			"8.json": update(9, 9, 6)}, nil},
		"NoJSON":    {map[string]string{"7.json": "<html>"}, nil},
		"EmptyList": {map[string]string{"7.json": "[]"}, nil},
		"Pending":   {map[string]string{"7.json": `{"old_root":"0x1","state_diff":{}}`}, nil},
		"BadNonces": {
			map[string]string{"7.json": update(1, 4, 5), "nonces/7.json": `[{"address":"x","nonce":"1"}]`}, nil},
		"Nothing": {map[string]string{"README.md": "hello"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, content := range c.files {
				p := filepath.Join(dir, "rec", file)
				if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			runs, err := devappchain.Load(filepath.Join(dir, "rec"))
			if (err != nil) != (c.want == nil) {
				t.Fatalf("runs %v, error %v; want %v", runs, err, c.want)
			}
			for i, r := range runs {
				if i >= len(c.want) || r.String() != c.want[i] {
					t.Errorf("run %d is %s, want %v", i, r, c.want)
				}
			}
		})
	}
}

func TestHeldBlocks(t *testing.T) {
	t.Parallel()
	p := filepath.Join(t.TempDir(), "5.json")
	if err := os.WriteFile(p, []byte("["+update(1, 4, 5)+","+update(2, 5, 5)+","+update(3, 5, 6)+"]"),
		0o600); err != nil {
		t.Fatal(err)
	}
	c, err := devappchain.FromRecording(p, devappchain.RecordingOptions{Held: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	for _, want := range []uint64{5, 6, 7, 7} {
		if h, _ := c.Head(); h.Number != want {
			t.Errorf("head is %d, want %d", h.Number, want)
		}
		c.Advance(1)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(update(1, 0, 5)), "[]")
	f.Add([]byte("["+update(1, 4, 5)+"]"), `[{"address":"12","nonce":"0x1"}]`)
	f.Fuzz(func(t *testing.T, updates []byte, nonces string) {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "nonces"), 0o700); err != nil {
			t.Fatal(err)
		}
		_ = os.WriteFile(filepath.Join(dir, "7.json"), updates, 0o600)
		_ = os.WriteFile(filepath.Join(dir, "nonces", "7.json"), []byte(nonces), 0o600)
		runs, err := devappchain.Load(dir)
		if err == nil && len(runs) == 0 {
			t.Error("no runs and no error")
		}
	})
}
