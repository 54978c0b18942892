package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// Kinds of batches.
const (
	KindAggregator = "aggregator"
	KindSnos       = "snos"
)

// Job is a job as operators see it.
type Job struct {
	ID          string    `json:"id"`
	Type        string    `json:"type"`
	Batch       uint64    `json:"batch"`      // index of the batch that it works on
	BatchKind   string    `json:"batch_kind"` // aggregator or snos
	BatchName   string    `json:"batch_name"` // such as "SNOS batch 3"
	Status      string    `json:"status"`
	NextAction  string    `json:"next_action,omitempty"`
	DueAt       time.Time `json:"due_at,omitzero"` // when the next action is due
	ExternalID  string    `json:"external_id,omitempty"`
	Attempts    Attempts  `json:"attempts"`
	Reason      string    `json:"reason,omitempty"`  // the newest failure
	Hint        string    `json:"hint,omitempty"`    // what happens next, or what to do
	Command     string    `json:"command,omitempty"` // that an operator types to act on it
	Lease       *Lease    `json:"lease,omitempty"`   // of the invocation that works on it now
	TraceID     string    `json:"trace_id,omitempty"`
	Generation  uint64    `json:"generation"`
	Version     uint64    `json:"version"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	StartedAt   time.Time `json:"started_at,omitzero"`
	SubmittedAt time.Time `json:"submitted_at,omitzero"`
	EndedAt     time.Time `json:"ended_at,omitzero"`
}

// Attempts counts what was tried (job.Attempts).
type Attempts struct {
	Process   int `json:"process"`
	Verify    int `json:"verify"`
	Waits     int `json:"waits"`
	Crashes   int `json:"crashes"`
	Transient int `json:"transient"`
	Total     int `json:"total"`
}

// Lease is who works on a job and until when.
type Lease struct {
	Owner     string    `json:"owner"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Failure is one recorded failure.
type Failure struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// JobDetail is a job with all that its document holds.
type JobDetail struct {
	Job
	Failures []Failure `json:"failures"` // oldest first
	// the job type's own fields (package job), with names as in the rest of the API
	Metadata json.RawMessage `json:"metadata"`
}

// JobPage is one page of a listing.
type JobPage struct {
	Jobs       []Job  `json:"jobs"`
	NextCursor string `json:"next_cursor,omitempty"` // "" on the last page
}

// batchKind is the kind of batch that a job type works on.
func (s *Service) batchKind(t job.Type) string {
	if s.Layer.OnAggregator(t) {
		return KindAggregator
	}
	return KindSnos
}

// standing is what hints of jobs say beyond the jobs' own documents.
type standing struct {
	pauses schedule.Pauses
	open   []alert.Report // of jobs that wait for a change outside, and maybe others
}

// standing reads it; a hint says less where it can't be read.
func (s *Service) standing(ctx context.Context) standing {
	var st standing
	var err, rerr error
	st.pauses, err = s.Control.Pauses(ctx)
	if s.Reports != nil {
		st.open, rerr = s.Reports.Open(ctx, executor.AwaitingPrefix, maxAlerts)
	}
	if err := errors.Join(err, rerr); err != nil {
		s.log().WarnContext(ctx, "paused stages or open alerts can't be read: hints of jobs say less", "error", err)
	}
	return st
}

// awaits is what a job waits for that somebody outside does; ok is false where nothing is awaited.
func (st standing) awaits(j job.Job) (what string, ok bool) {
	if j.Attempts.Transient == 0 {
		return "", false
	}
	for _, r := range st.open {
		if strings.HasPrefix(r.Key, executor.AwaitingPrefix) && r.Names(j.ID) {
			return Redact(r.Detail), true
		}
	}
	return "", false
}

// view is a job as operators see it.
func (s *Service) view(j job.Job, st standing) Job {
	v := Job{
		ID: j.ID, Type: string(j.Type), Batch: j.Batch, BatchKind: s.batchKind(j.Type), Status: string(j.Status),
		BatchName: s.Layer.BatchName(j.Type, j.Batch), Command: s.commandFor(j),
		NextAction: string(j.NextAction), DueAt: utc(j.DueAt), ExternalID: j.ExternalID, TraceID: j.TraceID,
		Attempts:   Attempts(j.Attempts),
		Reason:     Redact(j.Reason()),
		Hint:       s.hint(j, st),
		Generation: j.Generation, Version: j.Version,
		CreatedAt: utc(j.CreatedAt), UpdatedAt: utc(j.UpdatedAt), StartedAt: utc(j.StartedAt),
		SubmittedAt: utc(j.SubmittedAt), EndedAt: utc(j.EndedAt),
	}
	if j.Lease.Held(s.Now()) {
		v.Lease = &Lease{Owner: j.Lease.Owner, ExpiresAt: utc(j.Lease.ExpiresAt)}
	}
	return v
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

func (s *Service) detail(j job.Job, st standing) (JobDetail, error) {
	d := JobDetail{Job: s.view(j, st), Failures: []Failure{}, Metadata: json.RawMessage("{}")}
	for _, f := range j.Failures {
		d.Failures = append(d.Failures, Failure{At: utc(f.At), Reason: Redact(f.Reason)})
	}
	if j.Metadata != nil {
		b, err := metadataView(j.Metadata)
		if err != nil {
			return d, fmt.Errorf("encode metadata of job %s: %w", j.ID, err)
		}
		d.Metadata = b
	}
	return d, nil
}

// metadataView is metadata with names as the rest of the API has them: start_block for StartBlock.
func metadataView(m job.Metadata) (json.RawMessage, error) {
	b, err := job.EncodeMetadata(m)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(renamed(v))
}

// renamed is a JSON value whose keys are in snake case.
func renamed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[snake(k)] = renamed(x)
		}
		return out
	case []any:
		for i := range v {
			v[i] = renamed(v[i])
		}
	}
	return v
}

