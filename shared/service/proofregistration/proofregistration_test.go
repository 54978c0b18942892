package proofregistration_test

import (
	"context"
	"errors"
	"fmt"
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

// newRun is a stored job's run.
func newRun(t *testing.T, m *job.ProofRegistrationMeta) *executor.Run {
	t.Helper()
	jobs, j := memory.NewJobs(nil), job.New(strings.Repeat("a", 32), 7, m, "", time.Now())
	if err := jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	return executor.NewRun(j, jobs)
}

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
			p, store := prover.New(nil, tt.config), memory.NewArtifacts(nil)
			m := &job.ProofRegistrationMeta{ProofKey: proofKey, BridgeProofKey: bridgeKey, Fact: "0xf"}
			if tt.proof != "" {
				if err := store.Put(t.Context(), proofKey, strings.NewReader(tt.proof)); err != nil {
					t.Fatal(err)
				}
			}
			h, run := &proofregistration.Handler{Prover: p, Artifacts: store}, newRun(t, m)
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

// demanding refuses requests without an input, as Atlantic does.
type demanding struct{ *prover.Prover }

// Submit implements proof.Prover.
func (d demanding) Submit(ctx context.Context, r proof.Request) (string, error) {
	if r.Input == nil {
		return "", fmt.Errorf("no input: %w", proof.ErrRejected)
	}
	return d.Prover.Submit(ctx, r)
}

// Another prover, or another route of it, than when the job was made: it is given what it takes, where that is stored
// and nothing was asked for yet. Else the job waits, and goes on when the settings are back.
func TestAnotherProver(t *testing.T) {
	t.Parallel()
	pie := artifact.SNOSKey(7, 0, artifact.PIE)
	none, fromProof := proof.Capabilities{}, proof.Capabilities{Proofs: true}
	fromPIE := proof.Capabilities{Proofs: true, Direct: true}
	for name, tt := range map[string]struct {
		made job.ProofRegistrationMeta
		now  proof.Capabilities
		size int64 // of the input that is sent and 1; 0: the job waits
		back proof.Capabilities
	}{
		"proof":           {job.ProofRegistrationMeta{ProofKey: proofKey}, fromProof, 6, fromProof},
		"PIE":             {job.ProofRegistrationMeta{PIEKey: pie}, fromPIE, 4, fromPIE},
		"proof to PIE":    {job.ProofRegistrationMeta{ProofKey: proofKey}, fromPIE, 4, fromPIE},
		"no proof to PIE": {job.ProofRegistrationMeta{}, fromPIE, 4, fromPIE},
		"proof to PIE and back": {job.ProofRegistrationMeta{ProofKey: proofKey, PIEKey: pie}, fromProof, 6,
			fromProof},
		"PIE to proof":                   {job.ProofRegistrationMeta{PIEKey: pie}, fromProof, 0, fromPIE},
		"PIE to a prover without proofs": {job.ProofRegistrationMeta{PIEKey: pie}, none, 4, fromPIE},
		"no proof to proof":              {job.ProofRegistrationMeta{}, fromProof, 0, none},
		"proof to PIE, asked": {job.ProofRegistrationMeta{ProofKey: proofKey, DedupID: "d"}, fromPIE, 0,
			fromProof},
		"PIE to proof, asked": {job.ProofRegistrationMeta{ProofKey: proofKey, PIEKey: pie, DedupID: "d"}, fromProof, 0,
			fromPIE},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := memory.NewArtifacts(nil)
			for key, body := range map[string]string{proofKey: "proof", pie: "PIE"} {
				if err := store.Put(t.Context(), key, strings.NewReader(body)); err != nil {
					t.Fatal(err)
				}
			}
			m := tt.made
			run := newRun(t, &m)
			process := func(c proof.Capabilities) (int64, error) {
				p := prover.New(nil, prover.Config{Capabilities: c})
				h := &proofregistration.Handler{Prover: demanding{p}, Artifacts: store}
				if run.Job.Metadata.(*job.ProofRegistrationMeta).PIEKey == "" && !c.Proofs {
					h.Prover = mockprover.New(mockprover.Options{}) // which needs no input
					return 1, h.Process(t.Context(), run)
				}
				if err := h.Process(t.Context(), run); err != nil {
					return 0, err
				}
				return 1 + p.Tasks()[0].Request.InputSize, nil
			}
			size, err := process(tt.now)
			if size != tt.size {
				t.Errorf("%d bytes were sent, want %d (%v)", size, tt.size, err)
			}
			if tt.size != 0 {
				return
			}
			if !errors.Is(err, proofregistration.ErrBegun) || job.IsPermanent(err) {
				t.Errorf("error %v", err)
			}
			if size, err := process(tt.back); err != nil || size == 0 {
				t.Errorf("with the settings back: %d bytes, %v", size, err)
			}
		})
	}
}

// A key whose proof is not stored, because the prover hands out none, is not left in the document.
func TestKeyOfWhatIsNotStored(t *testing.T) {
	t.Parallel()
	for _, proofs := range []bool{true, false} {
		store := memory.NewArtifacts(nil)
		p := prover.New(nil, prover.Config{Capabilities: proof.Capabilities{Proofs: proofs}})
		m := &job.ProofRegistrationMeta{ProofKey: proofKey, BridgeProofKey: bridgeKey}
		if err := store.Put(t.Context(), proofKey, strings.NewReader("proof")); err != nil {
			t.Fatal(err)
		}
		h, run := &proofregistration.Handler{Prover: p, Artifacts: store}, newRun(t, m)
		if err := h.Process(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		if v, err := h.Verify(t.Context(), run); err != nil || v.Kind != job.VerdictVerified {
			t.Fatalf("verdict %q, %v", v.Kind, err)
		}
		if _, err := store.Stat(t.Context(), bridgeKey); (err == nil) != proofs || (m.BridgeProofKey != "") != proofs {
			t.Errorf("proofs %t: stored: %v, the document names %q", proofs, err, m.BridgeProofKey)
		}
	}
}
