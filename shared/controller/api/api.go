// Package api serves the HTTP API and the status page: it decodes requests of API Gateway (HTTP API, payload version
// 2), calls service/admin, and encodes answers. It decides nothing.
package api

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/release"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// Handler serves the API. Admin routes exist only with Admin.
type Handler struct {
	Service *admin.Service
	Admin   bool
	// Scopes are those of which a token that gives a command must carry one; none: any token may.
	Scopes []string
	Log    *slog.Logger
	mux    *http.ServeMux
	routes []string // the mux's patterns, which a test compares with openapi.yaml
}

//go:embed status.html
var statusPage []byte

// openAPI describes every route.
//
//go:embed openapi.yaml
var openAPI []byte

// maxBody bounds a request's body in bytes: commands carry a reason and nothing more.
const maxBody = 4 << 10

// maxURL bounds path and query together, in bytes.
const maxURL = 4 << 10

// New returns the handler with its routes. hook reads a prover's own webhooks; nil: there are none.
func New(s *admin.Service, adminRoutes bool, hook ProverHook, log *slog.Logger) *Handler {
	h := &Handler{Service: s, Admin: adminRoutes, Log: log, mux: http.NewServeMux()}
	h.reads(s)
	h.hooks(s, hook)
	if adminRoutes {
		h.commands(s)
	}
	return h
}

// NewHooks returns the handler of the provers' webhooks alone. The service needs no more than jobs, worker and clock.
func NewHooks(s *admin.Service, hook ProverHook, log *slog.Logger) *Handler {
	h := &Handler{Service: s, Log: log, mux: http.NewServeMux()}
	h.hooks(s, hook)
	return h
}

// ContentPolicy lets the page ask this API and nothing else, and lets no other page embed it.
const ContentPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " +
	"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// reads adds the routes that change nothing.
func (h *Handler) reads(s *admin.Service) {
	get := func(path string, f func(*http.Request) (any, error)) { h.route("GET "+path, h.answer(f)) }
	h.route("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", ContentPolicy)
		write(w, "text/html; charset=utf-8", statusPage)
	})
	h.route("GET /openapi.yaml", func(w http.ResponseWriter, _ *http.Request) { write(w, "application/yaml", openAPI) })
	get("/health", func(*http.Request) (any, error) {
		return health{Status: "ok", Version: release.Version, Commands: h.Admin}, nil
	})
	h.route("GET /ready", h.ready)
	get("/lag", func(r *http.Request) (any, error) { return s.Lag(r.Context()), nil })
	get("/jobs", h.listJobs)
	get("/jobs/{id}", func(r *http.Request) (any, error) { return s.JobByID(r.Context(), r.PathValue("id")) })
	for path, kind := range map[string]string{"/batches": "", "/snos-batches": admin.KindSnos} {
		get(path, func(r *http.Request) (any, error) { return h.listBatches(r, kind) })
		get(path+"/{index}", numbered("index",
			func(r *http.Request, n uint64) (any, error) { return s.BatchByIndex(r.Context(), kind, n) }))
		get(path+"/{index}/artifacts", numbered("index",
			func(r *http.Request, n uint64) (any, error) { return s.ArtifactsOf(r.Context(), kind, n) }))
	}
	get("/blocks/{number}",
		numbered("number", func(r *http.Request, n uint64) (any, error) { return s.Block(r.Context(), n) }))
	get("/stages", func(r *http.Request) (any, error) { return s.Stages(r.Context()) })
	get("/rewinds", func(r *http.Request) (any, error) { return s.RewindsOf(r.Context()) })
	get("/alerts", func(r *http.Request) (any, error) { return s.Alerts(r.Context()) })
	get("/subscribers", func(r *http.Request) (any, error) { return s.Subscribers(r.Context()) })
	get("/history", func(r *http.Request) (any, error) { return s.HistoryOf(r.Context()) })
	get("/wallet", func(r *http.Request) (any, error) { return s.WalletOf(r.Context()) })
	get("/contracts", func(r *http.Request) (any, error) { return s.CompareContracts(r.Context()) })
	get("/ledger", h.ledger)
}

