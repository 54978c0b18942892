package proofregistration_test

import (
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/mockprover"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/proofregistration"
)

const proofKey, bridgeKey = "snos/0000000007/proof.json", "snos/0000000007/bridge_proof.json"

// One row for each state of the prover's task: the verdict, whether the registered proof is stored, whether the next
// request gets a new dedup id.
func TestRegistration(t *testing.T) {
	t.Parallel()
	proofs := proof.Capabilities{Proofs: true}
	corrupt := func(prover.Task, proof.Artifact) ([]byte, error) { return nil, artifact.ErrCorrupt }
	for name, tt := range map[string]struct {
		config prover.Config
		proof  string // stored, "" for none
		change func(*prover.Prover, *job.ProofRegistrationMeta)
		want   job.VerdictKind // "" where processing fails permanently
		stored bool
		again  bool
	}{
		"registered":  {prover.Config{Capabilities: proofs}, "p", nil, job.VerdictVerified, true, false},
		"in progress": {prover.Config{Capabilities: proofs, Polls: 1}, "p", nil, job.VerdictPending, false, false},
		"rejected": {prover.Config{Capabilities: proofs}, "p",
			func(p *prover.Prover, m *job.ProofRegistrationMeta) { p.Reject(m.Task, "no") },
			job.VerdictRejected, false, true},
		"lost": {prover.Config{Capabilities: proofs}, "p",
			func(p *prover.Prover, m *job.ProofRegistrationMeta) { p.Forget(m.Task) }, job.VerdictLost, false, false},
		"corrupt once": {prover.Config{Capabilities: proofs, File: corrupt}, "p", nil,
			job.VerdictPending, false, false},
		"corrupt again and again": {prover.Config{Capabilities: proofs, File: corrupt}, "p",
			func(_ *prover.Prover, m *job.ProofRegistrationMeta) { m.Unreadable = 7 },
			job.VerdictRejected, false, true},
		"proof is missing": {prover.Config{Capabilities: proofs}, "", nil, "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, store, jobs := prover.New(nil, tt.config), memory.NewArtifacts(nil), memory.NewJobs(nil)
			m := &job.ProofRegistrationMeta{ProofKey: proofKey, BridgeProofKey: bridgeKey, Fact: "0xf"}
			if tt.proof != "" {
				if err := store.Put(t.Context(), proofKey, strings.NewReader(tt.proof)); err != nil {
					t.Fatal(err)
				}
			}
			j := job.New(strings.Repeat("a", 32), 7, m, "", time.Now())
			if err := jobs.Create(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			h, run := &proofregistration.Handler{Prover: p, Artifacts: store}, executor.NewRun(j, jobs)
			if err := h.Process(t.Context(), run); err != nil {
				if tt.want != "" || !job.IsPermanent(err) {
					t.Errorf("processing: %v", err)
				}
				return
			}
			if ts := p.Tasks(); len(ts) != 1 || ts[0].Request.Kind != proof.Registration ||
				ts[0].Request.Fact != "0xf" || run.Job.ExternalID != ts[0].ID {
				t.Fatalf("requests %+v, the job has %q", ts, run.Job.ExternalID)
			}
			if tt.change != nil {
				tt.change(p, m)
			}
			v, err := h.Verify(t.Context(), run)
			if err != nil || v.Kind != tt.want {
				t.Errorf("verdict %q (%s), %v, want %q", v.Kind, v.Reason, err, tt.want)
			}
			if (m.DedupID == "") != tt.again {
				t.Errorf("the next request's dedup id is %q, want a new one: %t", m.DedupID, tt.again)
			}
			if _, err := store.Stat(t.Context(), bridgeKey); (err == nil) != tt.stored {
				t.Errorf("the registered proof: %v, want it stored: %t", err, tt.stored)
			}
		})
	}
}

// A prover that hands out no proofs registers by the task that it knows: the job names no proof.
func TestWithoutProofs(t *testing.T) {
	t.Parallel()
	jobs := memory.NewJobs(nil)
	j := job.New(strings.Repeat("a", 32), 7, &job.ProofRegistrationMeta{Fact: "0x" + strings.Repeat("f", 64)}, "",
		time.Now())
	if err := jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	h := &proofregistration.Handler{Prover: mockprover.New(mockprover.Options{}), Artifacts: memory.NewArtifacts(nil)}
	run := executor.NewRun(j, jobs)
	if err := h.Process(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if v, err := h.Verify(t.Context(), run); err != nil || v.Kind != job.VerdictVerified {
		t.Errorf("verdict %q, %v", v.Kind, err)
	}
}
