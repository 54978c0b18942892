package executor_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric/metrictest"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// batchTrace is the trace of the world's batch.
const batchTrace = "0af7651916cd43dd8448eb211c80319c"

// A job's way through a stage is measured: its time in the queue, each attempt by outcome, the whole; and its spans
// hang together although each attempt is another invocation.
func TestMeasured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var r metrictest.Recorder
	ctx := metric.With(t.Context(), &r)
	j := w.create(func(j job.Job) job.Job { j.TraceID = batchTrace; return j })
	w.now = start.Add(7 * time.Second)
	w.handler.process = func(*executor.Run) error {
		w.now = w.now.Add(3 * time.Second)
		return nil
	}
	for range 2 { // it is processed, then verified
		if err := w.Handle(ctx, w.stored(j.ID).Wakeup()); err != nil {
			t.Fatal(err)
		}
		w.now = w.stored(j.ID).DueAt
	}
	var got []string
	for _, v := range r.Values() {
		got = append(got,
			fmt.Sprintf("%s %s%s %.0f", v.Name, v.Labels[metric.Action], v.Labels[metric.Outcome], v.Value))
	}
	want := []string{
		"QueueSeconds process 7", "AttemptSeconds process 3", "Attempts processsubmitted 1",
		"QueueSeconds verify 0", "StageSeconds  25", "AttemptSeconds verify 0", "Attempts verifyverified 1",
	}
	want[4] = fmt.Sprintf("StageSeconds  %.0f", w.stored(j.ID).EndedAt.Sub(start).Seconds())
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("values, wanted (-) and measured (+):\n%s", d)
	}
	var spans []string
	for _, s := range r.Spans() {
		if s.Trace != batchTrace {
			t.Errorf("span %s is of trace %s", s.Name, s.Trace)
		}
		spans = append(spans, s.Name+" below "+s.Parent)
	}
	below := " below " + metric.JobSpan(j.ID)
	if d := cmp.Diff([]string{"process" + below,
		"ProofCreation of SNOS batch 7 below " + metric.BatchSpan(batchTrace), "verify" + below}, spans); d != "" {
		t.Errorf("spans, wanted (-) and made (+):\n%s", d)
	}
}

// Each failure has one cause of a closed list, whatever its text says.
func TestCauses(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for cause, err := range map[string]error{
		metric.Timeout:    fmt.Errorf("ask: %w", context.DeadlineExceeded),
		metric.Connection: fmt.Errorf("ask: %w", refused),
		metric.Fees:       fmt.Errorf("x: %w", tx.ErrFeeCap),
		metric.Funds:      fmt.Errorf("x: %w", tx.ErrInsufficientFunds),
		metric.Contract:   &tx.RevertError{},
		metric.Artifact:   job.Permanent(artifact.ErrNotFound),
		metric.Awaited: executor.Await(alert.Cause{Key: executor.AwaitingPrefix + "x"}, time.Minute,
			errors.New("x")),
		metric.Other: errors.New("timeout connection refused"),
	} {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var r metrictest.Recorder
			w.handler.process = func(*executor.Run) error { return err }
			if err := w.Handle(metric.With(t.Context(), &r), w.create(nil).Wakeup()); err != nil {
				t.Fatal(err)
			}
			if vs := r.Of(metric.Failures); len(vs) != 1 || vs[0].Labels[metric.Cause] != cause {
				t.Errorf("measured %v, want cause %s", vs, cause)
			}
		})
	}
	w := newWorld(t)
	var r metrictest.Recorder
	w.handler.process = func(*executor.Run) error { panic("x") }
	if err := w.Handle(metric.With(t.Context(), &r), w.create(nil).Wakeup()); err != nil {
		t.Fatal(err)
	}
	if vs := r.Of(metric.Failures); len(vs) != 1 || vs[0].Labels[metric.Cause] != metric.Crash {
		t.Errorf("a panic: %v", vs)
	}
}

// A long wait for others counts as no failure: the first real failure after it alerts nobody.
func TestAwaitIsNoFailure(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.service.err = func(job.Job) error {
		return executor.Await(alert.Cause{Key: executor.AwaitingPrefix + "x", Severity: alert.Critical,
			Title: "It waits"}, time.Minute, errors.New("not changed yet"))
	}
	b.pass(5 * time.Hour)
	b.service.err = func(job.Job) error { return errors.New("connection refused") }
	b.pass(5 * time.Minute)
	if got := b.titles(); strings.Contains(got, "keeps failing") {
		t.Errorf("alerts: %s", got)
	}
}
