package atlantic_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
	fakeatlantic "github.com/madara-orchestrator/orchestrator/shared/dev/fake/atlantic"
)

const (
	submission = "POST /atlantic-query"
	lookup     = "GET /atlantic-query-by-dedup-id"
	question   = "GET /atlantic-query"
)

// TestSubmit_Faults: whatever happens to the requests on their way, one call of Submit ends with one query.
func TestSubmit_Faults(t *testing.T) {
	t.Parallel()
	for name, strikes := range map[string][]fake.Strike{
		"LostResponse":       {{Fault: fake.LostResponse, Op: submission}},
		"LostTwice":          {{Fault: fake.LostResponse, Op: submission}, {Fault: fake.Refused, Op: lookup}},
		"CutResponse":        {{Fault: fake.CutResponse, Op: submission}},
		"GarbageLookup":      {{Fault: fake.Garbage, Op: lookup}},
		"GarbageAnswer":      {{Fault: fake.Garbage, Op: submission}},
		"RefusedConnection":  {{Fault: fake.Refused, Op: submission, Times: 2}},
		"RateLimitedStorm":   {{Fault: fake.RateLimited, Times: 5, RetryAfter: 2 * time.Second}},
		"RateLimitedSubmits": {{Fault: fake.RateLimited, Op: submission, Times: 4}},
		"InternalError":      {{Fault: fake.Internal, Op: submission, Times: 3}},
		"LoadBalancer": {{Fault: fake.BadGateway, Op: submission}, {Fault: fake.NoRoute, Op: submission},
			{Fault: fake.NoRoute, Op: lookup}},
		"Unavailable": {{Fault: fake.Unavailable, Times: 3, RetryAfter: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, fakeatlantic.Config{})
			for _, strike := range strikes {
				s.Inject(strike)
			}
			p, _ := client(t, s)
			task, err := p.Submit(t.Context(), child("d", zipped()))
			if err != nil || task == "" {
				t.Fatalf("Submit = %q, %v", task, err)
			}
			if s.Started() != 1 || s.Struck() == 0 {
				t.Errorf("%d queries were started, %d requests disturbed; want 1 query", s.Started(), s.Struck())
			}
			if again, err := p.Submit(t.Context(), child("d", zipped())); err != nil || again != task {
				t.Errorf("Submit again = %q, %v; want %q", again, err, task)
			}
			if g := ended(t, p, task); g.State != proof.Done {
				t.Errorf("the task is %+v", g)
			}
		})
	}
}

// TestSubmit_GivesUp: where no answer ever comes the error is a passing one, and the next call finds the one query.
func TestSubmit_GivesUp(t *testing.T) {
	t.Parallel()
	for _, f := range []fake.Fault{fake.LostResponse, fake.RateLimited, fake.Internal, fake.BadGateway,
		fake.CutResponse, fake.Garbage} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			s := start(t, fakeatlantic.Config{})
			p, w := client(t, s)
			s.Inject(fake.Strike{Fault: fake.LostResponse, Op: submission})
			s.Inject(fake.Strike{Fault: f, Op: submission, Times: -1})
			s.Inject(fake.Strike{Fault: f, Op: lookup, Times: -1})
			_, err := p.Submit(t.Context(), child("d", zipped()))
			if err == nil || errors.Is(err, proof.ErrRejected) || strings.Contains(err.Error(), key) {
				t.Errorf("Submit: %v, want a passing error without the key", err)
			}
			if n := len(w.list()); n != 5 {
				t.Errorf("%d pauses, want 5 between 6 attempts", n)
			}
			before := s.Started()
			s.Clear()
			if task, err := p.Submit(t.Context(), child("d", zipped())); err != nil || task == "" || s.Started() != 1 {
				t.Errorf("afterwards Submit = %q, %v with %d queries (%d before), want 1",
					task, err, s.Started(), before)
			}
		})
	}
}

