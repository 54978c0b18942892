package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

type head uint64

// Headers implements admin.Headers: each block is 10 seconds older than the next one, the head is new.
func (h head) Headers(_ context.Context, from, to uint64) ([]block.Header, error) {
	var out []block.Header
	for n := from; n <= to; n++ {
		out = append(out,
			block.Header{Number: n, Timestamp: time.Now().Add(-time.Duration(uint64(h)-n) * 10 * time.Second)})
	}
	return out, nil
}

func (h head) Head(context.Context) (uint64, error) { return uint64(h), nil }

type contract settlement.State

func (c contract) State(context.Context, bool) (settlement.State, error) {
	return settlement.State(c), nil
}

var errSecret = errors.New("dial https://node.example/v3/hunter2hunter2: refused")

// newAPI is the API over a chain with batch 1 (blocks 0 to 9), a job that is created and one that has failed.
func newAPI(t *testing.T, adminRoutes bool, checks ...admin.Check) (*apicontroller.Handler, *memory.Jobs) {
	t.Helper()
	var ds []memory.Declaration
	for _, q := range resource.Queues() {
		ds = append(ds, memory.Declaration{Name: q.Name})
	}
	queues, err := memory.NewQueues(nil, ds...)
	if err != nil {
		t.Fatal(err)
	}
	jobs, batches := memory.NewJobs(nil), memory.NewBatches(nil)
	core := setup.App{
		Chain: "dev", Seat: operator.Seat{Chain: "dev"},
		Layer: stage.L2, Jobs: jobs, Batches: batches, Locks: memory.NewLocks(nil),
		Control: memory.NewControls(nil), Queue: queues,
		Artifacts: memory.NewArtifacts(nil), Alerts: memory.NewAlerts(nil), Reports: memory.NewReports(nil),
		Events: memory.NewEvents(nil), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	created := job.New(strings.Repeat("0", 31)+"1", 1, &job.SnosRunMeta{}, "", time.Now())
	failed := job.New(strings.Repeat("0", 31)+"2", 2, &job.SnosRunMeta{}, "", time.Now()).FailedPermanently(time.Now(),
		errSecret)
	err = errors.Join(jobs.Create(t.Context(), created), jobs.Create(t.Context(), failed),
		batches.CreateAggregator(t.Context(), batch.AggregatorBatch{
			Index: 1, Span: batch.Span{StartBlock: 0, EndBlock: 9}, Status: batch.Closed,
			Snos: []batch.Span{{EndBlock: 9}},
		}))
	if err != nil {
		t.Fatal(err)
	}
	return core.API(setup.API{FeeUnit: "wei", Head: head(12), Contract: contract{Settled: true, Block: 4},
		Admin: adminRoutes, Checks: checks}), jobs
}

func call(t *testing.T, h *apicontroller.Handler, e events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	t.Helper()
	out, err := h.Handle(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.Body, "hunter2") {
		t.Errorf("the answer shows a secret: %s", out.Body)
	}
	return out
}

func get(method, path, query, body string) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{RawPath: path, RawQueryString: query, Body: body}
	e.Headers = map[string]string{"content-type": "application/json"}
	e.RequestContext.HTTP.Method, e.RequestContext.Authorizer = method, signed
	return e
}

// Every sample is answered with success.
func TestSamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../events/http/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var e events.APIGatewayV2HTTPRequest
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatal(err)
			}
			h, _ := newAPI(t, true)
			if out := call(t, h, e); out.StatusCode/100 != 2 {
				t.Errorf("status %d: %s", out.StatusCode, out.Body)
			}
		})
	}
}

