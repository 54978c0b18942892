package admin

import (
	"fmt"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// Level says how a chain's settlement stands.
type Level string

// The levels, from the best to the worst.
const (
	Settled Level = "settled" // everything is
	Working Level = "working" // it goes on by itself
	Waiting Level = "waiting" // something outside fails; it is tried again by itself
	Blocked Level = "blocked" // a person is needed
)

// Levels are all levels.
var Levels = []Level{Settled, Working, Waiting, Blocked}

// Verdict says in a sentence what blocks settlement, and what acts on it.
type Verdict struct {
	Level Level  `json:"level"`
	Text  string `json:"text"`
	// Command is what an operator types to act on it, or to learn more; "" where nothing is to be done.
	Command string `json:"command,omitempty"`
	JobID   string `json:"job_id,omitempty"` // which a retry would start again
	Stage   string `json:"stage,omitempty"`  // which a resume would let go on
}

// verdict weighs the facts: the worst one is said.
func (s *Service) verdict(f *facts) Verdict {
	l := &f.lag
	for _, weigh := range []func(*facts) (Verdict, bool){s.unreadable, s.rewinding, s.needsOperator,
		s.pausedStage, s.reported, s.outside} {
		if v, ok := weigh(f); ok {
			return v
		}
	}
	if l.FeeWait != nil {
		return Verdict{Level: Working, Text: fmt.Sprintf("%s of %s%s is ready. %s", l.Blocking.Type,
			l.Blocking.BatchName, f.span, l.Blocking.Hint)}
	}
	if l.Blocking != nil {
		return Verdict{Level: Working, Text: s.sentence(f) + " " + l.Blocking.Hint}
	}
	switch {
	case l.Head == nil || l.Settled == nil && s.Contract != nil:
		return Verdict{Level: Working, Text: "Nothing is settled yet. No job is waiting."}
	case l.Blocks != nil && *l.Blocks == 0:
		return Verdict{Level: Settled, Text: fmt.Sprintf("Everything is settled, up to block %d.", *l.Settled)}
	case l.Batched == nil || *l.Batched < *l.Head:
		return Verdict{Level: Working, Text: "No job is waiting. Blocks wait to be put into a batch."}
	}
	return Verdict{Level: Working, Text: fmt.Sprintf("No job is waiting. Blocks up to %d are in batches.", *l.Batched)}
}

// sentence names the job that blocks.
func (s *Service) sentence(f *facts) string {
	j := f.lag.Blocking
	return fmt.Sprintf("%s of %s%s %s.", j.Type, j.BatchName, f.span, StatusWords(f.job.Status))
}

// unreadable is the verdict where the database, without which nothing goes on, can't be read.
func (s *Service) unreadable(f *facts) (Verdict, bool) {
	if f.db {
		return Verdict{}, false
	}
	return Verdict{Level: Blocked, Command: s.Seat.Ready(),
		Text: "The database can't be read. Nothing goes on until it can; nothing is lost."}, true
}

// needsOperator is the verdict where a job waits for an operator.
func (s *Service) needsOperator(f *facts) (Verdict, bool) {
	if f.job == nil || !f.job.Status.NeedsOperator() {
		return Verdict{}, false
	}
	text := s.sentence(f) + " The batches after it are blocked."
	if r := f.lag.Blocking.Reason; r != "" {
		text = s.sentence(f) + " Reason: " + strings.TrimRight(r, ".") + ". The batches after it are blocked."
	}
	return Verdict{Level: Blocked, Text: text + " Fix the cause, then retry.",
		Command: s.Seat.Retry(f.job.ID), JobID: f.job.ID}, true
}

// pausedStage is the verdict where an operator has stopped a stage.
func (s *Service) pausedStage(f *facts) (Verdict, bool) {
	if len(f.pauses) == 0 {
		return Verdict{}, false
	}
	p := f.pauses[0]
	by := p.By
	if by == "" {
		by = "an operator"
	}
	text := fmt.Sprintf("%s is paused since %s by %s: %s.",
		p.Stage, p.Since.UTC().Format(time.RFC3339), by, strings.TrimRight(p.Reason, "."))
	if n := len(f.pauses); n > 1 {
		text += fmt.Sprintf(" %d more stages are paused.", n-1)
	}
	return Verdict{Level: Blocked, Text: text, Command: s.Seat.Resume(string(p.Stage)), Stage: string(p.Stage)}, true
}

// reported is the verdict where a critical alert is open.
func (s *Service) reported(f *facts) (Verdict, bool) {
	for _, r := range f.open {
		if r.Severity == alert.Critical && !r.ReportedAt.IsZero() {
			text := Redact(r.Title + ". " + r.Detail)
			return Verdict{Level: Blocked, Text: text, Command: s.Seat.Command("alerts")}, true
		}
	}
	return Verdict{}, false
}

// outside is the verdict where an external service fails.
func (s *Service) outside(f *facts) (Verdict, bool) {
	for _, u := range f.lag.Unknown {
		name, why, _ := strings.Cut(u, ": ")
		switch name {
		case "head":
			return Verdict{Level: Waiting, Text: "The app chain's node can't be read: " + why + ".",
				Command: s.Seat.Ready()}, true
		case "settled":
			return Verdict{Level: Waiting, Text: "The settlement layer can't be read: " + why + ".",
				Command: s.Seat.Ready()}, true
		}
	}
	if f.job == nil {
		return Verdict{}, false
	}
	if _, awaits := (standing{open: f.open}).awaits(*f.job); awaits {
		return Verdict{Level: Waiting, Text: s.sentence(f) + " " + f.lag.Blocking.Hint,
			Command: s.Seat.Command("alerts")}, true
	}
	if f.job.Attempts.Transient > 0 {
		text := fmt.Sprintf("%s An external service fails, %d times in a row: %s.",
			s.sentence(f), f.job.Attempts.Transient,
			strings.TrimRight(f.lag.Blocking.Reason, "."))
		return Verdict{Level: Waiting, Text: text + " It is tried again by itself.",
			Command: s.Seat.Job(f.job.ID)}, true
	}
	return Verdict{}, false
}

// StatusWords are a job's status as the end of a sentence.
func StatusWords(s job.Status) string {
	switch s {
	case job.Created:
		return "is about to be processed"
	case job.LockedForProcessing:
		return "is being processed"
	case job.PendingVerification:
		return "is submitted, its answer is awaited"
	case job.Completed:
		return "is done"
	case job.VerificationFailed:
		return "was rejected"
	case job.VerificationTimeout:
		return "was never finished outside"
	case job.Failed:
		return "failed"
	case job.PendingRetry:
		return "is about to be retried"
	}
	return "is " + string(s)
}
