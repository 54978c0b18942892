package httpcall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

// Settings bound what requests may take. Zero fields take those of Defaults.
type Settings struct {
	// Attempts is how often Retry calls at most.
	Attempts int
	// RequestTimeout bounds one small request, the wait for a download's first byte, and a stall within a download.
	RequestTimeout time.Duration
	// UploadTimeout bounds one request with a body of more than a megabyte.
	UploadTimeout time.Duration
	// MinBackoff and MaxBackoff bound the random pauses between attempts.
	MinBackoff, MaxBackoff time.Duration
	// MaxWait is the longest pause that a service may ask for within a call. A longer one is returned to the caller.
	MaxWait time.Duration
	// MaxResponse is the most bytes that Do reads of an answer, MaxElements the most values and keys of its JSON.
	MaxResponse int64
	MaxElements int
}

// Defaults are the defaults of Settings.
var Defaults = Settings{
	Attempts: 6, RequestTimeout: 30 * time.Second, UploadTimeout: 10 * time.Minute,
	MinBackoff: 500 * time.Millisecond, MaxBackoff: 20 * time.Second, MaxWait: time.Minute,
	MaxResponse: 8 << 20, MaxElements: 1 << 18,
}

// Validate refuses negative settings.
func (s Settings) Validate() error {
	if s.Attempts < 0 || s.RequestTimeout < 0 || s.UploadTimeout < 0 || s.MinBackoff < 0 || s.MaxBackoff < 0 ||
		s.MaxWait < 0 || s.MaxResponse < 0 || s.MaxElements < 0 {
		return errors.New("a limit of the HTTP client is negative")
	}
	return nil
}

func (s Settings) withDefaults() Settings {
	s.Attempts = cmp.Or(s.Attempts, Defaults.Attempts)
	s.RequestTimeout = cmp.Or(s.RequestTimeout, Defaults.RequestTimeout)
	s.UploadTimeout = cmp.Or(s.UploadTimeout, Defaults.UploadTimeout)
	s.MinBackoff = cmp.Or(s.MinBackoff, Defaults.MinBackoff)
	s.MaxBackoff = cmp.Or(s.MaxBackoff, Defaults.MaxBackoff)
	s.MaxWait = cmp.Or(s.MaxWait, Defaults.MaxWait)
	s.MaxResponse = cmp.Or(s.MaxResponse, Defaults.MaxResponse)
	s.MaxElements = cmp.Or(s.MaxElements, Defaults.MaxElements)
	return s
}

// Deps are what a Caller needs besides its settings. Every field may be left unset.
type Deps = outbound.Deps

// Caller makes requests to one service. Safe for concurrent use.
type Caller struct {
	name    string
	secrets redact.Known
	cfg     Settings
	deps    Deps
}

// New returns a caller. name is what errors call the service; secrets are what no error shows.
func New(name string, secrets redact.Known, s Settings, d Deps) *Caller {
	return &Caller{name: name, secrets: secrets, cfg: s.withDefaults(), deps: d.WithDefaults()}
}

// Now is the caller's clock.
func (c *Caller) Now() time.Time { return c.deps.Now() }

// Log is where the caller logs to.
func (c *Caller) Log() *slog.Logger { return c.deps.Log }

// Request is one request.
type Request struct {
	Op     string // what it is for, such as "submit a query"
	Method string
	URL    string
	Header http.Header
	// Open opens the body from its start, Length bytes of Type; nil for none. Each attempt calls it.
	Open   func(ctx context.Context) (io.ReadCloser, error)
	Length int64
	Type   string
}

// largeBody is the number of bytes from which a body is an upload.
const largeBody = 1 << 20

// Do makes one attempt and returns the body of an answer with status 200 or 201. Other answers are a *StatusError.
func (c *Caller) Do(ctx context.Context, r Request) ([]byte, error) {
	timeout := c.cfg.RequestTimeout
	if r.Length > largeBody {
		timeout = c.cfg.UploadTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return c.read(r, resp)
}

// read reads an answer to its end.
func (c *Caller) read(r Request, resp *http.Response) ([]byte, error) {
	b, err := io.ReadAll(
		jsonlimit.NewReader(resp.Body, jsonlimit.Limits{Bytes: c.cfg.MaxResponse, Elements: c.cfg.MaxElements}))
	var large *jsonlimit.Error
	switch {
	case errors.As(err, &large):
		return nil, c.Malformed(r.Op, "its answer has %s", large.Beyond)
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated:
		return nil, c.statusError(r.Op, resp, b) // also where the body broke off: the status says enough
	case err != nil:
		return nil, c.transportError(r.Op, err)
	case outbound.IsHTML(resp.Header, b):
		return nil, c.Malformed(r.Op, "it answered HTML")
	}
	return b, nil
}

// send makes the request; a failure of the body is a different error from one of the network.
func (c *Caller) send(ctx context.Context, r Request) (*http.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, c.transportError(r.Op, err)
	}
	var body *source
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: its address is malformed", c.name, r.Op)
	}
	if r.Open != nil {
		in, err := r.Open(ctx)
		if err != nil {
			return nil, &InputError{op: c.name + ": " + r.Op, err: err}
		}
		body = &source{ReadCloser: in}
		req.Body, req.ContentLength = body, r.Length
		req.Header.Set("Content-Type", r.Type)
	}
	for k, v := range r.Header {
		req.Header[k] = v
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	resp, err := c.deps.HTTP.Do(req)
	if body != nil && body.failure() != nil {
		if resp != nil {
			resp.Body.Close()
		}
		return nil, &InputError{op: c.name + ": " + r.Op, err: body.failure()}
	}
	if err != nil {
		return nil, c.transportError(r.Op, err)
	}
	return resp, nil
}

// Stream makes one attempt and returns the open body of an answer with status 200; the caller closes it. A body that
// stalls, breaks off or has more than most bytes fails while it is read.
func (c *Caller) Stream(ctx context.Context, r Request, most int64) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	watch := time.AfterFunc(c.cfg.RequestTimeout, cancel)
	resp, err := c.send(ctx, r)
	if err != nil {
		stalled := !watch.Stop()
		cancel()
		if stalled && errors.Is(err, context.Canceled) {
			err = c.transportError(r.Op, errStalled)
		}
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer cancel()
		defer resp.Body.Close()
		_, err := c.read(r, resp)
		if err == nil { // 201 without having asked for it
			err = c.Malformed(r.Op, "it answered HTTP %d", resp.StatusCode)
		}
		return nil, err
	}
	if resp.ContentLength > most {
		cancel()
		resp.Body.Close()
		return nil, c.Malformed(r.Op, "it has %d bytes, at most %d are taken", resp.ContentLength, most)
	}
	return &download{Caller: c, op: r.Op, body: resp.Body, left: most, watch: watch, cancel: cancel}, nil
}

// Check refuses a URL that is none of schemes with a host, without showing it.
func Check(what, raw string, schemes ...string) error {
	if raw == "" {
		return fmt.Errorf("%s is not set", what)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" { // err would print the URL with what may be a key
		return fmt.Errorf("%s is not a URL with a host", what)
	}
	if u.User != nil {
		return fmt.Errorf("%s carries credentials: put them into a secret", what)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%s has a query or a fragment: want scheme, host and path", what)
	}
	for _, s := range schemes {
		if u.Scheme == s {
			return nil
		}
	}
	return fmt.Errorf("%s has scheme %q, want one of %q", what, u.Scheme, schemes)
}