// TestSubmit_Race: two processes submit the same request at once. Both get the one query.
func TestSubmit_Race(t *testing.T) {
	t.Parallel()
	s := start(t, fakeatlantic.Config{})
	p, _ := client(t, s)
	tasks := make(chan string, 8)
	for range cap(tasks) {
		go func() {
			task, err := p.Submit(t.Context(), child("d", zipped()))
			if err != nil {
				t.Errorf("Submit: %v", err)
			}
			tasks <- task
		}()
	}
	first := <-tasks
	for range cap(tasks) - 1 {
		if task := <-tasks; task != first {
			t.Errorf("one process got %s, another one %s", first, task)
		}
	}
	if s.Started() != 1 {
		t.Errorf("%d queries were started, want 1", s.Started())
	}
}

// TestSubmit_Refused: what Atlantic refuses for good is ErrRejected at once; what a setting or money fixes is not.
func TestSubmit_Refused(t *testing.T) {
	t.Parallel()
	s := start(t, fakeatlantic.Config{})
	p, w := client(t, s)
	corrupt := child("no-zip", []byte("not a zip"))
	elsewhere := child("d", zipped())
	if _, err := p.Submit(t.Context(), elsewhere); err != nil {
		t.Fatal(err)
	}
	bucket, err := p.OpenBucket(t.Context(), "b", "0.13.5")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere.Bucket = bucket
	unknown := child("u", zipped())
	unknown.Bucket = "nowhere"
	aggregation := child("a", zipped())
	aggregation.Kind = proof.Aggregation
	empty := child("e", nil)
	nameless := child("", zipped())
	odd := child("o", zipped())
	odd.Bucket = "../../etc"
	other := child("k", zipped())
	other.Kind = "dream"
	before := s.Started()
	for name, r := range map[string]proof.Request{
		"CorruptPIE": corrupt, "OtherBucket": elsewhere, "UnknownBucket": unknown,
		"Aggregation": aggregation, "Empty": empty,
		"NoDedupID": nameless, "OddBucket": odd, "OtherKind": other,
		"RegistrationWithoutHash": {Kind: proof.Registration, DedupID: "r", InputSize: 1, Input: corrupt.Input},
	} {
		if task, err := p.Submit(t.Context(), r); !errors.Is(err, proof.ErrRejected) {
			t.Errorf("%s: Submit = %q, %v; want ErrRejected", name, task, err)
		}
	}
	if len(w.list()) != 0 || s.Started() != before {
		t.Errorf("refusals were repeated after %v, or started %d queries", w.list(), s.Started()-before)
	}
	wrongKey, _ := client(t, s, func(c *atlantic.Config) { c.APIKey = "another key"[:7] })
	if _, err := wrongKey.Submit(t.Context(), child("x", zipped())); !errors.Is(err, atlantic.ErrUnauthorized) ||
		errors.Is(err, proof.ErrRejected) {
		t.Errorf("with a wrong key: %v, want ErrUnauthorized and not ErrRejected", err)
	}
	misrouted, _ := client(t, s, func(c *atlantic.Config) { c.URL += "/v2" })
	if _, err := misrouted.Submit(t.Context(), child("x", zipped())); err == nil || errors.Is(err, proof.ErrRejected) ||
		s.Started() != before {
		t.Errorf("below a wrong path: %v, want an error that is not ErrRejected", err)
	}
	if g, err := misrouted.Status(t.Context(), "01X"); err == nil {
		t.Errorf("below a wrong path a query is %+v", g)
	}
}

// TestFailedProof: a failed query stays the dedup id's task, and a new dedup id is a new query.
func TestFailedProof(t *testing.T) {
	t.Parallel()
	s := start(t, fakeatlantic.Config{})
	p, _ := client(t, s)
	truncated := zipped()[:40] // begins as a zip does
	task, err := p.Submit(t.Context(), child("d", truncated))
	if err != nil {
		t.Fatal(err)
	}
	if g := ended(t, p, task); g.State != proof.Rejected || !strings.Contains(g.Detail, "CORRUPT_PIE") {
		t.Errorf("a corrupt PIE's query is %+v, want Rejected with the reason", g)
	}
	if again, err := p.Submit(t.Context(), child("d", truncated)); err != nil || again != task || s.Started() != 1 {
		t.Errorf("Submit again = %q, %v with %d queries; want the failed one", again, err, s.Started())
	}
	next, err := p.Submit(t.Context(), child("d-2", zipped()))
	if err != nil || next == task {
		t.Fatalf("Submit with a new dedup id = %q, %v", next, err)
	}
	if g := ended(t, p, next); g.State != proof.Done || s.Started() != 2 {
		t.Errorf("the second attempt is %+v, %d queries", g, s.Started())
	}
}

