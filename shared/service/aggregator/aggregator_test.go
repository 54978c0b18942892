package aggregator_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/runner"
	"github.com/madara-orchestrator/orchestrator/shared/service/aggregator"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// world is the handler with an Aggregator job over SNOS batches 4 and 5, whose proofs the prover has.
type world struct {
	*aggregator.Handler
	t         *testing.T
	prover    *prover.Prover
	runner    *runner.Runner
	artifacts *memory.Artifacts
	run       *executor.Run
	meta      *job.AggregatorMeta
	children  []string
}

func newWorld(t *testing.T, p prover.Config, r runner.Config) *world {
	t.Helper()
	w := &world{t: t, prover: prover.New(nil, p), artifacts: memory.NewArtifacts(nil)}
	if r.Execute == nil {
		r.Execute = func(ctx context.Context, task snos.Task) error {
			return w.write(ctx,
				snos.Result{Kind: snos.Aggregate, StartBlock: task.StartBlock, EndBlock: task.EndBlock, Fact: "0xf"})
		}
	}
	w.runner = runner.New(nil, r)
	jobs := memory.NewJobs(nil)
	w.Handler = &aggregator.Handler{Prover: w.prover, Runner: w.runner, Jobs: jobs, Artifacts: w.artifacts}
	w.meta = &job.AggregatorMeta{
		StartBlock: 30, EndBlock: 49, FirstSnos: 4, LastSnos: 5, OutputPrefix: artifact.AggregatorPrefix(2, 0),
	}
	if p.Capabilities.Buckets {
		var err error
		if w.meta.Bucket, err = w.prover.OpenBucket(t.Context(), "dev-aggregator-2", "0.14.1"); err != nil {
			t.Fatal(err)
		}
	}
	for n := w.meta.FirstSnos; n <= w.meta.LastSnos; n++ {
		c := job.New(strings.Repeat("b", 31)+string(rune('0'+n)), n, &job.ProofCreationMeta{}, "", time.Now())
		task, err := w.prover.Submit(t.Context(), proof.Request{
			Kind: proof.Child, DedupID: c.ID, Batch: n, Bucket: w.meta.Bucket, Index: n - w.meta.FirstSnos,
			Input: func(context.Context) (
				io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader("PIE")), nil
			},
			InputSize: 3,
		})
		if err != nil {
			t.Fatal(err)
		}
		w.prover.Finish(task)
		c.ExternalID = task
		w.children = append(w.children, task)
		if err := jobs.Create(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	j := job.New(strings.Repeat("a", 32), 2, w.meta, "", time.Now())
	if err := jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	w.run = executor.NewRun(j, jobs)
	return w
}

// write stores what an aggregator run leaves.
func (w *world) write(ctx context.Context, res snos.Result) error {
	b, err := json.Marshal(res)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		artifact.RunResult: string(b), artifact.PIE: "a PIE", artifact.ProgramOutput: "[]", artifact.DASegment: "[]",
	} {
		if err := w.artifacts.Put(ctx, w.meta.OutputPrefix+name, strings.NewReader(text)); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) process() {
	w.t.Helper()
	if err := w.Process(w.t.Context(), w.run); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) verify() job.Verdict {
	w.t.Helper()
	v, err := w.Verify(w.t.Context(), w.run)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// With buckets, processing closes the bucket, and the batch's artifacts are fetched from the prover.
func TestBucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, prover.Config{Capabilities: proof.Capabilities{Buckets: true}}, runner.Config{})
	w.process()
	w.process() // a repeated call closes nothing twice
	if v := w.verify(); v.Kind != job.VerdictVerified {
		t.Fatalf("verdict %q: %s", v.Kind, v.Reason)
	}
	for _, name := range []string{artifact.PIE, artifact.DASegment, artifact.ProgramOutput} {
		if _, err := w.artifacts.Stat(t.Context(), artifact.AggregatorKey(2, 0, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(w.runner.Runs()); n != 0 {
		t.Errorf("%d runs of our own", n)
	}
	if n := len(w.prover.Tasks()); n != 3 {
		t.Errorf("the prover has %d tasks, want two children and one aggregation", n)
	}
}

// A bucket's artifact that can't be read is looked at again, though the others can, and rejected only after many looks.
func TestCorruptBucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, prover.Config{Capabilities: proof.Capabilities{Buckets: true},
		File: func(_ prover.Task, a proof.Artifact) ([]byte, error) {
			if a == proof.ProgramOutput {
				return nil, artifact.ErrCorrupt
			}
			return []byte("P"), nil
		}}, runner.Config{})
	w.process()
	for look := 1; look < 8; look++ {
		if v := w.verify(); v.Kind != job.VerdictPending {
			t.Fatalf("look %d: verdict %q: %s", look, v.Kind, v.Reason)
		}
	}
	if v := w.verify(); v.Kind != job.VerdictRejected || !strings.Contains(v.Reason, "corrupt") {
		t.Errorf("after many looks: verdict %q: %s", v.Kind, v.Reason)
	}
}

// Without buckets, the aggregator program runs first, then its proof is requested over the children's tasks.
func TestOwnRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, prover.Config{}, runner.Config{Polls: 1})
	w.process()
	w.process()
	runs := w.runner.Runs()
	want := []string{artifact.SNOSKey(4, 0, artifact.ProgramOutput), artifact.SNOSKey(5, 0, artifact.ProgramOutput)}
	if len(runs) != 1 || cmp.Diff(want, runs[0].Task.Inputs) != "" || runs[0].Task.Kind != snos.Aggregate {
		t.Fatalf("runs %+v, want one over %q", runs, want)
	}
	if v := w.verify(); v.Kind != job.VerdictPending {
		t.Fatalf("while the run goes on: verdict %q", v.Kind)
	}
	if v := w.verify(); v.Kind != job.VerdictVerified || !w.meta.RunDone || !w.meta.Proven {
		t.Fatalf("verdict %q (%s), metadata %+v", v.Kind, v.Reason, w.meta)
	}
	ts := w.prover.Tasks()
	last := ts[len(ts)-1].Request
	if len(ts) != 3 || last.Kind != proof.Aggregation || last.Fact != "0xf" ||
		cmp.Diff(w.children, last.Children) != "" {
		t.Errorf("tasks %+v, want an aggregation over %q", ts, w.children)
	}
	w.process() // after a lost proof: nothing runs again
	if n := len(w.runner.Runs()); n != 1 {
		t.Errorf("%d runs after the proof was to be requested again, want 1", n)
	}
}

