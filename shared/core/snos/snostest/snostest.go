// Package snostest is the conformance suite of snos.Runner.
package snostest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// Harness is a runner and what the suite may ask of it.
type Harness struct {
	Runner snos.Runner
	// Task returns a task that succeeds. tasks differ by number: their output prefixes differ. The suite sets the ID.
	Task func(number int) snos.Task
	// Bad, when set, returns a task that the program refuses, so that it ends as Failed with this kind.
	Bad     func(number int) snos.Task
	BadKind snos.FailureKind
	// Artifacts is the store that the runner writes to; nil for a runner that writes nothing.
	Artifacts artifact.Store
	// Cancelable says whether the runner does I/O, so that an ended context must make it fail.
	Cancelable bool
	// Timeout bounds one run, a minute where unset.
	Timeout time.Duration
}

// TestRunner tests a runner by the contract of snos.Runner.
func TestRunner(t *testing.T, h Harness) {
	t.Helper()
	if h.Timeout == 0 {
		h.Timeout = time.Minute
	}
	for i, c := range []struct {
		name string
		run  func(*testing.T, context.Context, Harness, int)
	}{
		{"RunsToItsEnd", testRuns}, {"SameIDIsOneRun", testSameID}, {"ConcurrentSubmits", testConcurrent},
		{"AnotherIDRunsAgain", testAnother}, {"UnknownIsLost", testUnknown}, {"CancelIsHarmless", testCancel},
		{"StatusReturnsFailure", testBad}, {"HonoursContext", testContext}, {"Ping", testPing},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), h.Timeout)
			defer cancel()
			c.run(t, ctx, h, 100*(i+1))
		})
	}
}

// submit starts a task, waiting while the runner is busy.
func submit(t *testing.T, ctx context.Context, h Harness, task snos.Task) string {
	t.Helper()
	for {
		handle, err := h.Runner.Submit(ctx, task)
		if err == nil {
			return handle
		}
		if !errors.Is(err, snos.ErrBusy) {
			t.Fatalf("submit %s: %v", task.ID, err)
		}
		if err := tick(ctx); err != nil {
			t.Fatalf("runner stays busy: %v", err)
		}
	}
}

func tick(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(5 * time.Millisecond):
		return nil
	}
}

// await asks until the run has ended.
func await(t *testing.T, ctx context.Context, h Harness, handle string) snos.Progress {
	t.Helper()
	for {
		p, err := h.Runner.Status(ctx, handle)
		if err != nil {
			t.Fatalf("status of %s: %v", handle, err)
		}
		switch p.State {
		case snos.Succeeded, snos.Failed, snos.Lost:
			return p
		case snos.Queued, snos.Running:
		default:
			t.Fatalf("status of %s is %q", handle, p.State)
		}
		if err := tick(ctx); err != nil {
			t.Fatalf("run %s stays %s: %v", handle, p.State, err)
		}
	}
}

func task(h Harness, number int) snos.Task {
	x := h.Task(number)
	x.ID = fmt.Sprintf("conformance-%s-%d", x.Kind, number)
	return x
}

func testRuns(t *testing.T, ctx context.Context, h Harness, n int) {
	x := task(h, n)
	handle := submit(t, ctx, h, x)
	if handle == "" {
		t.Error("the handle is empty")
	}
	if p := await(t, ctx, h, handle); p.State != snos.Succeeded || p.Failure != "" {
		t.Fatalf("run ended as %+v", p)
	}
	if p, err := h.Runner.Status(ctx, handle); err != nil || p.State != snos.Succeeded {
		t.Errorf("a second question gives %+v, %v", p, err)
	}
	checkArtifacts(t, ctx, h, x)
}

// checkArtifacts reads what a finished run must have written.
func checkArtifacts(t *testing.T, ctx context.Context, h Harness, x snos.Task) {
	t.Helper()
	if h.Artifacts == nil {
		return
	}
	b, err := artifact.ReadAll(ctx, h.Artifacts, x.OutputPrefix+artifact.RunResult, 1<<16)
	if err != nil {
		t.Fatalf("read result: %v", err)
	}
	var r snos.Result
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatalf("result: %v", err)
	}
	if r.Kind != x.Kind || r.StartBlock != x.StartBlock || r.EndBlock != x.EndBlock || r.ProgramHash.IsZero() {
		t.Errorf("result %+v of task %+v", r, x)
	}
	if info, err := h.Artifacts.Stat(ctx, x.OutputPrefix+artifact.PIE); err != nil || info.Size == 0 {
		t.Errorf("PIE: %+v, %v", info, err)
	}
	if words, err := artifact.ReadFelts(ctx, h.Artifacts, x.OutputPrefix+artifact.ProgramOutput, 1<<20); err != nil ||
		len(words) < 10 {
		t.Errorf("program output has %d words, %v", len(words), err)
	}
	if x.Kind == snos.Aggregate {
		if words, err := artifact.ReadFelts(ctx, h.Artifacts, x.OutputPrefix+artifact.DASegment, 1<<20); err != nil ||
			len(words) == 0 {
			t.Errorf("DA segment has %d words, %v", len(words), err)
		}
	}
}

