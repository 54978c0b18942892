package proofcreation_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/proofcreation"
)

const pieKey, proofKey = "snos/0000000007/pie.zip", "snos/0000000007/proof.json"

// world is the handler with a prover and a job whose PIE is stored.
type world struct {
	*proofcreation.Handler
	prover    *prover.Prover
	artifacts *memory.Artifacts
	jobs      *memory.Jobs
	run       *executor.Run
	meta      *job.ProofCreationMeta
}

func newWorld(t *testing.T, c prover.Config, hook fault.Hook) *world {
	t.Helper()
	env := &fault.Env{Hook: hook}
	w := &world{
		prover: prover.New(env, c), artifacts: memory.NewArtifacts(nil), jobs: memory.NewJobs(nil),
		meta: &job.ProofCreationMeta{StartBlock: 3, EndBlock: 5, PIEKey: pieKey, Fact: "0xf", ProofKey: proofKey},
	}
	w.Handler = &proofcreation.Handler{Prover: w.prover, Artifacts: w.artifacts}
	if err := w.artifacts.Put(t.Context(), pieKey, strings.NewReader("a PIE")); err != nil {
		t.Fatal(err)
	}
	j := job.New(strings.Repeat("a", 32), 7, w.meta, "", time.Now())
	if err := w.jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	w.run = executor.NewRun(j, w.jobs)
	return w
}

var proofs = proof.Capabilities{Proofs: true}

// The dedup id is stored before the request is made, so that a repeated call starts no second proof.
func TestProcess(t *testing.T) {
	t.Parallel()
	rules := fault.NewRules()
	w := newWorld(t, prover.Config{Capabilities: proofs}, rules)
	rules.Add(fault.Rule{Component: "prover", Method: "Submit", Times: 1, Fault: fault.Fault{Kind: fault.FailAfter}})
	if err := w.Process(t.Context(), w.run); err == nil || job.IsPermanent(err) {
		t.Fatalf("the reply was lost: %v, want a transient failure", err)
	}
	stored, err := w.jobs.Get(t.Context(), w.run.Job.ID)
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := stored.Metadata.(*job.ProofCreationMeta); !ok || m.DedupID == "" {
		t.Errorf("stored before the request: %+v", stored.Metadata)
	}
	if err := w.Process(t.Context(), w.run); err != nil {
		t.Fatal(err)
	}
	ts := w.prover.Tasks()
	if len(ts) != 1 || w.meta.Task != ts[0].ID || w.run.Job.ExternalID != ts[0].ID {
		t.Fatalf("%d proofs were started, the job has task %q", len(ts), w.meta.Task)
	}
	if r := ts[0].Request; r.Kind != proof.Child || r.Batch != 7 || r.Fact != "0xf" ||
		r.InputSize != int64(len("a PIE")) {
		t.Errorf("request %+v", r)
	}
}

func TestProcessFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change    func(*world)
		permanent bool
	}{
		"the PIE is missing":          {func(w *world) { w.meta.PIEKey = "snos/0000000009/pie.zip" }, true},
		"the prover refuses":          {func(w *world) { w.meta.Bucket = "none" }, true},
		"metadata of another type":    {func(w *world) { w.run.Job.Metadata = &job.SnosRunMeta{} }, true},
		"the job was taken by others": {func(w *world) { w.run.Job.Version = 9 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, prover.Config{Capabilities: proof.Capabilities{Proofs: true, Buckets: true}}, nil)
			tt.change(w)
			if err := w.Process(t.Context(), w.run); err == nil || job.IsPermanent(err) != tt.permanent {
				t.Errorf("%v, want a permanent failure: %t", err, tt.permanent)
			}
			if n := len(w.prover.Tasks()); n != 0 {
				t.Errorf("%d proofs were started", n)
			}
		})
	}
}