// One row for each way in which a run or the proof ends: the verdict, and what the next round does again.
func TestVerifyFailures(t *testing.T) {
	t.Parallel()
	other := func(w *world) {
		if err := w.write(t.Context(), snos.Result{Kind: snos.Aggregate, StartBlock: 1, EndBlock: 2}); err != nil {
			t.Fatal(err)
		}
	}
	rejects := func(task prover.Task) prover.Plan {
		if task.Request.Kind == proof.Aggregation {
			return prover.Plan{Reject: "no"}
		}
		return prover.Plan{}
	}
	loses := func(task prover.Task) prover.Plan {
		return prover.Plan{Polls: 1, Lose: task.Request.Kind == proof.Aggregation}
	}
	fails := func(kind snos.FailureKind) runner.Config {
		return runner.Config{Plan: func(snos.Task, int) runner.Plan { return runner.Plan{Failure: kind} }}
	}
	nothing := func(context.Context, snos.Task) error { return nil }
	for name, tt := range map[string]struct {
		prover   prover.Config
		runner   runner.Config
		change   func(*world)
		want     job.VerdictKind
		runAgain bool // with a new task
		askAgain bool // for a new proof
	}{
		"run interrupted":   {prover.Config{}, fails(snos.Interrupted), nil, job.VerdictLost, true, false},
		"run out of memory": {prover.Config{}, fails(snos.OutOfMemory), nil, job.VerdictRejected, true, false},
		"artifacts are missing": {prover.Config{}, runner.Config{Execute: nothing}, nil,
			job.VerdictRejected, true, false},
		"run of other blocks": {prover.Config{}, runner.Config{Execute: nothing}, other,
			job.VerdictRejected, true, false},
		"the prover rejects": {prover.Config{Plan: rejects}, runner.Config{}, nil,
			job.VerdictRejected, false, true},
		"the prover has lost it": {prover.Config{Plan: loses}, runner.Config{}, nil, job.VerdictLost, false, false},
		"the runner has lost it": {prover.Config{}, runner.Config{},
			func(w *world) { w.runner.Forget(w.meta.RunHandle) }, job.VerdictLost, false, false},
		"the proof takes a while": {prover.Config{Polls: 1}, runner.Config{}, nil, job.VerdictPending, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.prover, tt.runner)
			w.process()
			if tt.change != nil {
				tt.change(w)
			}
			v := w.verify()
			for range 2 {
				if tt.want != job.VerdictPending && v.Kind == job.VerdictPending { // a plan with polls
					v = w.verify()
				}
			}
			if v.Kind != tt.want {
				t.Errorf("verdict %q (%s), want %q", v.Kind, v.Reason, tt.want)
			}
			if (w.meta.RunTaskID == "") != tt.runAgain {
				t.Errorf("the next run's task is %q, want a new one: %t", w.meta.RunTaskID, tt.runAgain)
			}
			if w.meta.RunDone && (w.meta.DedupID == "") != tt.askAgain {
				t.Errorf("the next request's dedup id is %q, want a new one: %t", w.meta.DedupID, tt.askAgain)
			}
			if tt.want == job.VerdictLost && w.meta.RunDone && w.meta.Task != "" {
				t.Errorf("the lost task %q is asked for again", w.meta.Task)
			}
		})
	}
}