// TestFetch_Faults: results that are late, gone, cut off or something else.
func TestFetch_Faults(t *testing.T) {
	t.Parallel()
	s := start(t, fakeatlantic.Config{Polls: 1})
	p, _ := client(t, s)
	task := aggregated(t, p)
	single, err := p.Submit(t.Context(), child("single", zipped()))
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(task string, a proof.Artifact, want error, what string) {
		t.Helper()
		if b, err := content(t, p, task, a); !errors.Is(err, want) {
			t.Errorf("%s: %.40q, %v; want %v", what, b, err, want)
		}
	}
	fetch(single, proof.ProofFile, proof.ErrNotReady, "before the end")
	s.Finish(single)
	s.Inject(fake.Strike{Fault: fake.BadGateway, Op: "GET /store"})
	s.Inject(fake.Strike{Fault: fake.Refused, Op: "GET /store"})
	if b, err := content(t, p, single, proof.ProofFile); err != nil || !strings.Contains(b, single) {
		t.Errorf("after a load balancer's fault: %.60q, %v", b, err)
	}
	s.Inject(fake.Strike{Fault: fake.CutResponse, Op: "GET /store"})
	fetch(single, proof.ProofFile, io.ErrUnexpectedEOF, "cut off")
	for what, c := range map[string]string{"HTML": "<html>sorry</html>", "Empty": ""} {
		if err := s.Corrupt(task, fakeatlantic.FilePIE, []byte(c)); err != nil {
			t.Fatal(err)
		}
		fetch(task, proof.PIE, artifact.ErrCorrupt, what)
	}
	if err := s.Corrupt(task, fakeatlantic.FilePIE, zipped()); err != nil {
		t.Fatal(err)
	}
	fetch(task, proof.ProgramOutput, artifact.ErrCorrupt, "output of a zip that is not a PIE")
	s.Expire(task)
	fetch(task, proof.PIE, atlantic.ErrExpired, "expired")
	fetch(task, proof.PIE, proof.ErrRejected, "expired") // it takes another task
	for _, odd := range []string{"bucket:nowhere", "../x", "bucket:../x", "nowhere"} {
		if b, err := content(t, p, odd, proof.PIE); err == nil || errors.Is(err, proof.ErrNotReady) {
			t.Errorf("task %s: %.40q, %v; want an error", odd, b, err)
		}
	}
	if s.Started() != 2 || s.Aggregations() != 1 {
		t.Errorf("%d queries, %d aggregations; want 2 and 1", s.Started(), s.Aggregations())
	}
}

