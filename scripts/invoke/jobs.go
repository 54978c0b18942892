package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// pair is a job before and after the invocation.
type pair struct{ before, after job.Job }

// jobsOf reads the jobs that an event is about, as far as the store has them.
func jobsOf(ctx context.Context, store job.Store, ws map[string]wanted) (map[string]job.Job, error) {
	out := map[string]job.Job{}
	for id := range ws {
		j, err := store.Get(ctx, id)
		switch {
		case err == nil:
			out[id] = j
		case !errors.Is(err, job.ErrNotFound):
			return nil, fmt.Errorf("read job %s: %w", id, err)
		}
	}
	return out, nil
}

// show prints what the invocation changed of a job.
func (p pair) show(w io.Writer, name string, now time.Time) {
	fmt.Fprintf(w, "\njob %s: %s of %s\n", p.after.ID, p.after.Type, name)
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintf(tw, "\tbefore\tafter\n")
	for _, line := range []struct {
		what string
		of   func(job.Job) string
	}{
		{"status", func(j job.Job) string { return string(j.Status) }},
		{"next", func(j job.Job) string { return next(j, now) }},
		{"external id", func(j job.Job) string { return short(j.ExternalID) }},
		{"invocations", func(j job.Job) string { return fmt.Sprint(j.Attempts.Total) }},
		{"failures", func(j job.Job) string { return fmt.Sprint(len(j.Failures)) }},
	} {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", line.what, line.of(p.before), line.of(p.after))
	}
	_ = tw.Flush() // w has said what it could
	if r := p.failure(); r != "" {
		fmt.Fprintf(w, "it failed: %s\n", r)
	}
}

// next is what happens to the job next, and when.
func next(j job.Job, now time.Time) string {
	if j.NextAction == job.None {
		return "-"
	}
	if wait := j.DueAt.Sub(now); wait > 0 {
		return fmt.Sprintf("%s in %s", j.NextAction, wait.Round(100*time.Millisecond))
	}
	return fmt.Sprintf("%s, due", j.NextAction)
}

// short keeps a line of the table within 80 columns.
func short(id string) string {
	const most = 24
	switch {
	case id == "":
		return "-"
	case len(id) > most:
		return id[:most-3] + "..."
	}
	return id
}

// failure is why the invocation made the job fail, for now or for good; "" if it did not.
func (p pair) failure() string {
	if p.after.Reason() == p.before.Reason() && len(p.after.Failures) == len(p.before.Failures) {
		return ""
	}
	return p.after.Reason()
}

// refused is what the function's answer says has failed: messages that it did not take, or an HTTP status; "" for
// nothing.
func refused(answer []byte) string {
	var a struct {
		Failed []events.SQSBatchItemFailure `json:"batchItemFailures"`
		Status int                          `json:"statusCode"`
	}
	if json.Unmarshal(answer, &a) != nil {
		return ""
	}
	switch {
	case len(a.Failed) > 0:
		return fmt.Sprintf("%d of the messages failed; the log above says why", len(a.Failed))
	case a.Status >= 400:
		return fmt.Sprintf("the answer is HTTP %d", a.Status)
	}
	return ""
}
