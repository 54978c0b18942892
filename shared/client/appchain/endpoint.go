package appchain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

// endpoint is one server that answers HTTP requests, and what is known of its health.
type endpoint struct {
	name    string // "node", "backup node", "feeder gateway": what errors call it
	url     string
	secrets redact.Known

	mu        sync.Mutex
	chain     string    // chain id that the node returned, "" while not asked
	downUntil time.Time // passed over until then
	head      uint64    // last head seen, and since when
	headSince time.Time
}

func newEndpoint(name, raw string) *endpoint {
	if raw == "" {
		return nil
	}
	return &endpoint{name: name, url: raw, secrets: redact.OfURL(raw)}
}

// label names the endpoint in errors and logs: scheme and host, nothing that may hold a key.
func (e *endpoint) label() string { return e.name + " " + redact.Host(e.url) }

// scrub takes the URL's secrets out of a text that a server or a library wrote, and bounds its length.
func (e *endpoint) scrub(s string) string { return e.secrets.Text(s, maxErrorText) }

func (e *endpoint) down(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return now.Before(e.downUntil)
}

func (e *endpoint) markDown(until time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.downUntil = until
}

// sawHead records a head and returns since when it has stood there.
func (e *endpoint) sawHead(n uint64, now time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.headSince.IsZero() || n != e.head {
		e.head, e.headSince = n, now
	}
	return e.headSince
}

const maxErrorText = 200

// statusError is an HTTP answer other than 200.
type statusError struct {
	where      string
	status     int
	retryAfter time.Duration // 0 where the server names none
	text       string
	code       string // StarknetErrorCode of a feeder gateway's error body
}

// Error says where, the status and the start of the body.
func (e *statusError) Error() string {
	return fmt.Sprintf("%s answered HTTP %d: %s", e.where, e.status, e.text)
}

// errOversized says that a response passes the limit; asking for less may help.
var errOversized = errors.New("response is larger than allowed")

// do makes one HTTP request and returns the body of a 200 answer in JSON.
func (s *Source) do(ctx context.Context, e *endpoint, method, rawURL string, body []byte,
	most jsonlimit.Limits) (b []byte, err error) {
	done := metric.Call(ctx, metric.AppChain, e.name)
	defer func() { done(err) }()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, rawURL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("address %s: %s", e.label(), e.scrub(err.Error()))
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.deps.HTTP.Do(req)
	if err != nil {
		return nil, &transportError{where: e.label(), err: bare(err), secrets: e.secrets}
	}
	defer resp.Body.Close()
	b, err = io.ReadAll(jsonlimit.NewReader(resp.Body, most))
	switch {
	case errors.Is(err, jsonlimit.ErrTooLarge):
		return nil, fmt.Errorf("read %s: %w: %w", e.label(), err, errOversized)
	case err != nil:
		return nil, &transportError{where: e.label(), err: bare(err), secrets: e.secrets}
	case resp.StatusCode != http.StatusOK:
		return nil, s.statusError(e, resp, b)
	case outbound.IsHTML(resp.Header, b):
		return nil, fmt.Errorf("%s answered HTML: %w", e.label(), block.ErrMalformed)
	}
	return b, nil
}

func (s *Source) statusError(e *endpoint, resp *http.Response, body []byte) error {
	out := &statusError{where: e.label(), status: resp.StatusCode, text: "HTML"}
	out.retryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), s.deps.Now())
	if !outbound.IsHTML(resp.Header, body) {
		out.text = e.scrub(string(body))
		var fgw struct {
			Code string `json:"code"`
		}
		if json.Unmarshal(body, &fgw) == nil {
			out.code = fgw.Code
		}
	}
	return out
}

// transportError is a failure to reach a server or to read its answer to the end. Its text is free of the URL.
type transportError struct {
	where   string
	err     error
	secrets redact.Known
}

// Error says where and what, without the URL.
func (e *transportError) Error() string {
	return "reach " + e.where + ": " + e.secrets.Text(e.err.Error(), maxErrorText)
}

// Unwrap gives the cause.
func (e *transportError) Unwrap() error { return e.err }

// bare takes the url.Error off, which prints the URL.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
