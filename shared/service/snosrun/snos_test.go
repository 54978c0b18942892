package snosrun_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	core "github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/snosrun"
)

// done is a runner whose every run has succeeded.
type done struct{ core.Runner }

func (done) Status(context.Context, string) (core.Progress, error) {
	return core.Progress{State: core.Succeeded}, nil
}

// A run's config hash is compared with the settings' before the batch goes on; another one fails the job with both
// values, and a retry runs again.
func TestConfigHash(t *testing.T) {
	t.Parallel()
	hash := func(string) (felt.Felt, error) { return felt.FromUint64(7), nil }
	for name, tt := range map[string]struct {
		version string
		words   int
		config  uint64
		hash    func(string) (felt.Felt, error)
		kind    job.VerdictKind
		says    string
		again   bool
	}{
		"equal": {"0.14.4", 12, 7, hash, job.VerdictVerified, "", false},
		"differs": {"0.14.4", 12, 8, hash, job.VerdictNeverPossible,
			"SNOS ran with config hash 0x8, the settings have 0x7 at Starknet 0.14.4", true},
		"short output": {"0.14.4", 5, 7, hash, job.VerdictRejected, "at least 8 felts", true},
		"not compared": {"0.14.4", 12, 8, nil, job.VerdictVerified, "", false},
		"schema 1":     {"", 12, 8, hash, job.VerdictVerified, "", false},
		"no such token": {"0.14.4", 12, 7, func(string) (felt.Felt, error) { return felt.Zero, artifact.ErrCorrupt },
			job.VerdictNeverPossible, "can't be computed", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, jobs := memory.NewArtifacts(nil), memory.NewJobs(nil)
			words := make([]felt.Felt, tt.words)
			if tt.words > 7 {
				words[7] = felt.FromUint64(tt.config)
			}
			result, err := json.Marshal(core.Result{Kind: core.Run, EndBlock: 3, ProgramHash: felt.FromUint64(1)})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{artifact.PIE, artifact.RunResult} {
				if err := store.Put(t.Context(), "snos/1/"+name, strings.NewReader(string(result))); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range []string{artifact.ProgramOutput, artifact.OSOutput} {
				if err := artifact.WriteFelts(t.Context(), store, "snos/1/"+name, words); err != nil {
					t.Fatal(err)
				}
			}
			m := &job.SnosRunMeta{EndBlock: 3, StarknetVersion: tt.version, OutputPrefix: "snos/1/", TaskID: "task"}
			r := executor.NewRun(job.New(job.NewID(), 1, m, "", time.Now()), jobs)
			h := &snosrun.Handler{Runner: done{}, Artifacts: store, ConfigHash: tt.hash}
			v, err := h.Verify(t.Context(), r)
			if err != nil || v.Kind != tt.kind || !strings.Contains(v.Reason, tt.says) {
				t.Errorf("%+v, %v; want %v with %q", v, err, tt.kind, tt.says)
			}
			if m.TaskID == "" != tt.again {
				t.Errorf("task id %q, runs again %t", m.TaskID, tt.again)
			}
		})
	}
}

// What a runner says of a run that can't start is in the verdict.
func TestUnfinishedSaysWhy(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]string{
		"": "run is queued", "CAPACITY:X - none": "run is queued: CAPACITY:X - none",
	} {
		v, again := snosrun.Unfinished(core.Progress{State: core.Queued, Detail: detail})
		if v.Kind != job.VerdictPending || v.Reason != want || again {
			t.Errorf("%+v, %t; want %q", v, again, want)
		}
	}
}