// TestBucket_Faults: one bucket and one aggregation, whatever gets lost.
func TestBucket_Faults(t *testing.T) {
	t.Parallel()
	for name, strikes := range map[string][]fake.Strike{
		"LostCreation": {{Fault: fake.LostResponse, Op: "POST /buckets"}},
		"LostClosing":  {{Fault: fake.LostResponse, Op: "POST /buckets/close"}},
		"Storm": {{Fault: fake.RateLimited, Op: "POST /buckets", Times: 3, RetryAfter: time.Second},
			{Fault: fake.RateLimited, Op: "POST /buckets/close", Times: 3}},
		"Garbage": {{Fault: fake.Garbage, Op: "POST /buckets"}, {Fault: fake.Garbage, Op: "GET /buckets"}},
		"Cut": {{Fault: fake.CutResponse, Op: "POST /buckets"},
			{Fault: fake.CutResponse, Op: "POST /buckets/close"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, fakeatlantic.Config{})
			for _, strike := range strikes {
				s.Inject(strike)
			}
			p, _ := client(t, s)
			task := aggregated(t, p)
			if s.Buckets() != 1 || s.Aggregations() != 1 || s.Struck() == 0 {
				t.Errorf("%d buckets, %d aggregations, %d requests disturbed; want 1 and 1",
					s.Buckets(), s.Aggregations(), s.Struck())
			}
			bucket := strings.TrimPrefix(task, "bucket:")
			if again, err := p.CloseBucket(t.Context(), bucket); err != nil || again != task {
				t.Errorf("closing again = %q, %v", again, err)
			}
			late := child("late", zipped())
			late.Bucket, late.Index = bucket, 1
			if _, err := p.Submit(t.Context(), late); !errors.Is(err, proof.ErrRejected) {
				t.Errorf("a child of a closed bucket: %v, want ErrRejected", err)
			}
		})
	}
}

func TestBucket_FailedChild(t *testing.T) {
	t.Parallel()
	s := start(t, fakeatlantic.Config{Polls: -1})
	p, _ := client(t, s)
	bucket, err := p.OpenBucket(t.Context(), "b", "0.13.5")
	if err != nil {
		t.Fatal(err)
	}
	r := child("a", zipped())
	r.Bucket = bucket
	query, err := p.Submit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	task, err := p.CloseBucket(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	s.Fail(query, "OUT_OF_STEPS")
	s.Finish(task)
	if g := ended(t, p, task); g.State != proof.Rejected || !strings.Contains(g.Detail, "OUT_OF_STEPS") {
		t.Errorf("the aggregation of a failed child is %+v", g)
	}
	for name, err := range map[string]error{
		"Unknown": second(p.CloseBucket(t.Context(), "nowhere")), "Odd": second(p.CloseBucket(t.Context(), "../x")),
		"OldVersion": second(p.OpenBucket(t.Context(), "o", "0.12.0")),
		"NoVersion":  second(p.OpenBucket(t.Context(), "o", "x")),
		"NoID":       second(p.OpenBucket(t.Context(), "", "0.13.5")),
	} {
		if !errors.Is(err, proof.ErrRejected) {
			t.Errorf("%s: %v, want ErrRejected", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestRetryAfter: a pause that fits is waited out, one that does not is handed on to the job's scheduler.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	s := start(t, fakeatlantic.Config{})
	p, w := client(t, s)
	s.Inject(fake.Strike{Fault: fake.RateLimited, Times: 2, RetryAfter: 20 * time.Second})
	if _, err := p.Submit(t.Context(), child("d", zipped())); err != nil {
		t.Fatal(err)
	}
	for _, d := range w.list() {
		if d < 20*time.Second || d > 40*time.Second {
			t.Errorf("pause of %s, want 20 s and some jitter", d)
		}
	}
	if len(w.list()) != 2 {
		t.Errorf("%d pauses, want 2", len(w.list()))
	}
	s.Inject(fake.Strike{Fault: fake.RateLimited, RetryAfter: 20 * time.Second})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := p.Submit(ctx, child("e", zipped()))
	if job.RetryDelay(err) != 20*time.Second || errors.Is(err, proof.ErrRejected) {
		t.Errorf("within 5 s: %v with a requested delay of %s, want 20 s", err, job.RetryDelay(err))
	}
	s.Inject(fake.Strike{Fault: fake.RateLimited, RetryAfter: time.Hour})
	if _, err = p.Submit(t.Context(), child("e", zipped())); job.RetryDelay(err) != time.Hour {
		t.Errorf("an hour: %v with a requested delay of %s", err, job.RetryDelay(err))
	}
	var status *atlantic.StatusError
	if !errors.As(err, &status) || status.Status != http.StatusTooManyRequests {
		t.Errorf("%v is no *StatusError of 429", err)
	}
	if len(w.list()) != 2 || s.Started() != 1 {
		t.Errorf("%d pauses, %d queries; want no more", len(w.list()), s.Started())
	}
}
