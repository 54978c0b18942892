// Package route serves the HTTP API and the status page: it decodes requests of API Gateway (HTTP API, payload version 2),
// calls service/admin, and encodes answers. It decides nothing.
package route

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/worker"
)

// Handler serves the API. Admin routes exist only with Admin.
type Handler struct {
	Service *admin.Service
	Admin   bool
	Log     *slog.Logger
	mux     *http.ServeMux
}

//go:embed status.html
var statusPage []byte

// maxBody bounds a request's body in bytes: orders carry a reason and nothing more.
const maxBody = 4 << 10

// New returns the handler with its routes. hook reads a prover's own webhooks; nil: there are none.
func New(s *admin.Service, adminRoutes bool, hook ProverHook, log *slog.Logger) *Handler {
	h := &Handler{Service: s, Admin: adminRoutes, Log: log, mux: http.NewServeMux()}
	get := func(path string, f func(*http.Request) (any, error)) { h.mux.HandleFunc("GET "+path, h.answer(f)) }
	h.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'")
		_, _ = w.Write(statusPage)
	})
	get("/health", func(*http.Request) (any, error) { return alive, nil })
	h.mux.HandleFunc("GET /ready", h.ready)
	get("/lag", func(r *http.Request) (any, error) { return s.Lag(r.Context()) })
	get("/jobs", h.listJobs)
	get("/jobs/{id}", func(r *http.Request) (any, error) { return s.JobByID(r.Context(), r.PathValue("id")) })
	get("/batches", h.listBatches)
	get("/batches/{index}", func(r *http.Request) (any, error) {
		n, err := number("index", r.PathValue("index"))
		if err != nil {
			return nil, err
		}
		return s.BatchByIndex(r.Context(), n)
	})
	get("/blocks/{number}", func(r *http.Request) (any, error) {
		n, err := number("number", r.PathValue("number"))
		if err != nil {
			return nil, err
		}
		return s.BatchOfBlock(r.Context(), n)
	})
	h.mux.HandleFunc("POST /hooks/prover/{token}", func(w http.ResponseWriter, r *http.Request) {
		s.Hook(r.Context(), r.PathValue("token"))
		w.WriteHeader(http.StatusAccepted) // whether there is such a job is not told
	})
	if hook != nil {
		h.mux.HandleFunc("POST "+atlanticHooks+"{token}", func(w http.ResponseWriter, r *http.Request) { h.proverHook(w, r, hook) })
	}
	if adminRoutes {
		h.order("/jobs/{id}/process", s.Process)
		h.order("/jobs/{id}/verify", s.Verify)
		h.order("/jobs/{id}/retry", s.Retry)
	}
	return h
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
			h.log().ErrorContext(r.Context(), "panic in the API", "path", r.URL.Path, "panic", v)
			problem(w, http.StatusInternalServerError, "something went wrong inside; it is logged")
		}
	}()
	h.mux.ServeHTTP(w, r)
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
	case errors.Is(err, admin.ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(err, admin.ErrUnknown), errors.Is(err, job.ErrNotFound), errors.Is(err, batch.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, worker.ErrRefused), errors.Is(err, job.ErrConflict), errors.Is(err, job.ErrSchema):
		status = http.StatusConflict
	}
	detail := admin.Redact(err.Error())
	if status == http.StatusInternalServerError {
		h.log().ErrorContext(r.Context(), "API request failed", "path", r.URL.Path, "error", err)
		detail = "something outside can't be reached; see /ready and the logs"
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
		return 0, errors.Join(admin.ErrInvalid, errors.New(name+": want a decimal number"))
	}
	return n, nil
}

// once returns a query parameter's only value; "" where it is not given.
func once(r *http.Request, known ...string) (map[string]string, error) {
	out := map[string]string{}
	for k, vs := range r.URL.Query() {
		found := false
		for _, name := range known {
			found = found || name == k
		}
		if !found || len(vs) != 1 {
			return nil, errors.Join(admin.ErrInvalid, errors.New("query: each of its parameters must be known and be given once"))
		}
		out[k] = vs[0]
	}
	return out, nil
}

func (h *Handler) listJobs(r *http.Request) (any, error) {
	q, err := once(r, "type", "status", "limit", "cursor", "newest")
	if err != nil {
		return nil, err
	}
	query := admin.JobQuery{Cursor: q["cursor"], Newest: q["newest"] == "true"}
	if q["type"] != "" {
		if query.Type, err = job.ParseType(q["type"]); err != nil {
			return nil, errors.Join(admin.ErrInvalid, err)
		}
	}
	if q["status"] != "" {
		st, err := job.ParseStatus(q["status"])
		if err != nil {
			return nil, errors.Join(admin.ErrInvalid, err)
		}
		query.Statuses = []job.Status{st}
	}
	if query.Limit, err = limit(q["limit"]); err != nil {
		return nil, err
	}
	return h.Service.ListJobs(r.Context(), query)
}

func (h *Handler) listBatches(r *http.Request) (any, error) {
	q, err := once(r, "before", "limit")
	if err != nil {
		return nil, err
	}
	before := uint64(0)
	if q["before"] != "" {
		if before, err = number("before", q["before"]); err != nil {
			return nil, err
		}
	}
	n, err := limit(q["limit"])
	if err != nil {
		return nil, err
	}
	return h.Service.ListBatches(r.Context(), before, n)
}

func limit(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := number("limit", s)
	if err != nil || n == 0 || n > 1000 {
		return 0, errors.Join(admin.ErrInvalid, errors.New("limit: want a number from 1 on"))
	}
	return int(n), nil
}

// order adds a route for an order about one job.
func (h *Handler) order(path string, f func(context.Context, string, admin.Order) (admin.Job, error)) {
	h.mux.HandleFunc("POST "+path, h.answer(func(r *http.Request) (any, error) {
		var body struct {
			By       string `json:"by"`
			Reason   string `json:"reason"`
			Priority bool   `json:"priority"`
		}
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
			return nil, errors.Join(admin.ErrInvalid, err)
		}
		return f(r.Context(), r.PathValue("id"), admin.Order{By: body.By, Reason: body.Reason, Priority: body.Priority})
	}))
}
