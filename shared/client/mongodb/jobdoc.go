package mongodb

import (
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
)

// jobDoc is a job as it is stored. Fields that queries use have names of their own; the rest of what a job type keeps
// is in metadata, the object of job.EncodeMetadata as text. DueAt is absent when there is no next action, which keeps
// finished jobs out of the index of what is due.
type jobDoc struct {
	ID         string       `bson:"_id"`
	Type       job.Type     `bson:"type"`
	InternalID int64        `bson:"internal_id"`
	Epoch      int64        `bson:"epoch,omitempty"`
	Status     job.Status   `bson:"status"`
	Previous   job.Status   `bson:"previous_status,omitempty"`
	ExternalID string       `bson:"external_id"`
	Metadata   string       `bson:"metadata"`
	Attempts   attemptsDoc  `bson:"attempts"`
	Failures   []failureDoc `bson:"failures"`

	NextAction   job.Action     `bson:"next_action"`
	DueAt        *bson.DateTime `bson:"due_at,omitempty"`
	Generation   int64          `bson:"generation"`
	Version      int64          `bson:"version"`
	LeaseOwner   string         `bson:"lease_owner,omitempty"`
	LeaseExpires *bson.DateTime `bson:"lease_expires_at,omitempty"`
	Schema       int            `bson:"schema"`
	Wait         *waitDoc       `bson:"wait,omitempty"`

	TraceID     string         `bson:"trace_id"`
	CreatedAt   bson.DateTime  `bson:"created_at"`
	UpdatedAt   bson.DateTime  `bson:"updated_at"`
	StartedAt   *bson.DateTime `bson:"started_at,omitempty"`
	SubmittedAt *bson.DateTime `bson:"submitted_at,omitempty"`
	EndedAt     *bson.DateTime `bson:"ended_at,omitempty"`
}

type attemptsDoc struct {
	Process   int `bson:"process"`
	Verify    int `bson:"verify"`
	Waits     int `bson:"waits,omitempty"`
	Crashes   int `bson:"crashes"`
	Transient int `bson:"transient"`
	Total     int `bson:"total"`
}

// waitDoc is what a job waits for; From and To in milliseconds.
type waitDoc struct {
	Work     string         `bson:"work"`
	Size     int            `bson:"size"`
	Since    bson.DateTime  `bson:"since"`
	Asked    *bson.DateTime `bson:"asked,omitempty"`
	Reported bool           `bson:"reported,omitempty"`
	From     int64          `bson:"from,omitempty"`
	To       int64          `bson:"to,omitempty"`
	Rule     bool           `bson:"rule,omitempty"` // the end is reported as a rule
}

func toWaitDoc(w job.Wait) *waitDoc {
	if w.Work == "" {
		return nil
	}
	return &waitDoc{Work: w.Work, Size: w.Size, Since: bson.NewDateTimeFromTime(w.Since), Asked: moment(w.Asked),
		Reported: w.Reported,
		From:     w.Expect.From.Milliseconds(), To: w.Expect.To.Milliseconds(), Rule: w.Expect.Reported}
}

func (d *waitDoc) wait() job.Wait {
	if d == nil {
		return job.Wait{}
	}
	return job.Wait{
		Work: d.Work, Size: d.Size, Since: d.Since.Time().UTC(), Asked: timeOf(d.Asked), Reported: d.Reported,
		Expect: pace.Window{From: time.Duration(d.From) * time.Millisecond, To: time.Duration(d.To) * time.Millisecond,
			Reported: d.Rule}}
}

type failureDoc struct {
	At     bson.DateTime `bson:"at"`
	Reason string        `bson:"reason"`
}

// moment is a time as BSON keeps it: milliseconds; nil for the zero time.
func moment(t time.Time) *bson.DateTime {
	if t.IsZero() {
		return nil
	}
	d := bson.NewDateTimeFromTime(t)
	return &d
}

