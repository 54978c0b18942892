package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// Hostile requests get a 4xx that is a problem with advice, show nothing of the inside, log nothing as an error and
// leave every document as it was.
func TestHostile(t *testing.T) {
	t.Parallel()
	retry := "/jobs/" + id(failedJob) + "/retry"
	type request = events.APIGatewayV2HTTPRequest
	with := func(e request, change func(*request)) request { change(&e); return e }
	header := func(k, v string) func(*request) { return func(e *request) { e.Headers[k] = v } }
	w := newWorld(t, stage.L2, slog.New(slog.DiscardHandler))
	for name, tt := range map[string]struct {
		e      request
		status int
		advice string // a part of the detail
	}{
		// Who asks.
		"command of nobody": {with(get("POST", retry, "", ""),
			func(e *request) { e.RequestContext.Authorizer = nil }), 401, "sign the request"},
		"command of nobody, named": {with(get("POST", retry, "", `{"by":"ada"}`),
			func(e *request) { e.RequestContext.Authorizer = nil }), 401, "sign the request"},
		"empty authorizer": {with(get("POST", retry, "", ""), func(e *request) {
			e.RequestContext.Authorizer = new(events.APIGatewayV2HTTPRequestContextAuthorizerDescription)
		}), 401, "token"},
		"a header is not a caller": {with(with(get("POST", retry, "", ""),
			func(e *request) { e.RequestContext.Authorizer = nil }), header("authorization", goodToken)), 401, "token"},
		"another site's page": {with(get("POST", retry, "", ""), header("sec-fetch-site", "cross-site")), 403,
			"another site"},
		"another site's origin": {with(get("POST", retry, "", ""), header("origin", "https://evil.example")), 403,
			"another site"},
		"a form of another site": {with(get("POST", retry, "", "reason=x"),
			header("content-type", "application/x-www-form-urlencoded")), 415, "application/json"},
		"command through the hooks": {get("POST", "/hooks/.."+retry, "", ""), 404, "/openapi.yaml"},
		// Paths.
		"dots":                  {get("GET", "/jobs/../jobs", "", ""), 404, "/openapi.yaml"},
		"dots at the end":       {get("GET", "/jobs/..", "", ""), 404, "/openapi.yaml"},
		"encoded dots":          {get("GET", "/jobs/%2e%2e/", "", ""), 404, "/openapi.yaml"},
		"encoded slashes":       {get("GET", "/jobs/..%2F..%2Fetc%2Fpasswd", "", ""), 400, "32 hex digits"},
		"encoded twice":         {get("GET", "/jobs/%252e%252e%252f", "", ""), 400, "32 hex digits"},
		"backslashes":           {get("GET", `/jobs/..%5c..%5cx`, "", ""), 400, "32 hex digits"},
		"empty segments":        {get("GET", "//jobs", "", ""), 404, "/openapi.yaml"},
		"another host":          {get("GET", "//evil.example/jobs", "", ""), 404, "/openapi.yaml"},
		"an absolute URL":       {get("GET", "http://evil.example/jobs", "", ""), 404, "/openapi.yaml"},
		"slash at the end":      {get("GET", "/jobs/", "", ""), 404, "/openapi.yaml"},
		"NUL":                   {get("GET", "/jobs/%00", "", ""), 400, "32 hex digits"},
		"NUL after an id":       {get("GET", "/jobs/"+id(failedJob)+"%00", "", ""), 400, "32 hex digits"},
		"raw NUL":               {get("GET", "/jobs/\x00", "", ""), 400, "does not decode"},
		"line break":            {get("GET", "/jobs/%0d%0aSet-Cookie:x", "", ""), 400, "32 hex digits"},
		"no UTF-8":              {get("GET", "/jobs/%ff%fe", "", ""), 400, "32 hex digits"},
		"bad escape":            {get("GET", "/jobs/%zz", "", ""), 400, "does not decode"},
		"upper case id":         {get("GET", "/jobs/"+strings.Repeat("A", 32), "", ""), 400, "lower case"},
		"operator as id":        {get("GET", "/jobs/%7B%22$ne%22:null%7D", "", ""), 400, "32 hex digits"},
		"very long":             {get("GET", "/jobs/"+strings.Repeat("a", 1<<20), "", ""), 414, "4096 bytes"},
		"number with a sign":    {get("GET", "/batches/+1", "", ""), 400, "decimal"},
		"hexadecimal number":    {get("GET", "/blocks/0x1", "", ""), 400, "decimal"},
		"fraction":              {get("GET", "/blocks/1.5", "", ""), 400, "decimal"},
		"number of 2^63":        {get("GET", "/blocks/9223372036854775808", "", ""), 400, "2^63"},
		"batch 0":               {get("GET", "/batches/0", "", ""), 404, "not found"},
		"largest number":        {get("GET", "/blocks/9223372036854775807", "", ""), 404, "in no batch"},
		"a file of the machine": {get("GET", "/etc/passwd", "", ""), 404, "/openapi.yaml"},
		// Queries.
		"a parameter twice":         {get("GET", "/jobs", "limit=1&limit=2", ""), 400, "limit once"},
		"a parameter as array":      {get("GET", "/jobs", "limit[]=1", ""), 400, "want type, status"},
		"without a value":           {get("GET", "/jobs", "cursor=", ""), 400, "with a value"},
		"negative limit":            {get("GET", "/jobs", "limit=-1", ""), 400, "1 to 100"},
		"limit above the most":      {get("GET", "/batches", "limit=51", ""), 400, "1 to 50"},
		"limit of 2^64":             {get("GET", "/jobs", "limit=18446744073709551616", ""), 400, "1 to 100"},
		"limit in words":            {get("GET", "/jobs", "limit=ten", ""), 400, "1 to 100"},
		"negative before":           {get("GET", "/batches", "before=-1", ""), 400, "decimal"},
		"cursor without a number":   {get("GET", "/jobs", "cursor=SnosRun.", ""), 400, "cursor"},
		"cursor beyond the store":   {get("GET", "/jobs", "cursor=SnosRun.9223372036854775808", ""), 400, "cursor"},
		"cursor of no type":         {get("GET", "/jobs", "cursor=x.1", ""), 400, "cursor"},
		"cursor of another type":    {get("GET", "/jobs", "type=Aggregator&cursor=SnosRun.1", ""), 400, "cursor"},
		"no UTF-8 in the cursor":    {get("GET", "/jobs", "cursor=%ff", ""), 400, "cursor"},
		"a script as type":          {get("GET", "/jobs", "type=%3Cscript%3E", ""), 400, "want one of"},
		"newest that is not a bool": {get("GET", "/jobs", "newest=1", ""), 400, "true or false"},
		"semicolons":                {get("GET", "/jobs", "limit=1;type=SnosRun", ""), 400, "percent-encode"},
		"bad escape in the query":   {get("GET", "/health", "x=%zz", ""), 400, "percent-encode"},
		"very long query":           {get("GET", "/jobs", "cursor="+strings.Repeat("x", 1<<20), ""), 414, "4096 bytes"},
		"many parameters":           {get("GET", "/jobs", strings.Repeat("a=1&", 1000), ""), 400, "no parameter"},
		"unknown job beside":        {get("POST", "/jobs/"+id(999)+"/retry", "", ""), 404, "not found"},
		// Methods.
		"DELETE":               {get("DELETE", "/jobs/"+id(failedJob), "", ""), 405, "GET"},
		"PUT":                  {get("PUT", "/batches/1", "", ""), 405, "GET"},
		"PATCH of a command":   {get("PATCH", retry, "", ""), 405, "POST"},
		"GET of a command":     {get("GET", retry, "", ""), 405, "POST"},
		"POST of a reading":    {get("POST", "/lag", "", ""), 405, "GET"},
		"OPTIONS":              {get("OPTIONS", "/jobs", "", ""), 405, "GET"},
		"TRACE":                {get("TRACE", "/jobs", "", ""), 405, "GET"},
		"CONNECT":              {get("CONNECT", "/jobs", "", ""), 405, "GET"},
		"a made-up method":     {get("RETRY", retry, "", ""), 405, "POST"},
		"method in lower case": {get("post", retry, "", ""), 405, "POST"},
		"no method":            {get("A B", "/jobs", "", ""), 400, "does not decode"},
		"method in a header": {with(get("GET", retry, "", ""), header("x-http-method-override", "POST")), 405,
			"POST"},
		"GET of a hook": {get("GET", "/hooks/prover/"+id(pendingJob), "", ""), 405, "POST"},
		// Bodies.
		"oversize": {get("POST", retry, "", `{"reason":"`+strings.Repeat("x", 5000)+`"}`), 413,
			"more than 4096 bytes"},
		"oversize after JSON": {get("POST", retry, "", `{}`+strings.Repeat(" ", 5000)), 413, "more than 4096 bytes"},
		"oversize in base64": {with(get("POST", retry, "",
			base64.StdEncoding.EncodeToString(bytes.Repeat([]byte(" "), 5000))), func(e *request) {
			e.IsBase64Encoded = true
		}), 413, "more than 4096 bytes"},
		"no base64": {with(get("POST", retry, "", "{"), func(e *request) { e.IsBase64Encoded = true }),
			400, "does not decode"},
		"deep": {get("POST", retry, "", `{"reason":`+strings.Repeat("[", 4000)), 400,
			"invalid request"},
		"two values":       {get("POST", retry, "", `{}{}`), 400, "follows the object"},
		"null":             {get("POST", retry, "", `null`), 400, "not null"},
		"array":            {get("POST", retry, "", `[]`), 400, "array"},
		"unknown field":    {get("POST", retry, "", `{"status":"Completed"}`), 400, "status"},
		"number as reason": {get("POST", retry, "", `{"reason":1}`), 400, "reason"},
		"long reason": {get("POST", retry, "", `{"reason":"`+strings.Repeat("x", 501)+`"}`), 400,
			"at most 500"},
		"long by": {get("POST", retry, "", `{"by":"`+strings.Repeat("x", 201)+`"}`), 400, "at most 200"},
		"line break in a reason": {get("POST", retry, "", `{"reason":"x\n{\"level\":\"INFO\"}"}`), 400,
			"control characters"},
		"escape in a name":     {get("POST", retry, "", `{"by":"\u001b[31m"}`), 400, "control characters"},
		"no UTF-8 in a reason": {get("POST", retry, "", "{\"reason\":\"\xff\"}"), 400, "UTF-8"},
		"no content type": {with(get("POST", retry, "", "{}"),
			func(e *request) { delete(e.Headers, "content-type") }), 415, "application/json"},
		"another content type": {with(get("POST", retry, "", "{}"),
			header("content-type", "text/plain; application/json")), 415, "application/json"},
		"a wrong webhook secret": {get("POST", "/hooks/atlantic/guess", "", "{}"), 400, "not a webhook"},
		"oversize webhook": {get("POST", "/hooks/atlantic/"+hookSecret, "", strings.Repeat("x", 65<<10)),
			413, "more than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			h := *w.Handler // the documents are shared: no request may change them
			h.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
			out := call(t, &h, tt.e)
			var problem struct {
				Title, Detail string
				Status        int
			}
			err := json.Unmarshal([]byte(out.Body), &problem)
			if out.StatusCode != tt.status || out.Headers["Content-Type"] != "application/problem+json" || err != nil ||
				problem.Status != tt.status || !strings.Contains(problem.Detail, tt.advice) || problem.Title == "" {
				t.Errorf("status %d, want %d with %q: %v %q (%v)",
					out.StatusCode, tt.status, tt.advice, out.Headers, out.Body, err)
			}
			for _, inside := range []string{"goroutine", ".go:", "0xc0", "panic", "/root/",
				"shared/", hookSecret, "<script>"} {
				if strings.Contains(out.Body, inside) {
					t.Errorf("the answer shows %q: %s", inside, out.Body)
				}
			}
			if len(out.Body) > 1000 || out.Headers["Set-Cookie"] != "" || out.Headers["Location"] != "" {
				t.Errorf("%d bytes, headers %v", len(out.Body), out.Headers)
			}
			if (out.StatusCode == 405) != (out.Headers["Allow"] != "") {
				t.Errorf("status %d with Allow %q", out.StatusCode, out.Headers["Allow"])
			}
			if log.Len() > 0 {
				t.Errorf("logged as an error: %s", log.String())
			}
		})
	}
	before := w.documents(t, t.Context())
	t.Cleanup(func() { // after the parallel tests above
		if d := cmp.Diff(before, w.documents(t, context.Background())); d != "" {
			t.Errorf("documents changed (-before +after):\n%s", d)
		}
	})
}

