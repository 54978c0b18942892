// Package httprunner is a SNOS runner behind HTTP: the client is a snos.Runner, the handler serves any snos.Runner to it.
//
// The interface is four requests with JSON bodies: POST /v1/tasks with a contract.Task answers {"handle"}; GET /v1/tasks/{handle}
// answers a Progress; DELETE /v1/tasks/{handle} cancels; GET /health answers 200. Status 503 to a submission says that the
// runner takes none now. Every request carries a bearer token where one is configured.
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

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
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

// Client is a snos.Runner.
type Client struct {
	base  string
	token string
	http  *http.Client
}

var _ snos.Runner = (*Client)(nil)

// New returns a client of the runner at a base URL (http or https). token "" sends none. It makes no request.
func New(base, token string, timeout time.Duration) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("SNOS runner: want an http or https URL")
	}
	if u.User != nil {
		return nil, errors.New("SNOS runner: put the credentials into a secret, not into the URL")
	}
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	return &Client{base: strings.TrimSuffix(base, "/"), token: token, http: &http.Client{Timeout: timeout}}, nil
}

// do makes a request; status 0 never comes without an error.
func (c *Client) do(ctx context.Context, method, path string, body, into any) (status int, err error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, fmt.Errorf("encode: %w", err)
		}
		in = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, in)
	if err != nil {
		return 0, err
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(r)
	if u := new(url.Error); errors.As(err, &u) {
		err = u.Err // its own text has the whole URL
	}
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return 0, err
	}
	if len(b) > maxBody {
		return 0, fmt.Errorf("its answer has more than %d bytes", maxBody)
	}
	if resp.StatusCode/100 != 2 {
		var f fault
		if json.Unmarshal(b, &f) != nil || f.Error == "" {
			f.Error = http.StatusText(resp.StatusCode)
		}
		return resp.StatusCode, fmt.Errorf("status %d: %.500s", resp.StatusCode, c.scrub(f.Error))
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			return 0, fmt.Errorf("its answer does not decode: %w", err)
		}
	}
	return resp.StatusCode, nil
}

// scrub takes token and path of the runner's URL, which may be a key, out of what the runner says.
func (c *Client) scrub(text string) string {
	if c.token != "" {
		text = strings.ReplaceAll(text, c.token, "***")
	}
	if u, err := url.Parse(c.base); err == nil && len(u.Path) > 1 {
		text = strings.ReplaceAll(text, u.Path, "/...")
	}
	return text
}

// Submit implements snos.Runner.
func (c *Client) Submit(ctx context.Context, t snos.Task) (string, error) {
	var out submitted
	status, err := c.do(ctx, http.MethodPost, "/v1/tasks", contract.Task(t), &out)
	if status == http.StatusServiceUnavailable {
		return "", fmt.Errorf("SNOS runner: %w", snos.ErrBusy)
	}
	if err == nil && out.Handle == "" {
		err = errors.New("its answer has no handle")
	}
	if err != nil {
		return "", fmt.Errorf("SNOS runner: submit %s: %w", t.ID, err)
	}
	return out.Handle, nil
}

// path names a handle in a URL: any text, so it is encoded.
func path(handle string) string {
	return "/v1/tasks/" + base64.RawURLEncoding.EncodeToString([]byte(handle))
}

// Status implements snos.Runner.
func (c *Client) Status(ctx context.Context, handle string) (snos.Progress, error) {
	var out Progress
	status, err := c.do(ctx, http.MethodGet, path(handle), nil, &out)
	if status == http.StatusNotFound {
		return snos.Progress{State: snos.Lost}, nil
	}
	if err != nil {
		return snos.Progress{}, fmt.Errorf("SNOS runner: status of %s: %w", handle, err)
	}
	switch out.State {
	case snos.Queued, snos.Running, snos.Succeeded, snos.Failed, snos.Lost:
		return snos.Progress(out), nil
	}
	return snos.Progress{}, fmt.Errorf("SNOS runner: status of %s: unknown state %.40q", handle, out.State)
}

// Cancel implements snos.Runner.
func (c *Client) Cancel(ctx context.Context, handle string) error {
	if status, err := c.do(ctx, http.MethodDelete, path(handle), nil, nil); err != nil && status != http.StatusNotFound {
		return fmt.Errorf("SNOS runner: cancel %s: %w", handle, err)
	}
	return nil
}

// Ping implements snos.Runner.
func (c *Client) Ping(ctx context.Context) error {
	if _, err := c.do(ctx, http.MethodGet, "/health", nil, nil); err != nil {
		return fmt.Errorf("SNOS runner: health: %w", err)
	}
	return nil
}