func timeOf(d *bson.DateTime) time.Time {
	if d == nil {
		return time.Time{}
	}
	return d.Time().UTC()
}

func toJobDoc(j job.Job) (jobDoc, error) {
	meta, err := job.EncodeMetadata(j.Metadata)
	if err != nil {
		return jobDoc{}, fmt.Errorf("encode metadata: %w", err)
	}
	d := jobDoc{
		ID: j.ID, Type: j.Type, Status: j.Status, Previous: j.Previous,
		ExternalID: j.ExternalID, Metadata: string(meta),
		Attempts: attemptsDoc(j.Attempts), NextAction: j.NextAction,
		LeaseOwner: j.Lease.Owner, LeaseExpires: moment(j.Lease.ExpiresAt), Schema: j.Schema, TraceID: j.TraceID,
		CreatedAt: bson.NewDateTimeFromTime(j.CreatedAt), UpdatedAt: bson.NewDateTimeFromTime(j.UpdatedAt),
		StartedAt: moment(j.StartedAt), SubmittedAt: moment(j.SubmittedAt), EndedAt: moment(j.EndedAt),
		Failures: []failureDoc{}, Wait: toWaitDoc(j.Wait),
	}
	if j.NextAction != job.None {
		d.DueAt = moment(j.DueAt)
	}
	for _, n := range []struct {
		to   *int64
		from uint64
	}{{&d.InternalID, j.Batch}, {&d.Epoch, j.Epoch}, {&d.Generation, j.Generation}, {&d.Version, j.Version}} {
		if *n.to, err = number(n.from); err != nil {
			return jobDoc{}, err
		}
	}
	for _, f := range j.Failures {
		d.Failures = append(d.Failures, failureDoc{At: bson.NewDateTimeFromTime(f.At), Reason: f.Reason})
	}
	return d, nil
}

// job reads a document. One of another schema is job.ErrSchema.
func (d jobDoc) job() (job.Job, error) {
	if d.Schema < job.SchemaMin || d.Schema > job.SchemaMax {
		return job.Job{}, fmt.Errorf("job %s has schema %d, this build reads %d to %d: %w",
			d.ID, d.Schema, job.SchemaMin, job.SchemaMax, job.ErrSchema)
	}
	if d.InternalID < 0 || d.Epoch < 0 || d.Generation < 0 || d.Version < 0 {
		return job.Job{}, fmt.Errorf("job %s has a negative number: the document is corrupt", d.ID)
	}
	if _, err := job.ParseStatus(string(d.Status)); err != nil {
		return job.Job{}, fmt.Errorf("job %s: %w", d.ID, err)
	}
	meta, err := job.DecodeMetadata(d.Type, []byte(d.Metadata))
	if err != nil {
		return job.Job{}, fmt.Errorf("job %s: %w", d.ID, err)
	}
	j := job.Job{
		ID: d.ID, Type: d.Type, Batch: uint64(d.InternalID), Epoch: uint64(d.Epoch),
		Status: d.Status, Previous: d.Previous,
		ExternalID: d.ExternalID, Metadata: meta, Attempts: job.Attempts(d.Attempts),
		NextAction: d.NextAction, DueAt: timeOf(d.DueAt), Generation: uint64(d.Generation), Version: uint64(d.Version),
		Lease: job.Lease{Owner: d.LeaseOwner, ExpiresAt: timeOf(d.LeaseExpires)}, Schema: d.Schema, TraceID: d.TraceID,
		CreatedAt: d.CreatedAt.Time().UTC(), UpdatedAt: d.UpdatedAt.Time().UTC(),
		StartedAt: timeOf(d.StartedAt), SubmittedAt: timeOf(d.SubmittedAt), EndedAt: timeOf(d.EndedAt),
		Wait: d.Wait.wait(),
	}
	for _, f := range d.Failures {
		j.Failures = append(j.Failures, job.Failure{At: f.At.Time().UTC(), Reason: f.Reason})
	}
	return j, nil
}
