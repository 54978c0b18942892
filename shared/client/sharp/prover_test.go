package sharp_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/sharp"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof/prooftest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
	fakesharp "github.com/madara-orchestrator/orchestrator/shared/dev/fake/sharp"
)

func TestProver_Conformance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]fakesharp.Config{"HTTP": {Polls: 2}, "TLS": {Polls: 1, TLS: true}} {
		for _, by := range []string{sharp.KeyByDedup, sharp.KeyByFact} {
			t.Run(name+"/"+by, func(t *testing.T) {
				t.Parallel()
				prooftest.TestProver(t, prooftest.Harness{New: func(t *testing.T) prooftest.Service {
					s := start(t, c)
					t.Cleanup(func() { documented(t, s) })
					return prooftest.Service{
						Prover:  client(t, s, &facts{all: true}, func(c *sharp.Config) { c.AggregationKey = by }),
						Input:   zipped(),
						Unknown: "6ba7b811-9dad-51d1-80b4-00c04fd430c8", Started: s.Started, Forget: s.Forget,
						Reject: func(task string) { s.Fail(task, "out of memory") },
					}
				}})
			})
		}
	}
}

// TestSubmit_Shape compares what is sent with what is known of the gateway.
func TestSubmit_Shape(t *testing.T) {
	t.Parallel()
	s := start(t, fakesharp.Config{TLS: true})
	p := client(t, s, &facts{})
	one, two := submit(t, p, child("a")), submit(t, p, child("b"))
	task := submit(t, p, aggregation("c", two, one))
	documented(t, s)
	sum := sha256.Sum256(zipped())
	var posts []fake.Record
	for _, r := range s.Records() {
		if r.Key != "customer" || r.Query["customer_id"] != customer {
			t.Errorf("%s %s by %q with %v", r.Method, r.Path, r.Key, r.Query)
		}
		if r.Method == http.MethodPost {
			posts = append(posts, r)
			if r.FileHash != hex.EncodeToString(sum[:]) || r.FileType != "application/json" {
				t.Errorf("%s carries a PIE of %d bytes as %s", r.Path, r.FileSize, r.FileType)
			}
		}
	}
	if len(posts) != 3 || posts[0].Path != "/add_job" || posts[2].Path != "/add_applicative_job" ||
		len(s.Records()) != 6 {
		t.Fatalf("%d requests, submissions %+v; want each after its look-up", len(s.Records()), posts)
	}
	if posts[0].Query["cairo_job_key"] != one || posts[2].Query["cairo_job_key"] != key(task) ||
		!strings.HasSuffix(task, "/"+prooftest.Fact(9)) {
		t.Errorf("keys %v; tasks %s, %s", posts, one, task)
	}
	if got := s.Children(key(task)); len(got) != 2 || got[0] != two || got[1] != one {
		t.Errorf("children are %v, want %s, %s", got, two, one)
	}
}

// TestSubmit_Faults: whatever happens to the requests on their way, one call of Submit ends with one job.
func TestSubmit_Faults(t *testing.T) {
	t.Parallel()
	const add, look = "POST /add_job", "GET /get_status"
	for name, strikes := range map[string][]fake.Strike{
		"LostResponse": {{Fault: fake.LostResponse, Op: add}},
		"LostTwice":    {{Fault: fake.LostResponse, Op: add}, {Fault: fake.Refused, Op: look}},
		"CutResponse":  {{Fault: fake.CutResponse, Op: add}},
		"Garbage":      {{Fault: fake.Garbage, Op: add}, {Fault: fake.Garbage, Op: look}},
		"Storm":        {{Fault: fake.RateLimited, Times: 5, RetryAfter: time.Second}},
		"LoadBalancer": {{Fault: fake.BadGateway, Op: add}, {Fault: fake.NoRoute, Op: add},
			{Fault: fake.NoRoute, Op: look}},
		"Internal": {{Fault: fake.Internal, Op: add, Times: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, fakesharp.Config{})
			for _, strike := range strikes {
				s.Inject(strike)
			}
			p := client(t, s, &facts{})
			task := submit(t, p, child("d"))
			if again := submit(t, p, child("d")); again != task || s.Started() != 1 ||
				s.Duplicates() != 0 || s.Struck() == 0 {
				t.Errorf("Submit again = %q, want %q; %d jobs, %d duplicates, %d requests disturbed",
					again, task, s.Started(), s.Duplicates(), s.Struck())
			}
		})
	}
}

