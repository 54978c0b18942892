package api_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
)

// answer is a request and the answer that is wanted.
type answer struct {
	operation   string
	path, query string
	body        string
	status      int
	change      func(*events.APIGatewayV2HTTPRequest)
	fault       fault.Rule
	checks      []admin.Check

	unknownWallet bool
	contractDown  bool
	noTopic       bool
}

// Every answer that the file names is given once, and every answer is as the file says.
func TestOpenAPIAnswers(t *testing.T) {
	t.Parallel()
	s := readSpec(t)
	unread := fault.Rule{Component: "jobs", Times: -1, Fault: fault.Fault{Kind: fault.FailBefore, Err: errSecret}}
	unreadBatches := fault.Rule{Component: "batches", Times: -1, Fault: unread.Fault}
	unreadReports := fault.Rule{Component: "reports", Times: -1, Fault: unread.Fault}
	unreadControls := fault.Rule{Component: "controls", Times: -1, Fault: unread.Fault}
	unreadRewinds := fault.Rule{Component: "rewinds", Times: -1, Fault: unread.Fault}
	const apply = `{"by":"me","reason":"too large","apply":true}`
	down := admin.Check{Name: "settlement layer", Ping: func(context.Context) error { return errSecret }}
	tests := []answer{
		{operation: "GET /", path: "/", status: 200},
		{operation: "GET /openapi.yaml", path: "/openapi.yaml", status: 200},
		{operation: "GET /health", path: "/health", status: 200},
		{operation: "GET /ready", path: "/ready", status: 200},
		{operation: "GET /ready", path: "/ready", status: 503, checks: []admin.Check{down}},
		{operation: "GET /lag", path: "/lag", status: 200},
		{operation: "GET /lag", path: "/lag", status: 200, fault: unread},
		{operation: "GET /alerts", path: "/alerts", status: 200},
		{operation: "GET /alerts", path: "/alerts", status: 500, fault: unreadReports},
		{operation: "GET /rewinds", path: "/rewinds", status: 200},
		{operation: "GET /rewinds", path: "/rewinds", status: 500, fault: unreadRewinds},
		{operation: "GET /history", path: "/history", status: 200},
		{operation: "GET /history", path: "/history", status: 500,
			fault: fault.Rule{Component: "history", Times: -1, Fault: unread.Fault}},
		{operation: "GET /wallet", path: "/wallet", status: 200},
		{operation: "GET /wallet", path: "/wallet", status: 404, unknownWallet: true},
		{operation: "GET /wallet", path: "/wallet", status: 500, fault: unreadBatches},
		{operation: "GET /contracts", path: "/contracts", status: 200},
		{operation: "GET /contracts", path: "/contracts", status: 404, unknownWallet: true},
		{operation: "GET /contracts", path: "/contracts", status: 500, contractDown: true},
		{operation: "GET /ledger", path: "/ledger", status: 200},
		{operation: "GET /ledger", path: "/ledger", query: "days=31", status: 200},
		{operation: "GET /ledger", path: "/ledger", query: "days=32", status: 400},
		{operation: "GET /ledger", path: "/ledger", status: 500, fault: unreadBatches},
		{operation: "GET /batches/{index}/artifacts", path: "/batches/1/artifacts", status: 200},
		{operation: "GET /batches/{index}/artifacts", path: "/batches/999/artifacts", status: 404},
		{operation: "GET /batches/{index}/artifacts", path: "/batches/1/artifacts", status: 500, fault: unreadBatches},
		{operation: "GET /snos-batches/{index}/artifacts", path: "/snos-batches/1/artifacts", status: 200},
		{operation: "GET /snos-batches/{index}/artifacts", path: "/snos-batches/999/artifacts", status: 404},
		{operation: "GET /snos-batches/{index}/artifacts", path: "/snos-batches/1/artifacts", status: 500,
			fault: unreadBatches},
		{operation: "GET /snos-batches", path: "/snos-batches", status: 200},
		{operation: "GET /snos-batches", path: "/snos-batches", query: "status=Open&after=7", status: 200},
		{operation: "GET /snos-batches", path: "/snos-batches", query: "status=Open&before=7", status: 200},
		{operation: "GET /snos-batches", path: "/snos-batches", status: 500, fault: unreadBatches},
		{operation: "GET /batches", path: "/batches", query: "status=Open&limit=3", status: 200},
		{operation: "GET /batches", path: "/batches", query: "status=Sold", status: 400},
		{operation: "GET /batches", path: "/batches", query: "after=7", status: 200},
		{operation: "GET /jobs", path: "/jobs", status: 200},
		{operation: "GET /jobs", path: "/jobs", query: "type=SnosRun&status=Failed&limit=100&newest=true", status: 200},
		{operation: "GET /jobs", path: "/jobs", query: "limit=3&cursor=Aggregator.2", status: 200},
		{operation: "GET /jobs", path: "/jobs", query: "limit=101", status: 400},
		{operation: "GET /jobs", path: "/jobs", status: 500, fault: unread},
		{operation: "GET /jobs/{id}", path: "/jobs/x", status: 400},
		{operation: "GET /jobs/{id}", path: "/jobs/" + id(999), status: 404},
		{operation: "GET /jobs/{id}", path: "/jobs/" + id(newerJob), status: 409},
		{operation: "GET /jobs/{id}", path: "/jobs/" + id(pendingJob), status: 500, fault: unread},
		{operation: "GET /batches", path: "/batches", status: 200},
		{operation: "GET /batches", path: "/batches", query: "before=5&limit=50", status: 200},
		{operation: "GET /batches", path: "/batches", query: "before=x", status: 400},
		{operation: "GET /batches", path: "/batches", status: 500, fault: unreadBatches},
		{operation: "GET /stages", path: "/stages", status: 200},
		{operation: "GET /stages", path: "/stages", status: 500, fault: unreadControls},
		{operation: "POST /hooks/prover/{token}", path: "/hooks/prover/" + id(pendingJob), status: 202},
		{operation: "POST /hooks/run/{token}", path: "/hooks/run/" + id(pendingJob), status: 202},
		{operation: "POST /hooks/atlantic/{token}", path: "/hooks/atlantic/" + hookSecret, body: "{}", status: 202},
		{operation: "POST /hooks/atlantic/{token}", path: "/hooks/atlantic/guess", body: "{}", status: 400},
		{operation: "POST /hooks/atlantic/{token}", path: "/hooks/atlantic/", body: "{}", status: 404},
		{operation: "POST /hooks/atlantic/{token}", path: "/hooks/atlantic/" + hookSecret,
			body: strings.Repeat("x", 70_000), status: 413},
		{operation: "POST /hooks/atlantic/{token}", path: "/hooks/atlantic/" + hookSecret, body: `"down"`, status: 503},
	}
	add := tests[0]
	for _, at := range []string{"/batches/{index}", "/snos-batches/{index}", "/blocks/{number}"} {
		base := at[:strings.LastIndex(at, "/")+1]
		for last, status := range map[string]int{"1": 200, "60": 200, "-1": 400, "777": 404} {
			add = tests[0]
			add.operation, add.path, add.status = "GET "+at, base+last, status
			tests = append(tests, add)
		}
		add.path, add.status, add.fault = base+"1", 500, unreadBatches
		tests = append(tests, add)
	}
	for n := range 6 * len(job.Statuses) {
		if n+1 != newerJob {
			add = tests[0]
			add.operation, add.path, add.status = "GET /jobs/{id}", "/jobs/"+id(n+1), 200
			tests = append(tests, add)
		}
	}
	for command, n := range map[string]int{"process": createdJob, "verify": pendingJob, "retry": failedJob} {
		refused := map[string]int{"process": pendingJob, "verify": createdJob, "retry": createdJob}[command]
		for _, x := range []struct {
			id     int
			body   string
			status int
			change func(*events.APIGatewayV2HTTPRequest)
			fault  fault.Rule
		}{
			{id: n, status: 200}, {id: n, body: `{"reason":"fixed","priority":true}`, status: 200},
			{id: n, body: `{"x":1}`, status: 400},
			{id: n, status: 401, change: func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.Authorizer = nil }},
			{id: n, status: 403,
				change: func(e *events.APIGatewayV2HTTPRequest) { e.Headers["sec-fetch-site"] = "cross-site" }},
			{id: 999, status: 404}, {id: refused, status: 409}, {id: newerJob, status: 409}, {id: busyJob, status: 409},
			{id: n, body: strings.Repeat(" ", 5000), status: 413},
			{id: n, body: "{}", status: 415,
				change: func(e *events.APIGatewayV2HTTPRequest) { e.Headers["content-type"] = "text/plain" }},
			{id: n, status: 500, fault: unread},
		} {
			add = tests[0]
			add.operation, add.path, add.body, add.status = "POST /jobs/{id}/"+command, "/jobs/"+
				id(x.id)+"/"+command, x.body, x.status
			add.change, add.fault = x.change, x.fault
			tests = append(tests, add)
		}
	}
	why := `{"reason":"the prover is away"}`
	for _, command := range []string{"pause", "resume", "requeue", "retry"} {
		for _, x := range []struct {
			stage, body string
			status      int
			change      func(*events.APIGatewayV2HTTPRequest)
			fault       fault.Rule
		}{
			{stage: "SnosRun", body: why, status: 200}, {stage: "StateTransition", body: why, status: 200},
			{stage: "SnosRun", status: 400},
			{stage: "SnosRun", body: why, status: 401,
				change: func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.Authorizer = nil }},
			{stage: "SnosRun", body: why, status: 403,
				change: func(e *events.APIGatewayV2HTTPRequest) { e.Headers["sec-fetch-site"] = "cross-site" }},
			{stage: "Nothing", body: why, status: 404},
			{stage: "SnosRun", body: strings.Repeat(" ", 5000), status: 413},
			{stage: "SnosRun", body: why, status: 415,
				change: func(e *events.APIGatewayV2HTTPRequest) { e.Headers["content-type"] = "text/plain" }},
			{stage: "SnosRun", body: why, status: 500, fault: unreadControls},
		} {
			add = tests[0]
			add.operation, add.path, add.body, add.status = "POST /stages/{stage}/"+command, "/stages/"+
				x.stage+"/"+command, x.body, x.status
			add.change, add.fault = x.change, x.fault
			tests = append(tests, add)
		}
	}
	for _, x := range []struct {
		index, body string
		status      int
		change      func(*events.APIGatewayV2HTTPRequest)
		fault       fault.Rule
	}{
		{index: "60", body: why, status: 200}, {index: "60", status: 400}, {index: "x", body: why, status: 400},
		{index: "61", body: why, status: 404},
		{index: "1", body: why, status: 409}, {index: "60", body: strings.Repeat(" ", 5000), status: 413},
		{index: "60", body: why, status: 401,
			change: func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.Authorizer = nil }},
		{index: "60", body: why, status: 403,
			change: func(e *events.APIGatewayV2HTTPRequest) { e.Headers["sec-fetch-site"] = "cross-site" }},
		{index: "60", body: why, status: 415,
			change: func(e *events.APIGatewayV2HTTPRequest) { e.Headers["content-type"] = "text/plain" }},
		{index: "60", body: why, status: 500, fault: unreadControls},
	} {
		add = tests[0]
		add.operation, add.path, add.body, add.status = "POST /batches/{index}/close", "/batches/"+
			x.index+"/close", x.body, x.status
		add.change, add.fault = x.change, x.fault
		tests = append(tests, add)
	}
	for _, x := range []struct {
		index, body string
		status      int
		change      func(*events.APIGatewayV2HTTPRequest)
		fault       fault.Rule
	}{
		{index: "60", status: 200}, {index: "60", body: apply, status: 200}, {index: "1", body: why, status: 200},
		{index: "60", body: `{"apply":true}`, status: 400}, {index: "x", body: why, status: 400},
		{index: "61", body: why, status: 404},
		{index: "1", body: apply, status: 409}, {index: "60", body: strings.Repeat(" ", 5000), status: 413},
		{index: "60", body: why, status: 401,
			change: func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.Authorizer = nil }},
		{index: "60", body: why, status: 403,
			change: func(e *events.APIGatewayV2HTTPRequest) { e.Headers["sec-fetch-site"] = "cross-site" }},
		{index: "60", body: why, status: 415,
			change: func(e *events.APIGatewayV2HTTPRequest) { e.Headers["content-type"] = "text/plain" }},
		{index: "60", body: why, status: 500, fault: unreadRewinds},
	} {
		add = tests[0]
		add.operation, add.path, add.body, add.status = "POST /batches/{index}/rewind", "/batches/"+
			x.index+"/rewind", x.body, x.status
		add.change, add.fault = x.change, x.fault
		tests = append(tests, add)
	}
	tests = append(tests, subscriberAnswers(tests[0])...)
	for _, o := range s.operations() {
		add = tests[0]
		add.operation = o
		_, add.path, _ = strings.Cut(o, " ")
		add.path, add.query, add.status = strings.NewReplacer("{", "", "}", "").Replace(add.path), "x=%zz", 400
		tests = append(tests, add)
		add.query, add.status = strings.Repeat("x", 5000), 414
		tests = append(tests, add)
	}
	given := map[string]bool{}
	for _, tt := range tests {
		for _, layer := range []stage.Layer{stage.L2, stage.L3} {
			w := newWorld(t, layer, slog.New(slog.DiscardHandler), tt.checks...)
			if tt.fault.Component != "" {
				w.faults.Add(tt.fault)
			}
			if tt.contractDown {
				w.Service.Contracts = func(context.Context) (contracts.Report, error) {
					return contracts.Report{}, errors.New("no answer")
				}
			}
			if tt.noTopic {
				w.Service.Topic = nil
			}
			if tt.unknownWallet {
				w.Service.Wallet, w.Service.Contracts = nil, nil
			}
			method, _, _ := strings.Cut(tt.operation, " ")
			e := get(method, tt.path, tt.query, tt.body)
			if tt.change != nil {
				tt.change(&e)
			}
			out := call(t, w.Handler, e)
			if out.StatusCode != tt.status {
				t.Errorf("%s %s?%s %.60s: status %d, want %d: %s",
					method, tt.path, tt.query, tt.body, out.StatusCode, tt.status, out.Body)
			}
			s.check(t, tt.operation, out)
			given[tt.operation+" "+strconv.Itoa(out.StatusCode)] = true
		}
	}
	given["POST /subscribers/confirm 200"] = true // TestSubscribers has the token
	for _, o := range s.operations() {            // of a deployment that lacks something
		method, path, _ := strings.Cut(o, " ")
		out := call(t, apicontroller.NewUnready(errSecret), get(method, path, "", ""))
		s.check(t, o, out)
		given[o+" "+strconv.Itoa(out.StatusCode)] = true
	}
	for _, o := range s.operations() {
		for _, code := range s.answers(o) {
			byGateway := strings.HasPrefix(o, "GET ") && (code == "401" || code == "403")
			if !byGateway && !given[o+" "+code] {
				t.Errorf("the file names %s for %s, which no test was answered with", code, o)
			}
		}
	}
}

