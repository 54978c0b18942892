package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// shown is how much of an unreadable message an alert shows, in bytes.
const shown = 200

// DeadLetter handles a dead letter: a message that was delivered as often as its queue allows. A job that keeps
// crashing its function fails; anything else lost only a hint, which reconcile gives again. A message that nobody can
// read, or that names no job of ours, is shown to the operators.
func (w *Executor) DeadLetter(ctx context.Context, messageID, body string) error {
	if wakeup, ok, err := schedule.Decode([]byte(body)); ok && err == nil {
		return w.warn(ctx, "dead-letter/stage/"+string(wakeup.Stage),
			fmt.Sprintf("The trigger worker of %s keeps failing", wakeup.Stage),
			fmt.Sprintf("A wake-up of %s failed as often as its queue allows. The schedule runs it again. Look at "+
				"the trigger function's errors.", wakeup.Stage))
	}
	if _, _, ok, err := snos.DecodeEnded(body); ok && err == nil {
		w.log().WarnContext(ctx, "dead letter changes nothing: a poll finds the end of the run",
			"message_id", messageID)
		return nil
	}
	m, err := job.DecodeMessage(body)
	if err != nil {
		return w.warn(ctx, "dead-letter/unreadable", "A message could not be read",
			fmt.Sprintf("Message %s: %v. It begins %q. No job was changed.", messageID, err, redact.Text(body, shown)))
	}
	j, err := w.Jobs.Get(ctx, m.JobID)
	switch {
	case errors.Is(err, job.ErrNotFound):
		if err := w.missing(ctx, m, err); err == nil || !errors.Is(err, job.ErrNotFound) {
			return err
		}
		return w.unknown(ctx, messageID, m, "no job has this id")
	case err != nil:
		return fmt.Errorf("read job %s of dead letter %s: %w", m.JobID, messageID, err)
	case j.Type != m.Type:
		return w.unknown(ctx, messageID, m, fmt.Sprintf("the job with this id is a %s job", j.Type))
	}
	if discarded, err := w.discarded(ctx, j); err != nil || discarded {
		return err
	}
	next, failed := j.DeadLettered(m, w.Now(), w.Policies[j.Type])
	if failed {
		return w.store(ctx, j, next)
	}
	w.log().WarnContext(ctx, "dead letter changes nothing: the job's document knows what is next",
		"job_id", j.ID, "job_type", j.Type, "status", string(j.Status), "message_id", messageID)
	return nil
}

// unknown alerts of a message about a job that this deployment does not have.
func (w *Executor) unknown(ctx context.Context, messageID string, m job.Message, why string) error {
	return w.warn(ctx, "dead-letter/unknown", "A message is about an unknown job",
		fmt.Sprintf("Message %s asks to %s the %s job %s, which does not exist: %s. No job was changed.",
			messageID, m.Action, m.Type, m.JobID, why))
}

func (w *Executor) warn(ctx context.Context, key, title, detail string) error {
	err := w.Alerts.Raise(ctx, alert.Cause{Severity: alert.Warning, Key: key, Title: title, Detail: detail})
	if err != nil {
		return fmt.Errorf("alert of a dead letter: %w", err)
	}
	w.log().WarnContext(ctx, "dead letter", "title", title, "detail", detail) // each of them; the alert names the first
	return nil
}
