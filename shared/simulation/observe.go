package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Done says whether the contract is at the last block, and the last batch is settled for good and archived.
func (w *World) Done(ctx context.Context, last uint64) (bool, error) {
	s, err := w.L1.State(ctx, true)
	if err != nil || !s.Settled || s.Block < last || w.RewindUnderWay() {
		return false, err
	}
	if w.cfg.Layer == stage.L2 {
		b, err := w.Batches.LastAggregator(ctx)
		if err != nil || b.Status != batch.Archived {
			return false, ignore(err, batch.ErrNotFound)
		}
	} else {
		b, err := w.Batches.LastSnos(ctx)
		if err != nil || b.Status != batch.Archived {
			return false, ignore(err, batch.ErrNotFound)
		}
	}
	// One state update may have timed out while those behind it were on their way and settled: an operator retries it.
	waiting, err := w.Jobs.Count(ctx, job.StateTransition, job.Unfinished(), 1)
	for _, n := range waiting {
		if n > 0 {
			return false, err
		}
	}
	return err == nil, err
}

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}

// storyLines is how much of what happened is kept.
const storyLines = 60

// narrate adds a line to the story.
func (w *World) narrate(format string, args ...any) {
	if len(w.story) == storyLines {
		w.story = slices.Delete(w.story, 0, 1)
	}
	w.story = append(w.story,
		fmt.Sprintf("step %d %s ", w.Steps, w.now.Format("Jan 2 15:04:05"))+fmt.Sprintf(format, args...))
}

// Story is what happened last: transitions of jobs, processes that ended, what the world around did.
func (w *World) Story() string { return strings.Join(w.story, "\n") }

// chapter is a job's line in the story.
func chapter(j job.Job) string {
	line := fmt.Sprintf("%s %d is %s, next %q, %s", j.Type, j.Batch, j.Status, j.NextAction, j.Reason())
	for _, r := range recorded(j) {
		line += fmt.Sprintf(" [%.8s nonce %d]", r.Hash, r.Nonce)
	}
	return line
}

// Describe lists what stands where, for a failed test.
func (w *World) Describe(ctx context.Context) string {
	var b strings.Builder
	s, err := w.L1.State(ctx, false)
	fmt.Fprintf(&b, "contract %+v %v\n", s, err)
	for _, t := range job.Types {
		js, err := w.Jobs.List(ctx, job.Filter{Type: t, Limit: job.MaxPage})
		if err != nil {
			fmt.Fprintf(&b, "%s: %v\n", t, err)
		}
		for _, j := range js {
			if j.Status != job.Completed || j.NextAction != job.None {
				fmt.Fprintf(&b, "%s %d: %s, next %q due %v (now %v), %+v, %q\n",
					t, j.Batch, j.Status, j.NextAction, j.DueAt, w.now, j.Attempts, j.Reason())
			}
		}
	}
	a, err := w.Batches.LastAggregator(ctx)
	fmt.Fprintf(&b, "last aggregator batch %d %s %v\n", a.Index, a.Status, err)
	sn, err := w.Batches.LastSnos(ctx)
	fmt.Fprintf(&b, "last SNOS batch %d %s %v\n", sn.Index, sn.Status, err)
	for n, f := range w.Faults {
		if n > 10 {
			break
		}
		fmt.Fprintf(&b, "fault: %v\n", f)
	}
	return b.String()
}