// numbered reads the number that a path's parameter holds.
func numbered(parameter string, f func(*http.Request, uint64) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		n, err := number(parameter, r.PathValue(parameter))
		if err != nil {
			return nil, err
		}
		return f(r, n)
	}
}

// hooks adds the webhooks of provers and SNOS runners.
func (h *Handler) hooks(s *admin.Service, hook ProverHook) {
	hint := func(path, by string) {
		h.route("POST "+path+"{token}", func(w http.ResponseWriter, r *http.Request) {
			s.Hook(r.Context(), r.PathValue("token"), by)
			w.WriteHeader(http.StatusAccepted) // does not say whether there is such a job
		})
	}
	hint("/hooks/prover/", "prover's webhook")
	hint(operator.RunHooks, "SNOS runner's webhook")
	if hook != nil {
		h.route("POST "+atlanticHooks+"{token}",
			func(w http.ResponseWriter, r *http.Request) { h.proverHook(w, r, hook) })
	}
}

// route adds a route.
func (h *Handler) route(pattern string, f http.HandlerFunc) {
	h.routes = append(h.routes, pattern)
	h.mux.HandleFunc(pattern, f)
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	most := int64(maxBody)
	if strings.HasPrefix(r.URL.Path, atlanticHooks) {
		most = maxHookBody
	}
	r.Body = http.MaxBytesReader(w, r.Body, most)
	defer func() {
		if v := recover(); v != nil {
			h.log().ErrorContext(r.Context(), "panic in the API", "route", h.pattern(r), "panic", v)
			problem(w, http.StatusInternalServerError, "something went wrong inside; it is logged")
		}
	}()
	if h.known(w, r) {
		h.mux.ServeHTTP(w, r)
	}
}

// pattern is the route of a request, for logs: a path may hold a webhook's secret.
func (h *Handler) pattern(r *http.Request) string {
	_, p := h.mux.Handler(r)
	return p
}

// known says whether the mux has a route for the request and answers where it has none: the mux itself would answer
// with text, or with a redirect to the path that it cleaned.
func (h *Handler) known(w http.ResponseWriter, r *http.Request) bool {
	path := r.URL.EscapedPath()
	if len(path)+len(r.URL.RawQuery) > maxURL {
		problem(w, http.StatusRequestURITooLong, fmt.Sprintf("path and query have more than %d bytes", maxURL))
		return false
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		problem(w, http.StatusBadRequest, "query: it does not decode; percent-encode what its values hold")
		return false
	}
	if clean(path) && h.pattern(r) != "" {
		return true
	}
	if allowed := h.methods(r); clean(path) && len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		problem(w, http.StatusMethodNotAllowed, "this route takes "+strings.Join(allowed, ", "))
		return false
	}
	problem(w, http.StatusNotFound,
		"no such route: GET /openapi.yaml lists them; those that change something need ORCHESTRATOR_API_ADMIN=true")
	return false
}

// clean says whether a path has no segment that means another path: "", "." or "..".
func clean(path string) bool {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	return len(segments) == 1 && segments[0] == "" ||
		!slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." })
}

// methods are those that the path of a request has routes for.
func (h *Handler) methods(r *http.Request) []string {
	var out []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		other := *r
		other.Method = m
		if h.pattern(&other) != "" {
			out = append(out, m)
		}
	}
	return out
}

func (h *Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.Default()
	}
	return h.Log
}

// problem answers with an error as RFC 9457 has it.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone if this fails
}

// write answers with a file of ours.
func write(w http.ResponseWriter, contentType string, b []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(b) // the client has gone if this fails
}

func (h *Handler) answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		reply(w, http.StatusOK, v)
	}
}

// fail turns the service's errors into statuses. What is none of the caller's business is only logged.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var large *http.MaxBytesError
	status := http.StatusInternalServerError
	switch {
	case errors.As(err, &large):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, errAnonymous):
		status = http.StatusUnauthorized
	case errors.Is(err, errForeign), errors.Is(err, errScope):
		status = http.StatusForbidden
	case errors.Is(err, errMedia):
		status = http.StatusUnsupportedMediaType
	case errors.Is(err, admin.ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(err, admin.ErrUnknown), errors.Is(err, job.ErrNotFound), errors.Is(err, batch.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, executor.ErrRefused), errors.Is(err, job.ErrConflict), errors.Is(err, job.ErrSchema),
		errors.Is(err, batch.ErrSchema):
		status = http.StatusConflict
	}
	detail := admin.Redact(err.Error())
	if large != nil {
		detail = fmt.Sprintf("the body has more than %d bytes", large.Limit)
	}
	if status == http.StatusInternalServerError {
		h.log().ErrorContext(r.Context(), "API request failed", "route", h.pattern(r), "error", err)
		detail = "an external service can't be reached; /ready says which, the logs why"
	}
	problem(w, status, detail)
}

