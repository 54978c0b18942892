package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/lru"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// cached says how many reads of the app chain's blocks the caches answered.
func cached(c lru.Counts) string {
	text := fmt.Sprintf("%d of %d reads of blocks were in memory", c.Hits, c.Reads)
	if c.BehindReads > 0 {
		text += fmt.Sprintf(", %d of the other %d in Redis", c.BehindHits, c.BehindReads)
	}
	return text
}

// finished says whether the contract holds the last block and its job is completed, or in a dry run whether only
// sending is left. A failed job is an end too.
func finished(ctx context.Context, o options, core setup.App, a *appChain, l *settlementLayer) (bool, error) {
	for _, t := range job.Types {
		if o.api != "" {
			break // the operator retries it
		}
		n, err := core.Jobs.Count(ctx, t, []job.Status{job.Failed, job.VerificationTimeout}, 1)
		if err != nil {
			return false, err
		}
		for s, count := range n {
			if count > 0 {
				return false, fmt.Errorf("a %s job is %s: %w", t, s, errEnded)
			}
		}
	}
	if o.dryRun {
		js, err := core.Jobs.List(ctx, job.Filter{Type: job.StateTransition, Limit: 1})
		if err != nil || len(js) == 0 {
			return false, err
		}
		m, ok := js[0].Metadata.(*job.StateTransitionMeta)
		return ok && m.DryRun, nil
	}
	s, err := l.contract.State(ctx, false)
	if err != nil || !s.Settled || s.Block < a.last {
		return false, err
	}
	rs, err := report.Rows(ctx, core.Batches, o.layer)
	if err != nil || len(rs) == 0 {
		return false, err
	}
	last := rs[len(rs)-1]
	return last.Ledger.Tx != "" || last.Status == batch.Completed, nil
}

// summarize prints what happened.
func summarize(ctx context.Context, o options, core setup.App, a *appChain, l *settlementLayer, p *devlambda.Platform,
	w, result io.Writer, began time.Time, ok bool) error {
	fmt.Fprintln(w)
	rs, err := report.Rows(ctx, core.Batches, o.layer)
	if err != nil {
		return err
	}
	report.Table(w, rs, o.layer, l.unit)
	invocations, failures := p.Counts()
	fmt.Fprintf(w, "%d invocations, %d redeliveries; %.1f s in all\n\n",
		invocations, failures, time.Since(began).Seconds())
	if o.json {
		if err := report.JSON(result, rs, l.unit, ok); err != nil {
			return err
		}
	}
	a.printNotes(func(f string, args ...any) { fmt.Fprintf(w, f+"\n", args...) })
	switch {
	case !ok:
		return nil
	case o.dryRun:
		fmt.Fprintln(w, "dry run    everything is ready to be sent; nothing was")
		return wouldSend(ctx, core, l.unit, w)
	}
	head, err := a.head(ctx)
	if err != nil {
		return err
	}
	return report.Check(ctx, w, l.contract, head)
}
