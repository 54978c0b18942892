package api

import (
	"net/http"

	"github.com/madara-orchestrator/orchestrator/shared/core/release"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// NewUnready returns the handler of a deployment that failed to initialise, for reason: it is alive, not ready, and
// everything else is to be asked again later. The reason is shown to whoever may call the API, without what Redact
// takes out.
func NewUnready(reason error) *Handler {
	h := &Handler{mux: http.NewServeMux()}
	detail := admin.Redact(reason.Error())
	h.mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, health{Status: "ok", Version: release.Version})
	})
	h.mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusServiceUnavailable, admin.Readiness{Reason: detail, Checks: []admin.CheckResult{}})
	})
	h.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusServiceUnavailable, "the deployment failed to initialise, see /ready")
	})
	return h
}

// NewUnreadyHooks returns the handler of webhooks while the deployment fails to initialise: the prover may send them
// again.
func NewUnreadyHooks() *Handler {
	h := &Handler{mux: http.NewServeMux()}
	h.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusServiceUnavailable, "webhooks are not taken now; send it again later")
	})
	return h
}

// health is the answer of /health.
type health struct {
	Status   string `json:"status"`
	Version  string `json:"version"`
	Commands bool   `json:"commands"` // the routes that change something are served
}
