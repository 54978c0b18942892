// Package budget bounds how long a worker that works off a backlog goes on in one run.
package budget

import (
	"context"
	"time"
)

// Most is after how long no further piece of work is begun.
const Most = 45 * time.Second

// Budget is the time of one run.
type Budget struct {
	now func() time.Time
	end time.Time
}

// Begin returns the budget of a run that begins now: Most, and at most half of what is left of the context's time. So a
// worker that runs behind another one in the same invocation has as much again.
func Begin(ctx context.Context, now func() time.Time) Budget {
	d := Most
	if deadline, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(deadline)/2)
	}
	return Budget{now: now, end: now().Add(d)}
}

// Spent says that no further piece of work may be begun: the next run goes on.
func (b Budget) Spent() bool { return !b.now().Before(b.end) }
