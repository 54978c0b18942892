package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault/faulttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos/snostest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/runner"
)

// write writes the artifacts of a run.
func write(ctx context.Context, s artifact.Store, t snos.Task) error {
	result, err := json.Marshal(
		snos.Result{Kind: t.Kind, StartBlock: t.StartBlock, EndBlock: t.EndBlock, ProgramHash: felt.FromUint64(1)})
	if err != nil {
		return err
	}
	words := make([]felt.Felt, 12)
	return errors.Join(
		s.Put(ctx, t.OutputPrefix+artifact.PIE, bytes.NewReader([]byte("PIE"))),
		artifact.WriteFelts(ctx, s, t.OutputPrefix+artifact.ProgramOutput, words),
		artifact.WriteFelts(ctx, s, t.OutputPrefix+artifact.DASegment, words),
		s.Put(ctx, t.OutputPrefix+artifact.RunResult, bytes.NewReader(result)),
	)
}

func TestRunner(t *testing.T) {
	t.Parallel()
	for _, kind := range []snos.Kind{snos.Run, snos.Aggregate} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			store := memory.NewArtifacts(nil)
			task := func(n int) snos.Task {
				return snos.Task{Kind: kind, Batch: uint64(n), StartBlock: 1, EndBlock: 2,
					OutputPrefix: fmt.Sprintf("%s/%d/", kind, n)}
			}
			snostest.TestRunner(t, snostest.Harness{
				Runner: runner.New(nil, runner.Config{
					Polls: 3,
					Execute: func(ctx context.Context, x snos.Task) error {
						if x.UseBackup {
							return &runner.Error{Kind: snos.Rejected, Detail: "no such block"}
						}
						return write(ctx, store, x)
					},
				}),
				Task: task,
				Bad: func(n int) snos.Task {
					x := task(n)
					x.UseBackup = true
					return x
				},
				BadKind: snos.Rejected, Artifacts: store, Cancelable: true,
			})
		})
	}
}

func TestRunner_Plan(t *testing.T) {
	t.Parallel()
	plans := map[string]runner.Plan{
		"slow": {Polls: 2}, "lost": {Polls: 1, Lose: true},
		"big": {Failure: snos.OutOfMemory, Detail: "killed"},
	}
	r := runner.New(nil, runner.Config{
		Capacity: 2, Plan: func(x snos.Task, _ int) runner.Plan { return plans[x.ID] },
	})
	for _, c := range []struct {
		id   string
		want []snos.State
	}{
		{"slow", []snos.State{snos.Queued, snos.Running, snos.Succeeded, snos.Succeeded}},
		{"lost", []snos.State{snos.Queued, snos.Lost, snos.Lost}},
		{"big", []snos.State{snos.Failed}},
	} {
		handle := faulttest.Must(r.Submit(t.Context(), snos.Task{ID: c.id}))(t)
		for i, want := range c.want {
			if got := faulttest.Must(r.Status(t.Context(), handle))(t); got.State != want {
				t.Errorf("%s: question %d is answered %+v, want %s", c.id, i, got, want)
			}
		}
	}
	for i, want := range []error{nil, nil, snos.ErrBusy} {
		if _, err := r.Submit(t.Context(), snos.Task{ID: fmt.Sprint(i)}); !errors.Is(err, want) {
			t.Errorf("submit %d of 2 at a time: %v, want %v", i, err, want)
		}
	}
	runs := r.Runs()
	if len(runs) != 5 || runs[1].Progress.State != snos.Lost {
		t.Errorf("runs %+v", runs)
	}
	if err := r.Cancel(t.Context(), runs[3].Handle); err != nil {
		t.Error(err)
	}
	if p := faulttest.Must(r.Status(t.Context(), runs[3].Handle))(t); p.State != snos.Failed ||
		p.Failure != snos.Interrupted {
		t.Errorf("a canceled run is %+v", p)
	}
	r.Forget(runs[4].Handle)
	if again := faulttest.Must(r.Submit(t.Context(), snos.Task{ID: "1"}))(t); again == runs[4].Handle {
		t.Errorf("a forgotten run is still %s", again)
	}
}

func TestRunner_StoreFails(t *testing.T) {
	t.Parallel()
	env, _ := faulttest.Env(
		fault.Rule{Component: "artifacts", Method: "Put", Fault: fault.Fault{Kind: fault.FailBefore}})
	store := memory.NewArtifacts(env)
	r := runner.New(env,
		runner.Config{Execute: func(ctx context.Context, x snos.Task) error { return write(ctx, store, x) }})
	for i, want := range []snos.State{snos.Failed, snos.Succeeded} {
		handle := faulttest.Must(r.Submit(t.Context(), snos.Task{ID: fmt.Sprint(i)}))(t)
		if p := faulttest.Must(r.Status(t.Context(), handle))(t); p.State != want {
			t.Errorf("run %d is %+v, want %s", i, p, want)
		}
	}
}