// TestSubmit_Race: two processes submit the same request at once. Both get the one job.
func TestSubmit_Race(t *testing.T) {
	t.Parallel()
	s := start(t, fakesharp.Config{})
	p := client(t, s, &facts{})
	tasks := make(chan string, 8)
	for range cap(tasks) {
		go func() {
			task, err := p.Submit(t.Context(), child("d"))
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
		t.Errorf("%d jobs were started, want 1", s.Started())
	}
}

// TestStatus: children are done when validated, aggregations when their fact is registered.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := start(t, fakesharp.Config{Polls: -1, Validate: true})
	f := &facts{valid: map[string]bool{}}
	p := client(t, s, f)
	one := submit(t, p, child("a"))
	if g := state(t, p, one); g.State != proof.InProgress {
		t.Errorf("a new child is %+v", g)
	}
	if g := state(t, p, one); g.State != proof.Done {
		t.Errorf("a validated child is %+v, want Done", g)
	}
	if _, err := p.Fetch(t.Context(), one, proof.ProofFile); !errors.Is(err, proof.ErrNotReady) {
		t.Errorf("its proof: %v, want ErrNotReady", err)
	}
	task := submit(t, p, aggregation("b", one))
	for range 3 {
		if g := state(t, p, task); g.State != proof.InProgress {
			t.Errorf("a validated aggregation is %+v", g)
		}
	}
	s.Finish(one)
	s.Finish(key(task))
	if g := state(t, p, task); g.State != proof.InProgress {
		t.Errorf("an aggregation whose fact is not registered is %+v", g)
	}
	f.set(func(f *facts) { f.failure = errors.New("node is away") })
	if _, err := p.Status(t.Context(), task); !errors.Is(err, f.failure) || errors.Is(err, proof.ErrRejected) {
		t.Errorf("without the registry: %v", err)
	}
	f.set(func(f *facts) { f.failure, f.valid[prooftest.Fact(9)] = nil, true })
	if g := state(t, p, task); g.State != proof.Done {
		t.Errorf("an aggregation whose fact is registered is %+v", g)
	}
}

// TestFailed: a failed job keeps its key, and another dedup id is another key, also where keys are facts.
func TestFailed(t *testing.T) {
	t.Parallel()
	for _, by := range []string{sharp.KeyByDedup, sharp.KeyByFact} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			s := start(t, fakesharp.Config{Polls: -1})
			p := client(t, s, &facts{all: true}, func(c *sharp.Config) { c.AggregationKey = by })
			one := submit(t, p, child("a"))
			s.Finish(one)
			task := submit(t, p, aggregation("first", one))
			if by == sharp.KeyByFact && key(task) != prooftest.Fact(9) {
				t.Errorf("key %s, want the fact", key(task))
			}
			s.Fail(key(task), "prover is out of order")
			if g := state(t, p, task); g.State != proof.Rejected || !strings.Contains(g.Detail, "out of order") {
				t.Errorf("a failed job is %+v", g)
			}
			before := s.Started()
			retry := submit(t, p, aggregation("second", one))
			if retry == task || s.Started() != before+1 {
				t.Errorf("the retry is task %s, %d jobs more", retry, s.Started()-before)
			}
			if again := submit(t, p, aggregation("second", one)); again != retry || s.Started() != before+1 {
				t.Errorf("the retry again is %s, want %s", again, retry)
			}
			s.Finish(key(retry))
			if g := state(t, p, retry); g.State != proof.Done {
				t.Errorf("the retry is %+v", g)
			}
			documented(t, s)
		})
	}
}