func TestLag(t *testing.T) {
	t.Parallel()
	h, _ := newAPI(t, false)
	var l admin.Lag
	if err := json.Unmarshal([]byte(call(t, h, get("GET", "/lag", "", "")).Body), &l); err != nil {
		t.Fatal(err)
	}
	if *l.Head != 12 || *l.Settled != 4 || *l.Batched != 9 || *l.Blocks != 8 || *l.Failed != 1 ||
		l.Blocking == nil || l.Blocking.Batch != 2 {
		t.Errorf("got %+v, blocking %+v", l, l.Blocking)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("0", 31) + "2"
	h, jobs := newAPI(t, true)
	if out := call(t, h, get("POST", "/jobs/"+id+"/retry", "", `{"reason":"fixed"}`)); out.StatusCode != 200 {
		t.Fatalf("status %d: %s", out.StatusCode, out.Body)
	}
	if j, err := jobs.Get(t.Context(), id); err != nil || j.Status == job.Failed {
		t.Errorf("job is %s, %v", j.Status, err)
	}
	if out := call(t, h, get("POST", "/jobs/"+id+"/retry", "", "")); out.StatusCode != 409 {
		t.Errorf("retried twice: %d", out.StatusCode)
	}
}

// Hostile and wrong requests get a 4xx and change nothing; admin routes are off by default.
func TestRefusals(t *testing.T) {
	t.Parallel()
	failed := strings.Repeat("0", 31) + "2"
	for name, tt := range map[string]struct {
		e      events.APIGatewayV2HTTPRequest
		admin  bool
		status int
	}{
		"no route":          {get("GET", "/nothing", "", ""), true, 404},
		"admin is off":      {get("POST", "/jobs/"+failed+"/retry", "", ""), false, 404},
		"wrong method":      {get("DELETE", "/jobs", "", ""), true, 405},
		"no id":             {get("GET", "/jobs/xyz", "", ""), true, 400},
		"unknown job":       {get("GET", "/jobs/"+strings.Repeat("f", 32), "", ""), true, 404},
		"traversal":         {get("GET", "/jobs/..%2f..%2fetc", "", ""), true, 400},
		"null byte":         {get("GET", "/jobs/%00", "", ""), true, 400},
		"no path":           {get("GET", "%zz", "", ""), true, 400},
		"twice":             {get("GET", "/jobs", "type=SnosRun&type=SnosRun", ""), true, 400},
		"unknown parameter": {get("GET", "/jobs", "sort=1", ""), true, 400},
		"huge limit":        {get("GET", "/jobs", "limit=99999999999999999999", ""), true, 400},
		"zero limit":        {get("GET", "/batches", "limit=0", ""), true, 400},
		"unknown type":      {get("GET", "/jobs", "type=Nothing", ""), true, 400},
		"bad cursor":        {get("GET", "/jobs", "cursor=x", ""), true, 400},
		"no number":         {get("GET", "/blocks/-1", "", ""), true, 400},
		"block in no batch": {get("GET", "/blocks/77", "", ""), true, 404},
		"unknown batch":     {get("GET", "/batches/9", "", ""), true, 404},
		"large body": {get("POST", "/jobs/"+failed+"/retry", "", `{"reason":"`+strings.Repeat("x", 5000)+`"}`),
			true, 413},
		"unknown field": {get("POST", "/jobs/"+failed+"/retry", "", `{"force":true}`), true, 400},
		"no JSON":       {get("POST", "/jobs/"+failed+"/retry", "", `{`), true, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, jobs := newAPI(t, tt.admin)
			if out := call(t, h, tt.e); out.StatusCode != tt.status {
				t.Errorf("status %d, want %d: %s", out.StatusCode, tt.status, out.Body)
			}
			if j, err := jobs.Get(t.Context(), failed); err != nil || j.Status != job.Failed {
				t.Errorf("the job is %s, %v", j.Status, err)
			}
		})
	}
}

func TestNotReady(t *testing.T) {
	t.Parallel()
	h, _ := newAPI(t, false,
		admin.Check{Name: "settlement layer", Ping: func(context.Context) error { return errSecret }})
	out := call(t, h, get("GET", "/ready", "", ""))
	if out.StatusCode != 503 || !strings.Contains(out.Body, "can't be used: settlement layer") {
		t.Errorf("status %d: %s", out.StatusCode, out.Body)
	}
}

// A deployment that lacks something is alive and says what it lacks.
func TestUnready(t *testing.T) {
	t.Parallel()
	h := apicontroller.NewUnready(errors.New("secret mychain/wallet has no value: put it"))
	for path, want := range map[string]struct {
		status int
		text   string
	}{"/health": {200, "ok"}, "/ready": {503, "mychain/wallet has no value"}, "/jobs": {503, "see /ready"}} {
		if out := call(t, h, get("GET", path, "", "")); out.StatusCode != want.status ||
			!strings.Contains(out.Body, want.text) {
			t.Errorf("%s: %d %s", path, out.StatusCode, out.Body)
		}
	}
}

// The hook does not say whether there is such a job.
func TestHookRevealsNothing(t *testing.T) {
	t.Parallel()
	h, _ := newAPI(t, false)
	for _, path := range []string{"/hooks/prover/", operator.RunHooks} {
		for _, token := range []string{strings.Repeat("0", 31) + "1", strings.Repeat("f", 32), "nonsense"} {
			if out := call(t, h, get("POST", path+token, "",
				strings.Repeat("x", 9000))); out.StatusCode != 202 || out.Body != "" {
				t.Errorf("%s%s: %d %q", path, token, out.StatusCode, out.Body)
			}
		}
	}
}

