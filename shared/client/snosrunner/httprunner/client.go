// Package httprunner is a SNOS runner behind HTTP: the client is a snos.Runner, the handler serves any snos.Runner to
// it.
//
// The interface is four requests with JSON bodies: POST /v1/tasks with a contract.Task answers {"handle"}; GET
// /v1/tasks/{handle} answers a Progress; DELETE /v1/tasks/{handle} cancels; GET /health answers 200. Status 503 to a
// submission says that the runner takes none now. Every request carries a bearer token where one is configured.
package httprunner

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/httpcall"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// maxBody bounds a request's and an answer's body in bytes.
const maxBody = 1 << 20

type submitted struct {
	Handle string `json:"handle"`
}

// Progress is a snos.Progress on the wire.
type Progress struct {
	State   snos.State       `json:"state"`
	Failure snos.FailureKind `json:"failure,omitempty"`
	Detail  string           `json:"detail,omitempty"`
}

type fault struct {
	Error string `json:"error"`
}

// Settings of requests: what is asked twice does no harm, since a task is known by its id, so passing failures are
// tried again soon. What takes longer is for the job to wait for.
var settings = httpcall.Settings{
	Attempts: 3, MinBackoff: 200 * time.Millisecond, MaxBackoff: 2 * time.Second, MaxWait: 5 * time.Second,
	MaxResponse: maxBody, MaxElements: 1 << 10,
}

// Client is a snos.Runner.
type Client struct {
	base   string
	header http.Header
	caller *httpcall.Caller
}

var _ snos.Runner = (*Client)(nil)

// New returns a client of the runner at a base URL (http or https). token "" sends none; it goes to that host alone. It
// makes no request.
func New(base, token string, timeout time.Duration) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("SNOS runner: want an http or https URL")
	}
	if u.User != nil {
		return nil, errors.New("SNOS runner: put the credentials into a secret, not into the URL")
	}
	s := settings
	s.RequestTimeout = timeout // 0: the default
	c := &Client{
		base: strings.TrimSuffix(base, "/"), header: http.Header{},
		caller: httpcall.New("SNOS runner", redact.New(token).WithURL(base), s, httpcall.Deps{}),
	}
	if token != "" {
		c.header.Set("Authorization", "Bearer "+token)
	}
	return c, nil
}

// do makes a request, again where that helps, and decodes the answer.
func (c *Client) do(ctx context.Context, op, method, path string, body, into any) error {
	r := httpcall.Request{Op: op, Method: method, URL: c.base + path, Header: c.header}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("SNOS runner: %s: encode: %w", op, err)
		}
		r.Length, r.Type = int64(len(b)), "application/json"
		r.Open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	}
	var busy error
	err := c.caller.Retry(ctx, func(ctx context.Context) error {
		b, err := c.caller.Do(ctx, r)
		if says(err, http.StatusServiceUnavailable) { // the runner itself: to ask again at once does not help
			busy = err
			return nil
		}
		if err != nil || into == nil {
			return err
		}
		if err := json.Unmarshal(b, into); err != nil {
			return c.caller.Malformed(op, "its answer does not decode: %v", err)
		}
		return nil
	})
	if err == nil && busy != nil {
		return busy
	}
	return err
}

// says reports whether the runner itself answered with a status, and not something before it: a load balancer's 404
// does not mean that a run is lost.
func says(err error, status int) bool {
	var s *httpcall.StatusError
	return errors.As(err, &s) && s.API && s.Status == status
}

// Submit implements snos.Runner.
func (c *Client) Submit(ctx context.Context, t snos.Task) (string, error) {
	var out submitted
	op := "submit " + t.ID
	err := c.do(ctx, op, http.MethodPost, "/v1/tasks", contract.Task(t), &out)
	switch {
	case says(err, http.StatusServiceUnavailable):
		return "", fmt.Errorf("SNOS runner: %w", snos.ErrBusy)
	case err != nil:
		return "", err
	case out.Handle == "":
		return "", c.caller.Malformed(op, "its answer has no handle")
	}
	return out.Handle, nil
}

// path names a handle in a URL: any text, so it is encoded.
func path(handle string) string {
	return "/v1/tasks/" + base64.RawURLEncoding.EncodeToString([]byte(handle))
}

// Status implements snos.Runner. Lost is what the runner itself says, by a status of its own or by 404 with its JSON.
func (c *Client) Status(ctx context.Context, handle string) (snos.Progress, error) {
	if handle == "" { // names no run, and no route
		return snos.Progress{State: snos.Lost}, ctx.Err()
	}
	var out Progress
	op := "status of " + handle
	err := c.do(ctx, op, http.MethodGet, path(handle), nil, &out)
	if says(err, http.StatusNotFound) {
		return snos.Progress{State: snos.Lost}, nil
	}
	if err != nil {
		return snos.Progress{}, err
	}
	switch out.State {
	case snos.Queued, snos.Running, snos.Succeeded, snos.Failed, snos.Lost:
		out.Detail = c.caller.Scrub(out.Detail)
		return snos.Progress(out), nil
	}
	return snos.Progress{}, c.caller.Malformed(op, "unknown state %.40q", out.State)
}

// Cancel implements snos.Runner.
func (c *Client) Cancel(ctx context.Context, handle string) error {
	if handle == "" {
		return ctx.Err()
	}
	if err := c.do(ctx, "cancel "+handle, http.MethodDelete, path(handle), nil, nil); err != nil &&
		!says(err, http.StatusNotFound) {
		return err
	}
	return nil
}

// Ping implements snos.Runner.
func (c *Client) Ping(ctx context.Context) error {
	return c.do(ctx, "health", http.MethodGet, "/health", nil, nil)
}
