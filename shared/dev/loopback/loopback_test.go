package loopback_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/dev/loopback"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		host, origin string
		status       int
	}{
		"this machine":            {"127.0.0.1:8080", "", 200},
		"by name":                 {"localhost:8080", "", 200},
		"without port":            {"localhost", "", 200},
		"IPv6":                    {"[::1]:8080", "", 200},
		"IPv6 without port":       {"[::1]", "", 200},
		"another loopback":        {"127.9.9.9:1", "", 200},
		"the program's own page":  {"127.0.0.1:8080", "http://127.0.0.1:8080", 200},
		"rebound name":            {"evil.example:8080", "", 403},
		"rebound name, own page":  {"evil.example:8080", "http://evil.example:8080", 403},
		"begins like this":        {"localhost.evil.example", "", 403},
		"begins like an address":  {"127.0.0.1.evil.example:8080", "", 403},
		"no host":                 {"", "", 403},
		"any address":             {"0.0.0.0:8080", "", 403},
		"another site's page":     {"127.0.0.1:8080", "https://evil.example", 403},
		"a sandboxed page":        {"127.0.0.1:8080", "null", 403},
		"a file":                  {"127.0.0.1:8080", "file://", 403},
		"another site with login": {"127.0.0.1:8080", "https://127.0.0.1@evil.example", 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := loopback.Guard(
				http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
			r := httptest.NewRequest(http.MethodPost, "/jobs/1/retry", nil)
			r.Host = tt.host
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
		})
	}
}