// A runner's word hastens the run that it is about, and is learned from.
func TestRunHook(t *testing.T) {
	t.Parallel()
	jobs := memory.NewJobs(nil)
	queues, err := memory.NewQueues(nil, memory.Declaration{Name: "q"})
	if err != nil {
		t.Fatal(err)
	}
	later, began := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for i, of := range []job.Metadata{&job.SnosRunMeta{}, &job.StateTransitionMeta{}} {
		j := job.New(strings.Repeat(fmt.Sprint(i+1), 32), 1, of, "t", began)
		j.Status, j.NextAction, j.DueAt = job.PendingVerification, job.Verify, later
		j.Wait = j.WaitFor("", began)
		if err := jobs.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	to := func(job.Type, job.Action, bool) string { return "q" }
	s := &admin.Service{Jobs: jobs, Now: time.Now, Executor: &executor.Executor{Jobs: jobs, Queue: queues, Route: to,
		Now: time.Now, Policies: job.Policies(), NewOwner: job.NewID}}
	h := apicontroller.NewHooks(s, nil, slog.New(slog.DiscardHandler))
	for id, hastened := range map[string]bool{strings.Repeat("1", 32): true, strings.Repeat("2", 32): false} {
		if out := call(t, h, get("POST", operator.RunHooks+id, "", "")); out.StatusCode != 202 {
			t.Errorf("status %d", out.StatusCode)
		}
		if j, err := jobs.Get(t.Context(), id); err != nil || j.DueAt.Before(later) != hastened ||
			j.Wait.Reported != hastened {
			t.Errorf("%s is due %v (%v), reported %t; want %t", j.Type, j.DueAt, err, j.Wait.Reported, hastened)
		}
	}
}

// A prover's webhook hastens the jobs of the tasks that it is about, and says no more than that it was taken.
func TestProverHook(t *testing.T) {
	t.Parallel()
	jobs := memory.NewJobs(nil)
	queues, err := memory.NewQueues(nil, memory.Declaration{Name: "q"})
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	for i, id := range []string{strings.Repeat("1", 32), strings.Repeat("2", 32)} {
		j := job.New(id, uint64(i+1), &job.ProofCreationMeta{}, "t", time.Now().Add(-time.Hour))
		j.Status, j.NextAction, j.DueAt, j.ExternalID = job.PendingVerification, job.Verify, later, "task-"+id[:1]
		if err := jobs.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	to := func(job.Type, job.Action, bool) string { return "q" }
	s := &admin.Service{Jobs: jobs, Now: time.Now, Executor: &executor.Executor{Jobs: jobs, Queue: queues, Route: to,
		Now: time.Now, Policies: job.Policies(), NewOwner: job.NewID}}
	hook := func(_ context.Context, token string, body []byte) ([]string, error) {
		switch {
		case token != "secret":
			return nil, fmt.Errorf("token: %w", apicontroller.ErrBadHook)
		case string(body) == "down":
			return nil, errSecret
		}
		return []string{string(body)}, nil
	}
	h := apicontroller.New(s, false, hook, slog.New(slog.DiscardHandler))
	for _, tt := range []struct {
		token, body string
		status      int
	}{
		{"secret", "task-1", 202}, {"secret", "task-9", 202}, {"guess", "task-2", 400}, {"secret", "down", 503},
		{"secret", strings.Repeat("x", 70_000), 413},
	} {
		out := call(t, h, get("POST", "/hooks/atlantic/"+tt.token, "", tt.body))
		if out.StatusCode != tt.status || strings.Contains(out.Body, "task") ||
			strings.Contains(out.Body, errSecret.Error()) {
			t.Errorf("%s %.10s: %d %s", tt.token, tt.body, out.StatusCode, out.Body)
		}
	}
	for id, hastened := range map[string]bool{strings.Repeat("1", 32): true, strings.Repeat("2", 32): false} {
		if j, err := jobs.Get(t.Context(), id); err != nil || j.DueAt.Before(later) != hastened {
			t.Errorf("job %.1s is due %v (%v), hastened want %t", id, j.DueAt, err, hastened)
		}
	}
}

func FuzzHandle(f *testing.F) {
	f.Add("GET", "/jobs", "type=SnosRun", "")
	f.Add("POST", "/jobs/"+strings.Repeat("0", 31)+"2/retry", "", `{"reason":"x"}`)
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		h, _ := newAPI(t, true)
		if out := call(t, h, get(method, path, query, body)); out.StatusCode >= 500 {
			t.Errorf("status %d: %s", out.StatusCode, out.Body)
		}
	})
}