// A batch that was begun with another prover waits before its proof is paid for, and goes on when the setting is back.
// What that prover was asked for is neither taken for lost nor asked for again.
func TestOtherProver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prover, bucket string
		waits          bool
	}{
		"the same":                        {"ours", "", false},
		"not recorded":                    {"", "", false},
		"another":                         {"atlantic", "", true},
		"another, with a bucket":          {"atlantic", "b", true},
		"not recorded, but with a bucket": {"", "b", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, prover.Config{Capabilities: proof.Capabilities{Name: "ours", Proofs: true}}, nil)
			w.meta.Prover, w.meta.Bucket = tt.prover, tt.bucket
			err := w.Process(t.Context(), w.run)
			var other *proof.OtherProverError
			if errors.As(err, &other) != tt.waits || job.IsPermanent(err) || !tt.waits && err != nil {
				t.Fatalf("processing: %v, want it to wait: %t", err, tt.waits)
			}
			if !tt.waits {
				return
			}
			w.meta.Task = "task"
			if v, err := w.Verify(t.Context(), w.run); !errors.As(err, &other) || job.IsPermanent(err) {
				t.Errorf("verification: %v, %v, want it to wait", v, err)
			}
			if n := len(w.prover.Tasks()); n != 0 || w.meta.Task != "task" {
				t.Errorf("%d proofs were asked for, the job has task %q", n, w.meta.Task)
			}
			w.meta.Prover, w.meta.Bucket = "ours", ""
			if err := w.Process(t.Context(), w.run); err != nil {
				t.Errorf("with its prover: %v", err)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	unready := func(prover.Task, proof.Artifact) ([]byte, error) { return nil, proof.ErrNotReady }
	expired := func(prover.Task, proof.Artifact) ([]byte, error) { return nil, proof.ErrRejected }
	corrupt := func(prover.Task, proof.Artifact) ([]byte, error) { return nil, artifact.ErrCorrupt }
	down := func(prover.Task, proof.Artifact) ([]byte, error) { return nil, errors.New("down") }
	for name, tt := range map[string]struct {
		config prover.Config
		change func(*world)
		want   job.VerdictKind // "" for a transient failure
		stored bool            // the proof is
		again  bool            // the next request gets a new dedup id
	}{
		"done":        {prover.Config{Capabilities: proofs}, nil, job.VerdictVerified, true, false},
		"in progress": {prover.Config{Capabilities: proofs, Polls: 1}, nil, job.VerdictPending, false, false},
		"rejected": {prover.Config{Capabilities: proofs},
			func(w *world) { w.prover.Reject(w.meta.Task, "no") }, job.VerdictRejected, false, true},
		"lost": {prover.Config{Capabilities: proofs}, func(w *world) { w.prover.Forget(w.meta.Task) },
			job.VerdictLost, false, false},
		"proof not wanted": {prover.Config{Capabilities: proofs}, func(w *world) { w.meta.ProofKey = "" },
			job.VerdictVerified, false, false},
		"prover has no proofs": {prover.Config{}, nil, job.VerdictVerified, false, false},
		"proof not there yet": {prover.Config{Capabilities: proofs, File: unready}, nil,
			job.VerdictPending, false, false},
		"proof expired": {prover.Config{Capabilities: proofs, File: expired}, nil,
			job.VerdictRejected, false, true},
		"proof corrupt once": {prover.Config{Capabilities: proofs, File: corrupt}, nil,
			job.VerdictPending, false, false},
		"proof can't be read": {prover.Config{Capabilities: proofs, File: down}, nil, "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.config, nil)
			if err := w.Process(t.Context(), w.run); err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(w)
			}
			v, err := w.Verify(t.Context(), w.run)
			if v.Kind != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("verdict %q (%s), %v, want %q", v.Kind, v.Reason, err, tt.want)
			}
			if (w.meta.DedupID == "") != tt.again {
				t.Errorf("the next request's dedup id is %q, want a new one: %t", w.meta.DedupID, tt.again)
			}
			if _, err := w.artifacts.Stat(t.Context(), proofKey); (err == nil) != tt.stored {
				t.Errorf("the proof: %v, want it stored: %t", err, tt.stored)
			}
		})
	}
}

// What a store answers in a proof's place for a while does not throw the proof away; a proof that stays corrupt is
// proven again.
func TestCorruptProof(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		corrupt int // looks that find it so
		want    []job.VerdictKind
	}{
		"for a while": {7, append(slices.Repeat([]job.VerdictKind{job.VerdictPending}, 7), job.VerdictVerified)},
		"for good":    {99, append(slices.Repeat([]job.VerdictKind{job.VerdictPending}, 7), job.VerdictRejected)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := 0
			w := newWorld(t, prover.Config{Capabilities: proofs,
				File: func(prover.Task, proof.Artifact) ([]byte, error) {
					if looks++; looks > tt.corrupt {
						return []byte("a proof"), nil
					}
					return nil, artifact.ErrCorrupt
				}}, nil)
			if err := w.Process(t.Context(), w.run); err != nil {
				t.Fatal(err)
			}
			for i, want := range tt.want {
				v, err := w.Verify(t.Context(), w.run)
				if err != nil || v.Kind != want {
					t.Fatalf("look %d: %q (%s), %v, want %q", i+1, v.Kind, v.Reason, err, want)
				}
			}
			if again := tt.want[len(tt.want)-1] == job.VerdictRejected; (w.meta.DedupID == "") != again {
				t.Errorf("the next request's dedup id is %q, want a new one: %t", w.meta.DedupID, again)
			}
			if again := tt.want[len(tt.want)-1] == job.VerdictRejected; again && w.meta.Unreadable != 0 {
				t.Errorf("%d looks are counted for the next proof", w.meta.Unreadable)
			}
		})
	}
}