// A closed bucket that the prover does not know fails for good; a runner that is busy is asked again.
func TestProcessFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, prover.Config{Capabilities: proof.Capabilities{Buckets: true}}, runner.Config{})
	w.meta.Bucket = "none"
	if err := w.Process(t.Context(), w.run); !job.IsPermanent(err) {
		t.Errorf("unknown bucket: %v, want a permanent failure", err)
	}
	busy := newWorld(t, prover.Config{}, runner.Config{Capacity: 1, Polls: 9})
	if _, err := busy.runner.Submit(t.Context(), snos.Task{Kind: snos.Run, ID: "another"}); err != nil {
		t.Fatal(err)
	}
	if err := busy.Process(t.Context(), busy.run); err == nil || job.IsPermanent(err) {
		t.Errorf("busy runner: %v, want a transient failure", err)
	}
}

// A batch that was begun with another prover waits, and nothing is run or asked for. It goes on when the setting is
// back.
func TestOtherProver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		buckets bool // of the prover that it was begun with
		now     proof.Capabilities
		named   bool // in the job
		waits   bool
	}{
		"buckets, then without":                 {true, proof.Capabilities{Name: "other"}, true, true},
		"buckets, then without, not recorded":   {true, proof.Capabilities{Name: "other"}, false, true},
		"no buckets, then with":                 {false, proof.Capabilities{Name: "other", Buckets: true}, true, true},
		"no buckets, then with, not recorded":   {false, proof.Capabilities{Name: "other", Buckets: true}, false, true},
		"no buckets, then another without":      {false, proof.Capabilities{Name: "other"}, true, true},
		"buckets, other capabilities otherwise": {true, proof.Capabilities{Name: "ours", Buckets: true}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, prover.Config{Capabilities: proof.Capabilities{Name: "ours", Buckets: tt.buckets}},
				runner.Config{})
			if tt.named {
				w.meta.Prover = "ours"
			}
			other := prover.New(nil, prover.Config{Capabilities: tt.now})
			if tt.waits {
				w.Handler.Prover = other
				var e *proof.OtherProverError
				err := w.Process(t.Context(), w.run)
				if !errors.As(err, &e) || job.IsPermanent(err) || !strings.Contains(err.Error(), "PROVER_KIND") {
					t.Errorf("processing: %v, want it to wait", err)
				}
				if v, err := w.Verify(t.Context(), w.run); !errors.As(err, &e) || job.IsPermanent(err) {
					t.Errorf("verification: %v, %v, want it to wait", v, err)
				}
				if w.meta.RunTaskID != "" || w.meta.Task != "" || len(other.Tasks()) != 0 {
					t.Errorf("asked for: %+v, %d tasks", w.meta, len(other.Tasks()))
				}
				w.Handler.Prover = w.prover
			}
			w.process()
		})
	}
}