// TestCorrupt: a corrupt PIE, an unknown child, an expired and a corrupt proof.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	s := start(t, fakesharp.Config{})
	p := client(t, s, &facts{all: true})
	bad := child("bad")
	bad.InputSize, bad.Input = 3, func(context.Context) (
		io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("PIE")), nil
	}
	if g := state(t, p, submit(t, p, bad)); g.State != proof.Rejected ||
		!strings.Contains(g.Detail, "INVALID_CAIRO_PIE_FILE_FORMAT") {
		t.Errorf("a corrupt PIE's job is %+v", g)
	}
	if g := state(t, p,
		submit(t, p, aggregation("lonely", "6ba7b811-9dad-51d1-80b4-00c04fd430c8"))); g.State != proof.Rejected ||
		!strings.Contains(g.Detail, "CHILD_JOB_NOT_APPLICATIVE_LEAF") {
		t.Errorf("an aggregation of an unknown child is %+v", g)
	}
	task := submit(t, p, child("a"))
	s.Finish(task)
	s.Corrupt(task, []byte("<html>"))
	if _, err := p.Fetch(t.Context(), task, proof.ProofFile); !errors.Is(err, artifact.ErrCorrupt) {
		t.Errorf("an HTML page as a proof: %v, want ErrCorrupt", err)
	}
	s.Expire(task)
	if _, err := p.Fetch(t.Context(), task, proof.ProofFile); !errors.Is(err, sharp.ErrExpired) ||
		!errors.Is(err, proof.ErrRejected) {
		t.Errorf("an expired proof: %v, want ErrExpired", err)
	}
	if s.Started() != 3 {
		t.Errorf("%d jobs, want 3", s.Started())
	}
}

func TestSubmit_Refused(t *testing.T) {
	t.Parallel()
	s := start(t, fakesharp.Config{})
	p := client(t, s, &facts{})
	one := submit(t, p, child("a"))
	registration, factless, bucketed, empty := child("r"), aggregation("f", one), child("b"), child("e")
	registration.Kind, factless.Fact, bucketed.Bucket, empty.InputSize = proof.Registration, "0x1", "b", 0
	for name, r := range map[string]proof.Request{
		"Registration": registration, "NoFact": factless, "Bucket": bucketed, "Empty": empty, "NoDedupID": child(""),
		"NoChildren": aggregation("n"), "OddChild": aggregation("o", "../x"),
		"Grandchild": aggregation("g", "applicative/x/"+prooftest.Fact(1)),
	} {
		if task, err := p.Submit(t.Context(), r); !errors.Is(err, proof.ErrRejected) {
			t.Errorf("%s: Submit = %q, %v; want ErrRejected", name, task, err)
		}
	}
	other := client(t, s, &facts{}, func(c *sharp.Config) { c.CustomerID = "other" })
	if _, err := other.Submit(t.Context(), child("x")); !errors.Is(err, sharp.ErrUnauthorized) ||
		errors.Is(err, proof.ErrRejected) {
		t.Errorf("as another customer: %v, want ErrUnauthorized and not ErrRejected", err)
	}
	if s.Started() != 1 {
		t.Errorf("%d jobs, want 1", s.Started())
	}
	if g := state(t, p, "applicative/x/0x1"); g.State != proof.Lost {
		t.Errorf("an odd task is %+v", g)
	}
}

// TestLargePIE sends 200 MB; all that both sides allocate stays far below. It runs alone, because it measures the
// process.
func TestLargePIE(t *testing.T) {
	const size, most = 200 << 20, 16 << 20
	var got int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte(`{"status":"UNKNOWN"}`))
			return
		}
		got, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write([]byte(`{"code":"JOB_RECEIVED_SUCCESSFULLY"}`))
	}))
	defer s.Close()
	p, err := sharp.New(sharp.Config{URL: s.URL, CustomerID: customer}, &facts{}, sharp.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	r := child("large")
	r.InputSize = size
	r.Input = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(zeros{}, size)), nil }
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := p.Submit(t.Context(), r); err != nil || got < size/3*4 {
		t.Fatalf("Submit: %v; the server read %d bytes", err, got)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > most {
		t.Errorf("%d bytes were allocated for a stream of %d, at most %d are to be", n, size, most)
	}
}

type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
