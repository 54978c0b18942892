package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// caller is the key of the request's context under which its sender is kept.
type caller struct{}

// sender is whom the gateway authenticated.
type sender struct {
	name   string   // "": nobody
	token  bool     // by a token (JWT), not by IAM
	scopes []string // of the token
}

// errAnonymous is a command that came through API Gateway without anybody who was authenticated there.
var errAnonymous = errors.New("a command needs a caller: sign the request (IAM) or send a token, as the API's " +
	"authorizer has it")

// errScope is a command whose token may read, but not give commands.
var errScope = errors.New("a command needs a token with another scope")

// errForeign is a command that a page of another site made a browser send.
var errForeign = errors.New("a command does not come from another site's page")

// errMedia is a body of another kind than commands have.
var errMedia = errors.New("want Content-Type: application/json")

// commands adds the routes that change something.
func (h *Handler) commands(s *admin.Service) {
	command(h, "/jobs/{id}/process", "id", s.Process)
	command(h, "/jobs/{id}/verify", "id", s.Verify)
	command(h, "/jobs/{id}/retry", "id", s.Retry)
	command(h, "/batches/{index}/close", "index",
		func(ctx context.Context, index string, o admin.Command) (admin.Batch, error) {
			n, err := number("index", index)
			if err != nil {
				return admin.Batch{}, err
			}
			return s.CloseBatch(ctx, n, o)
		})
	command(h, "/batches/{index}"+rewindPath, "index",
		func(ctx context.Context, index string, o admin.Command) (admin.RewindPlan, error) {
			n, err := number("index", index)
			if err != nil {
				return admin.RewindPlan{}, err
			}
			return s.RewindFrom(ctx, n, o.Apply, o)
		})
	command(h, "/stages/{stage}/pause", "stage", s.Pause)
	command(h, "/stages/{stage}/resume", "stage", s.Resume)
	command(h, "/stages/{stage}/requeue", "stage", s.Requeue)
	command(h, "/stages/{stage}/retry", "stage", s.RetryAll)
}

// rewindPath ends the path of the one command that is only planned unless its body says that it is to be carried out.
const rewindPath = "/rewind"

// command adds a route for a command about what the path's parameter names.
func command[T any](h *Handler, path, parameter string, f func(context.Context, string, admin.Command) (T, error)) {
	foreign := http.NewCrossOriginProtection()
	h.route("POST "+path, h.answer(func(r *http.Request) (any, error) {
		if err := foreign.Check(r); err != nil {
			return nil, errForeign
		}
		o, err := readCommand(r, strings.HasSuffix(path, rewindPath))
		if err != nil {
			return nil, err
		}
		if who, ok := r.Context().Value(caller{}).(sender); ok {
			if who.name == "" {
				return nil, errAnonymous
			}
			if err := h.mayCommand(who); err != nil {
				return nil, err
			}
			o.By = who.name // the audit names whom the gateway knows, not whom the body claims
		}
		return f(r.Context(), r.PathValue(parameter), o)
	}))
}

// mayCommand refuses a token without one of the scopes that commands need. The gateway's routes ask for the same
// scopes; here it is asked again because the gateway and the mux may not decode a path alike. What IAM callers may do
// is for IAM policies to say.
func (h *Handler) mayCommand(who sender) error {
	if !who.token || len(h.Scopes) == 0 {
		return nil
	}
	for _, s := range who.scopes {
		if slices.Contains(h.Scopes, s) {
			return nil
		}
	}
	return fmt.Errorf("%w: one of %s", errScope, strings.Join(h.Scopes, ", "))
}

// readCommand reads a command's body, which may be missing. planned says that it may have apply.
func readCommand(r *http.Request, planned bool) (admin.Command, error) {
	var body *struct {
		By       string `json:"by"`
		Reason   string `json:"reason"`
		Priority bool   `json:"priority"`
		Apply    *bool  `json:"apply"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(&body)
	if err == io.EOF {
		return admin.Command{}, nil
	}
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return admin.Command{}, err
	}
	if kind, _, bad := mime.ParseMediaType(r.Header.Get("Content-Type")); bad != nil || kind != "application/json" {
		return admin.Command{}, errMedia
	}
	if err != nil {
		return admin.Command{}, errors.Join(admin.ErrInvalid, err)
	}
	if body == nil {
		return admin.Command{}, fmt.Errorf("%w: body: want an object or nothing, not null", admin.ErrInvalid)
	}
	if _, err := d.Token(); err != io.EOF {
		if large := new(http.MaxBytesError); errors.As(err, &large) {
			return admin.Command{}, err
		}
		return admin.Command{}, fmt.Errorf("%w: body: something follows the object", admin.ErrInvalid)
	}
	if body.Apply != nil && !planned {
		return admin.Command{}, fmt.Errorf("%w: body: this command takes no apply", admin.ErrInvalid)
	}
	o := admin.Command{By: body.By, Reason: body.Reason, Priority: body.Priority,
		Apply: body.Apply != nil && *body.Apply}
	return o, o.Check() // here already: By may be replaced
}