// The audit names whom the gateway has authenticated, whatever the body claims.
func TestCommandNamesTheCaller(t *testing.T) {
	t.Parallel()
	type description = events.APIGatewayV2HTTPRequestContextAuthorizerDescription
	jwt := func(claims map[string]string) *description {
		return &description{JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: claims}}
	}
	for name, tt := range map[string]struct {
		by   *description
		want string
	}{
		"IAM":                      {signed, "user/ada"},
		"token":                    {jwt(map[string]string{"sub": "grace"}), "by=grace"},
		"token of a machine":       {jwt(map[string]string{"client_id": "pager"}), "by=pager"},
		"token of nobody":          {jwt(nil), "a token without sub"},
		"token with a forged line": {jwt(map[string]string{"sub": "x\ny" + strings.Repeat("z", 500)}), "by=x?yz"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			w := newWorld(t, stage.L2, slog.New(slog.NewTextHandler(&log, nil)))
			e := get("POST", "/jobs/"+id(failedJob)+"/retry", "", `{"by":"mallory","reason":"fixed"}`)
			e.RequestContext.Authorizer = tt.by
			if out := call(t, w.Handler, e); out.StatusCode != 200 {
				t.Errorf("status %d: %s", out.StatusCode, out.Body)
			}
			if got := log.String(); !strings.Contains(got, tt.want) || strings.Contains(got, "mallory") {
				t.Errorf("want %q in the audit: %s", tt.want, got)
			}
		})
	}
}

