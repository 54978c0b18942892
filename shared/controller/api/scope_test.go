package api_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// A token gives commands only with one of the configured scopes, and reads without; IAM's callers are IAM's matter.
func TestCommandsNeedAScope(t *testing.T) {
	t.Parallel()
	type claims = map[string]string
	for name, tt := range map[string]struct {
		scopes []string
		claims claims // nil: signed by IAM
		method string
		status int
	}{
		"the scope": {[]string{"o/commands"}, claims{"sub": "ada", "scope": "openid o/commands"},
			"POST", 200},
		"one of two": {[]string{"o/commands", "o/admin"}, claims{"sub": "ada", "scope": "o/admin"},
			"POST", 200},
		"an array as API Gateway": {[]string{"o/commands"}, claims{"sub": "ada", "scp": "[openid o/commands]"},
			"POST", 200},
		"no scope":      {[]string{"o/commands"}, claims{"sub": "ada"}, "POST", 403},
		"another scope": {[]string{"o/commands"}, claims{"sub": "ada", "scope": "o/read"}, "POST", 403},
		"a scope that contains it": {[]string{"o/commands"},
			claims{"sub": "ada", "scope": "o/commands-of-others xo/commands"}, "POST", 403},
		"a claim of another name": {[]string{"o/commands"}, claims{"sub": "ada", "scopes": "o/commands"}, "POST",
			403},
		"reading needs none":         {[]string{"o/commands"}, claims{"sub": "ada"}, "GET", 200},
		"IAM":                        {[]string{"o/commands"}, nil, "POST", 200},
		"no scopes are configured":   {nil, claims{"sub": "ada"}, "POST", 200},
		"a token of nobody in scope": {[]string{"o/commands"}, claims{"scope": "o/commands"}, "POST", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, stage.L2, slog.New(slog.DiscardHandler))
			w.Scopes = tt.scopes
			path := "/jobs/" + id(failedJob)
			if tt.method == "POST" {
				path += "/retry"
			}
			e := get(tt.method, path, "", "")
			if tt.claims != nil {
				e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
					JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: tt.claims},
				}
			}
			out := call(t, w.Handler, e)
			if out.StatusCode != tt.status || tt.status == 403 && !strings.Contains(out.Body, "o/commands") {
				t.Errorf("status %d, want %d: %s", out.StatusCode, tt.status, out.Body)
			}
		})
	}
}

// The hooks function serves webhooks and nothing else.
func TestHooksServeNothingElse(t *testing.T) {
	t.Parallel()
	h := apicontroller.NewHooks(new(admin.Service), nil, slog.New(slog.DiscardHandler))
	want := []string{"POST /hooks/prover/{token}", "POST /hooks/run/{token}"}
	if got := slices.Sorted(slices.Values(h.Routes())); !slices.Equal(got, want) {
		t.Errorf("routes %q, want %q", h.Routes(), want)
	}
	w := newWorld(t, stage.L2, slog.New(slog.DiscardHandler))
	for _, pattern := range w.Routes() {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.NewReplacer("{id}", id(failedJob), "{index}", "1", "{number}", "1", "{stage}",
			"SnosRun", "{$}", "").Replace(path)
		if strings.HasPrefix(path, "/hooks/") {
			continue
		}
		if out := call(t, h, get(method, path, "", "")); out.StatusCode != 404 {
			t.Errorf("%s %s: status %d, want 404", method, path, out.StatusCode)
		}
	}
	if out := call(t, apicontroller.NewUnreadyHooks(),
		get("POST", "/hooks/prover/"+id(pendingJob), "", "")); out.StatusCode != 503 {
		t.Errorf("unready: status %d, want 503", out.StatusCode)
	}
}
