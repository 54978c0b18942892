package api

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// ErrBadHook says that a webhook is none of the prover's: it lacks the secret or can't be read.
var ErrBadHook = errors.New("this is not a webhook of the prover")

// ProverHook reads a prover's webhook, whose URL carries token, and returns which of the prover's tasks it is about.
// ErrBadHook for what must be ignored; other errors are passing, and the prover may send it again.
type ProverHook func(ctx context.Context, token string, body []byte) (tasks []string, err error)

// atlanticHooks is where Atlantic's webhooks go: the webhook secret follows.
const atlanticHooks = "/hooks/atlantic/"

// maxHookBody bounds a webhook's body in bytes.
const maxHookBody = 64 << 10

// proverHook hastens the jobs that a webhook is about.
func (h *Handler) proverHook(w http.ResponseWriter, r *http.Request, hook ProverHook) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	tasks, err := hook(r.Context(), r.PathValue("token"), body)
	switch {
	case errors.Is(err, ErrBadHook):
		h.log().WarnContext(r.Context(), "webhook refused", "error", err)
		problem(w, http.StatusBadRequest, ErrBadHook.Error())
		return
	case err != nil:
		h.log().WarnContext(r.Context(), "webhook ignored, polling goes on", "error", err)
		problem(w, http.StatusServiceUnavailable, "the prover can't be asked about it now")
		return
	}
	h.Service.HookTasks(r.Context(), tasks)
	w.WriteHeader(http.StatusAccepted) // does not say whether there is such a job
}