// snake turns a Go name into snake case: PIEKey into pie_key.
func snake(name string) string {
	var out []rune
	rs := []rune(name)
	for i, r := range rs {
		if unicode.IsUpper(r) && i > 0 && rs[i-1] != '_' &&
			(!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
			out = append(out, '_')
		}
		out = append(out, unicode.ToLower(r))
	}
	return string(out)
}

// commandFor is what an operator types to act on a job that waits for one; "" for others.
func (s *Service) commandFor(j job.Job) string {
	if j.Status.NeedsOperator() {
		return s.Seat.Retry(j.ID)
	}
	return ""
}

// overdueAfter is how long after its due time an action is called overdue: the reconcile worker's turn has passed.
const overdueAfter = 2 * time.Minute

// hint says in a sentence what happens next with a job, or what a person is to do.
func (s *Service) hint(j job.Job, st standing) string {
	now := s.Now()
	_, paused := st.pauses.Of(j.Type)
	awaited, awaits := st.awaits(j)
	switch {
	case j.Status == job.Failed:
		return "Fix the cause, then retry: " + s.Seat.Retry(j.ID)
	case j.Status == job.VerificationTimeout:
		return "The external service never finished it. Look there, then retry: " + s.Seat.Retry(j.ID)
	case j.NextAction == job.None:
		return ""
	case j.Lease.Held(now):
		return "An invocation works on it."
	case paused: // so it is not overdue: nobody is to take it
		return "Its stage is paused. To let it go on: " + s.Seat.Resume(string(j.Type))
	case j.DueAt.Add(overdueAfter).Before(now):
		return "Its next action is overdue: see whether its stage is paused and whether the schedules run."
	case j.Status == job.Completed:
		return "Done; it is watched until it is final."
	case awaits:
		return "It waits for a change that somebody else makes, and needs no retry. " + awaited
	case j.Attempts.Transient > 0:
		return fmt.Sprintf("An external service keeps failing (%d times in a row); the job is tried again by itself.",
			j.Attempts.Transient)
	case feeWait(&j) != nil:
		return "It " + feeWait(&j).Says(s.FeeUnit) + "."
	case j.Status == job.VerificationFailed:
		return "It was rejected and is submitted again by itself."
	case j.NextAction == job.Verify:
		return "Submitted; the answer is awaited."
	}
	return "It is about to be processed."
}
