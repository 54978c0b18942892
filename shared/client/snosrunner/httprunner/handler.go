package httprunner

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// NewHandler serves a runner. With a token every request must carry it.
func NewHandler(r snos.Runner, token string) http.Handler {
	h := handler{r}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/tasks", h.submit)
	mux.HandleFunc("GET /v1/tasks/{handle}", h.status)
	mux.HandleFunc("DELETE /v1/tasks/{handle}", h.cancel)
	mux.HandleFunc("GET /health", h.health)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token != "" &&
			subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+token)) != 1 {
			answer(w, http.StatusUnauthorized, fault{"the token is missing or wrong"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

type handler struct{ runner snos.Runner }

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone if this fails
}

func (h handler) submit(w http.ResponseWriter, r *http.Request) {
	var t contract.Task
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		answer(w, http.StatusBadRequest, fault{"task: " + err.Error()})
		return
	}
	handle, err := h.runner.Submit(r.Context(), snos.Task(t))
	switch {
	case errors.Is(err, snos.ErrBusy):
		answer(w, http.StatusServiceUnavailable, fault{err.Error()})
	case err != nil:
		answer(w, http.StatusInternalServerError, fault{err.Error()})
	default:
		answer(w, http.StatusOK, submitted{handle})
	}
}

// handle reads the handle in the path; "" after it has answered.
func (h handler) handle(w http.ResponseWriter, r *http.Request) string {
	b, err := base64.RawURLEncoding.DecodeString(r.PathValue("handle"))
	if err != nil || len(b) == 0 {
		answer(w, http.StatusBadRequest, fault{"handle: want base64url without padding"})
		return ""
	}
	return string(b)
}

func (h handler) status(w http.ResponseWriter, r *http.Request) {
	handle := h.handle(w, r)
	if handle == "" {
		return
	}
	p, err := h.runner.Status(r.Context(), handle)
	if err != nil {
		answer(w, http.StatusInternalServerError, fault{err.Error()})
		return
	}
	answer(w, http.StatusOK, Progress(p))
}

func (h handler) cancel(w http.ResponseWriter, r *http.Request) {
	handle := h.handle(w, r)
	if handle == "" {
		return
	}
	if err := h.runner.Cancel(r.Context(), handle); err != nil {
		answer(w, http.StatusInternalServerError, fault{err.Error()})
		return
	}
	answer(w, http.StatusOK, struct{}{})
}

func (h handler) health(w http.ResponseWriter, r *http.Request) {
	if err := h.runner.Ping(r.Context()); err != nil {
		answer(w, http.StatusInternalServerError, fault{err.Error()})
		return
	}
	answer(w, http.StatusOK, struct{}{})
}
