package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// Ended makes the poll of a job that waits for work of others at once, because somebody outside says that the work has
// ended. It is a hint: what the job waits for is asked as at any poll.
func (w *Executor) Ended(ctx context.Context, t job.Type, batch uint64) error {
	j, err := w.Jobs.Find(ctx, t, batch)
	if errors.Is(err, job.ErrNotFound) {
		return nil // another deployment's
	}
	if err != nil {
		return fmt.Errorf("find the %s job of batch %d, whose work has ended: %w", t, batch, err)
	}
	next, ok := j.RunNow(job.Verify, w.Now(), true)
	if !ok || j.Status != job.PendingVerification {
		return nil
	}
	stored, err := w.Jobs.Update(ctx, next)
	if taken(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the poll of job %s due: %w", j.ID, err)
	}
	return w.Handle(ctx, stored.Wakeup())
}