func testSameID(t *testing.T, ctx context.Context, h Harness, n int) {
	x := task(h, n)
	first := submit(t, ctx, h, x)
	await(t, ctx, h, first)
	var before artifact.Info
	if h.Artifacts != nil {
		var err error
		if before, err = h.Artifacts.Stat(ctx, x.OutputPrefix+artifact.RunResult); err != nil {
			t.Fatal(err)
		}
	}
	if second := submit(t, ctx, h, x); second != first {
		t.Errorf("the same ID gives handles %q and %q", first, second)
	}
	if p := await(t, ctx, h, first); p.State != snos.Succeeded {
		t.Errorf("run ended as %+v after it was submitted again", p)
	}
	if h.Artifacts == nil {
		return
	}
	after, err := h.Artifacts.Stat(ctx, x.OutputPrefix+artifact.RunResult)
	if err != nil || !after.Modified.Equal(before.Modified) {
		t.Errorf("the run was made again: result of %v, then of %v, %v", before.Modified, after.Modified, err)
	}
}

func testConcurrent(t *testing.T, ctx context.Context, h Harness, n int) {
	x := task(h, n)
	handles := make([]string, 6)
	var wg sync.WaitGroup
	for i := range handles {
		wg.Go(func() { handles[i] = submit(t, ctx, h, x) })
	}
	other := task(h, n+1)
	otherHandle := submit(t, ctx, h, other)
	wg.Wait()
	for _, got := range handles {
		if got != handles[0] || got == otherHandle {
			t.Errorf("handles %q of one task and %q of another", handles, otherHandle)
		}
	}
	for _, handle := range []string{handles[0], otherHandle} {
		if p := await(t, ctx, h, handle); p.State != snos.Succeeded {
			t.Errorf("run %s ended as %+v", handle, p)
		}
	}
	checkArtifacts(t, ctx, h, x)
	checkArtifacts(t, ctx, h, other)
}

// testAnother: a new attempt runs although the one before it left its files.
func testAnother(t *testing.T, ctx context.Context, h Harness, n int) {
	x := task(h, n)
	first := submit(t, ctx, h, x)
	await(t, ctx, h, first)
	if h.Artifacts != nil { // the attempt before left a broken file
		if err := h.Artifacts.Delete(ctx, x.OutputPrefix+artifact.PIE); err != nil {
			t.Fatal(err)
		}
	}
	x.ID += "-again"
	second := submit(t, ctx, h, x)
	if second == first {
		t.Errorf("another ID gives the same handle %q", first)
	}
	if p := await(t, ctx, h, second); p.State != snos.Succeeded {
		t.Errorf("run ended as %+v", p)
	}
	checkArtifacts(t, ctx, h, x)
}

func testUnknown(t *testing.T, ctx context.Context, h Harness, _ int) {
	for _, handle := range []string{"nobody-knows-this", "", "a@b", "../../etc/passwd", "x@../"} {
		if p, err := h.Runner.Status(ctx, handle); err != nil || p.State != snos.Lost {
			t.Errorf("status of unknown %q is %+v, %v; want lost and no error", handle, p, err)
		}
		if err := h.Runner.Cancel(ctx, handle); err != nil {
			t.Errorf("cancel of unknown %q: %v", handle, err)
		}
	}
}

func testCancel(t *testing.T, ctx context.Context, h Harness, n int) {
	handle := submit(t, ctx, h, task(h, n))
	await(t, ctx, h, handle)
	if err := h.Runner.Cancel(ctx, handle); err != nil {
		t.Errorf("cancel of an ended run: %v", err)
	}
	if p := await(t, ctx, h, handle); p.State != snos.Succeeded {
		t.Errorf("canceling an ended run made it %+v", p)
	}
}

func testBad(t *testing.T, ctx context.Context, h Harness, n int) {
	if h.Bad == nil {
		t.Skip("the harness has no task that fails")
	}
	x := h.Bad(n)
	x.ID = fmt.Sprintf("conformance-bad-%d", n)
	p := await(t, ctx, h, submit(t, ctx, h, x))
	if p.State != snos.Failed || p.Failure != h.BadKind || p.Detail == "" {
		t.Errorf("run ended as %+v, want failed with %s and a detail", p, h.BadKind)
	}
	if h.Artifacts != nil {
		if _, err := h.Artifacts.Stat(ctx, x.OutputPrefix+artifact.RunResult); !errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("a failed run has a result: %v", err)
		}
	}
}

func testContext(t *testing.T, ctx context.Context, h Harness, n int) {
	if !h.Cancelable {
		t.Skip("the runner does no I/O")
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	x := task(h, n)
	if _, err := h.Runner.Submit(ended, x); !errors.Is(err, context.Canceled) {
		t.Errorf("submit in an ended context: %v", err)
	}
	if p := await(t, ctx, h, submit(t, ctx, h, x)); p.State != snos.Succeeded {
		t.Errorf("run after an interrupted submit ended as %+v", p)
	}
}

func testPing(t *testing.T, ctx context.Context, h Harness, _ int) {
	if err := h.Runner.Ping(ctx); err != nil {
		t.Errorf("ping: %v", err)
	}
}