func (h *Handler) ready(w http.ResponseWriter, r *http.Request) {
	v := h.Service.Ready(r.Context())
	status := http.StatusOK
	if !v.Ready {
		status = http.StatusServiceUnavailable
	}
	reply(w, status, v)
}

// number reads a decimal number of a path or query.
func number(name, s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%w: %s: want a decimal number below 2^63", admin.ErrInvalid, name)
	}
	return n, nil
}

// query returns what is given of the query's known parameters. Each may be given once, and with a value.
func query(r *http.Request, known ...string) (map[string]string, error) {
	out := map[string]string{}
	for k, vs := range r.URL.Query() {
		if !slices.Contains(known, k) {
			return nil, fmt.Errorf("%w: query: no parameter %.40q, want %s",
				admin.ErrInvalid, k, strings.Join(known, ", "))
		}
		if len(vs) != 1 || vs[0] == "" {
			return nil, fmt.Errorf("%w: query: give %s once and with a value, or leave it out", admin.ErrInvalid, k)
		}
		out[k] = vs[0]
	}
	return out, nil
}

func (h *Handler) listJobs(r *http.Request) (any, error) {
	given, err := query(r, "type", "status", "limit", "cursor", "newest")
	if err != nil {
		return nil, err
	}
	q := admin.JobQuery{Cursor: given["cursor"]}
	if v, ok := given["type"]; ok {
		if q.Type, err = job.ParseType(v); err != nil {
			return nil, errors.Join(admin.ErrInvalid, err)
		}
	}
	if v, ok := given["status"]; ok {
		st, err := job.ParseStatus(v)
		if err != nil {
			return nil, errors.Join(admin.ErrInvalid, err)
		}
		q.Statuses = []job.Status{st}
	}
	switch given["newest"] {
	case "true":
		q.Newest = true
	case "", "false":
	default:
		return nil, fmt.Errorf("%w: newest: want true or false", admin.ErrInvalid)
	}
	if q.Limit, err = bounded(given, "limit", admin.MaxJobs); err != nil {
		return nil, err
	}
	return h.Service.ListJobs(r.Context(), q)
}

func (h *Handler) ledger(r *http.Request) (any, error) {
	given, err := query(r, "days")
	if err != nil {
		return nil, err
	}
	days, err := bounded(given, "days", admin.MaxDays)
	if err != nil {
		return nil, err
	}
	return h.Service.Ledger(r.Context(), days)
}

func (h *Handler) listBatches(r *http.Request, kind string) (any, error) {
	given, err := query(r, "status", "before", "after", "limit")
	if err != nil {
		return nil, err
	}
	q := admin.BatchQuery{Kind: kind, Status: batch.Status(given["status"])}
	if q.Status != "" && !slices.Contains(batch.Statuses, q.Status) {
		return nil, fmt.Errorf("%w: status: want one of %v", admin.ErrInvalid, batch.Statuses)
	}
	for name, to := range map[string]*uint64{"before": &q.Before, "after": &q.After} {
		if v, ok := given[name]; ok {
			if *to, err = number(name, v); err != nil {
				return nil, err
			}
		}
	}
	if q.Limit, err = bounded(given, "limit", admin.MaxBatches); err != nil {
		return nil, err
	}
	return h.Service.ListBatches(r.Context(), q)
}

// bounded is a number from 1 to most that a query asks for; 0 where it does not.
func bounded(given map[string]string, name string, most int) (int, error) {
	v, ok := given[name]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil || n == 0 || n > uint64(most) {
		return 0, fmt.Errorf("%w: %s: want a number from 1 to %d", admin.ErrInvalid, name, most)
	}
	return int(n), nil
}
