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
	h.subscriptions(s)
}

// subscriptions adds the commands about who gets the alerts.
func (h *Handler) subscriptions(s *admin.Service) {
	command(h, "/subscribers/{id}/remove", "id", s.RemoveSubscriber)
	type endpoint struct {
		commandBody
		Endpoint string `json:"endpoint"`
	}
	h.change("/subscribers/add", func(r *http.Request, who func(commandBody) (admin.Command, error)) (any, error) {
		body, err := readBody[endpoint](r)
		if err != nil {
			return nil, err
		}
		o, err := who(body.commandBody)
		if err != nil {
			return nil, err
		}
		return s.AddSubscriber(r.Context(), body.Endpoint, o)
	})
	type token struct {
		commandBody
		Token string `json:"token"`
	}
	h.change("/subscribers/confirm", func(r *http.Request, who func(commandBody) (admin.Command, error)) (any, error) {
		body, err := readBody[token](r)
		if err != nil {
			return nil, err
		}
		o, err := who(body.commandBody)
		if err != nil {
			return nil, err
		}
		return s.ConfirmSubscriber(r.Context(), body.Token, o)
	})
}

// rewindPath ends the path of the one command that is only planned unless its body says that it is to be carried out.
const rewindPath = "/rewind"

// command adds a route for a command about what the path's parameter names.
func command[T any](h *Handler, path, parameter string, f func(context.Context, string, admin.Command) (T, error)) {
	read := readBody[commandBody]
	if strings.HasSuffix(path, rewindPath) {
		read = readPlanned
	}
	h.change(path, func(r *http.Request, who func(commandBody) (admin.Command, error)) (any, error) {
		body, err := read(r)
		if err != nil {
			return nil, err
		}
		o, err := who(body)
		if err != nil {
			return nil, err
		}
		return f(r.Context(), r.PathValue(parameter), o)
	})
}

// change adds a route that changes something. f gets what makes a command of its body: it says who asks, and refuses
// who may not.
func (h *Handler) change(path string,
	f func(*http.Request, func(commandBody) (admin.Command, error)) (any, error)) {
	foreign := http.NewCrossOriginProtection()
	h.route("POST "+path, h.answer(func(r *http.Request) (any, error) {
		if err := foreign.Check(r); err != nil {
			return nil, errForeign
		}
		return f(r, func(body commandBody) (admin.Command, error) {
			o := admin.Command{By: body.By, Reason: body.Reason, Priority: body.Priority, Apply: body.apply}
			if err := o.Check(); err != nil { // here already: By may be replaced
				return o, err
			}
			if who, ok := r.Context().Value(caller{}).(sender); ok {
				if who.name == "" {
					return o, errAnonymous
				}
				if err := h.mayCommand(who); err != nil {
					return o, err
				}
				o.By = who.name // the audit names whom the gateway knows, not whom the body claims
			}
			return o, nil
		})
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

// commandBody is what every command's body may have.
type commandBody struct {
	By       string `json:"by"`
	Reason   string `json:"reason"`
	Priority bool   `json:"priority"`

	apply bool // of readPlanned
}

// readPlanned reads the body of a command that is only planned without apply.
func readPlanned(r *http.Request) (commandBody, error) {
	body, err := readBody[struct {
		commandBody
		Apply bool `json:"apply"`
	}](r)
	body.apply = body.Apply
	return body.commandBody, err
}

// readBody reads a command's body, which may be missing.
func readBody[T any](r *http.Request) (out T, err error) {
	var body *T
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err = d.Decode(&body)
	if err == io.EOF {
		return out, nil
	}
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return out, err
	}
	if kind, _, bad := mime.ParseMediaType(r.Header.Get("Content-Type")); bad != nil || kind != "application/json" {
		return out, errMedia
	}
	if err != nil {
		return out, errors.Join(admin.ErrInvalid, err)
	}
	if body == nil {
		return out, fmt.Errorf("%w: body: want an object or nothing, not null", admin.ErrInvalid)
	}
	if _, err := d.Token(); err != io.EOF {
		if large := new(http.MaxBytesError); errors.As(err, &large) {
			return out, err
		}
		return out, fmt.Errorf("%w: body: something follows the object", admin.ErrInvalid)
	}
	return *body, nil
}