// Over plain HTTP, as `make run` serves it, a browser's page of another site can't give commands.
func TestCommandsOverHTTP(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header, value string
		status        int
	}{
		"curl": {"X-None", "", 200}, "own page": {"Sec-Fetch-Site", "same-origin", 200},
		"another site": {"Origin", "https://evil.example", 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, stage.L2, slog.New(slog.DiscardHandler))
			r := httptest.NewRequest(http.MethodPost, "/jobs/"+id(failedJob)+"/retry",
				strings.NewReader(`{"by":"ada"}`))
			r.Header.Set("Content-Type", "application/json; charset=utf-8")
			r.Header.Set(tt.header, tt.value)
			out := httptest.NewRecorder()
			w.ServeHTTP(out, r)
			if out.Code != tt.status {
				t.Errorf("status %d, want %d: %s", out.Code, tt.status, out.Body)
			}
		})
	}
}

// A panic is answered without its words, and neither it nor a failure makes the webhook's secret show in the log.
func TestPanic(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	hook := func(context.Context, string, []byte) ([]string, error) { panic("out of cheese") }
	h := apicontroller.New(new(admin.Service), false, hook, slog.New(slog.NewTextHandler(&log, nil)))
	out := call(t, h, get("POST", "/hooks/atlantic/"+hookSecret, "", "{}"))
	if out.StatusCode != 500 || out.Headers["Content-Type"] != "application/problem+json" ||
		strings.Contains(out.Body, "cheese") {
		t.Errorf("%d %v %s", out.StatusCode, out.Headers, out.Body)
	}
	if got := log.String(); !strings.Contains(got, "out of cheese") ||
		!strings.Contains(got, "/hooks/atlantic/{token}") || strings.Contains(got, hookSecret) {
		t.Errorf("logged %s", got)
	}
}