// subscriberAnswers are those about who gets the alerts.
func subscriberAnswers(empty answer) (out []answer) {
	fails := fault.Rule{Component: "alerts", Times: -1, Fault: fault.Fault{Kind: fault.FailBefore, Err: errSecret}}
	anonymous := func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.Authorizer = nil }
	foreign := func(e *events.APIGatewayV2HTTPRequest) { e.Headers["sec-fetch-site"] = "cross-site" }
	plain := func(e *events.APIGatewayV2HTTPRequest) { e.Headers["content-type"] = "text/plain" }
	add := func(method, path, body string, status int, change func(*events.APIGatewayV2HTTPRequest)) *answer {
		a := empty
		a.operation, a.path, a.body, a.status, a.change = method+" "+path, path, body, status, change
		out = append(out, a)
		return &out[len(out)-1]
	}
	add("GET", "/subscribers", "", 200, nil)
	add("GET", "/subscribers", "", 404, nil).noTopic = true
	add("GET", "/subscribers", "", 500, nil).fault = fails
	paths := map[string][2]string{ // a body that is taken, and one that is not
		"/subscribers/add":         {`{"endpoint":"b@example.com","by":"ann"}`, `{"endpoint":"http://example.com"}`},
		"/subscribers/confirm":     {"", `{"token":"x"}`},
		"/subscribers/{id}/remove": {"{}", `{"endpoint":"b@example.com"}`},
	}
	for path, bodies := range paths {
		if path != "/subscribers/confirm" { // its token is known to the webhook alone: TestSubscribers
			add("POST", path, bodies[0], 200, nil)
		}
		add("POST", path, bodies[1], 400, nil)
		add("POST", path, bodies[0], 401, anonymous)
		add("POST", path, bodies[0], 403, foreign)
		add("POST", path, bodies[0], 404, nil).noTopic = true
		add("POST", path, strings.Repeat(" ", 5000), 413, nil)
		add("POST", path, "{}", 415, plain)
		add("POST", path, bodies[0], 500, nil).fault = fails
	}
	const remove = "/subscribers/{id}/remove"
	add("POST", remove, "", 404, nil).path = "/subscribers/other/remove"
	add("POST", remove, "", 409, nil).path = "/subscribers/" +
		alert.SubscriberID(alert.HTTP, "http://127.0.0.1:1/waits") + "/remove"
	for i := range out {
		out[i].path = strings.Replace(out[i].path, "{id}", alert.SubscriberID(alert.Email, subscribedMail), 1)
	}
	return out
}
