package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
)

// shown is how much of an unreadable message an alert shows, in bytes.
const shown = 200

// DeadLetter handles a dead letter: a message that was delivered as often as its queue allows. A job that keeps
// crashing its function fails; anything else lost only a hint, which reconcile gives again. A message that nobody can
// read is shown to the operators.
func (w *Executor) DeadLetter(ctx context.Context, messageID, body string) error {
	if wakeup, ok, err := schedule.Decode([]byte(body)); ok && err == nil {
		return w.warn(ctx, "dead-letter/stage/"+string(wakeup.Stage),
			fmt.Sprintf("The trigger worker of %s keeps failing", wakeup.Stage),
			fmt.Sprintf("A wake-up of %s failed as often as its queue allows. The schedule runs it again. Look at "+
				"the trigger function's errors.", wakeup.Stage))
	}
	m, err := job.DecodeMessage(body)
	if err != nil {
		return w.warn(ctx, "dead-letter/unreadable", "A message could not be read",
			fmt.Sprintf("Message %s: %v. It begins %.*q. No job was changed.", messageID, err, shown, body))
	}
	j, err := w.Jobs.Get(ctx, m.JobID)
	if errors.Is(err, job.ErrNotFound) {
		return w.warn(ctx, "dead-letter/unknown", "A message is about an unknown job",
			fmt.Sprintf("Message %s asks to %s job %s, which does not exist. No job was changed.",
				messageID, m.Action, m.JobID))
	}
	if err != nil {
		return fmt.Errorf("read job %s of dead letter %s: %w", m.JobID, messageID, err)
	}
	next, failed := j.DeadLettered(m, w.Now(), w.Policies[j.Type])
	if failed {
		return w.store(ctx, j, next)
	}
	w.log().WarnContext(ctx, "dead letter changes nothing: the job's document knows what is next",
		"job_id", j.ID, "job_type", j.Type, "status", string(j.Status), "message_id", messageID)
	return nil
}

func (w *Executor) warn(ctx context.Context, key, title, detail string) error {
	err := w.Alerts.Raise(ctx, alert.Cause{Severity: alert.Warning, Key: key, Title: title, Detail: detail})
	if err != nil {
		return fmt.Errorf("alert of a dead letter: %w", err)
	}
	w.log().WarnContext(ctx, "dead letter", "title", title, "detail", detail) // each of them; the alert names the first
	return nil
}
