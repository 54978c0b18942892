package appchain

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
)

// endpoint is one server that answers HTTP requests, and what is known of its health.
type endpoint struct {
	name    string // "node", "backup node", "feeder gateway": what errors call it
	url     string
	secrets []string

	mu        sync.Mutex
	chain     string    // chain id as the node told, "" while not asked
	downUntil time.Time // passed over until then
	head      uint64    // last head seen, and since when
	headSince time.Time
}

func newEndpoint(name, raw string) *endpoint {
	if raw == "" {
		return nil
	}
	return &endpoint{name: name, url: raw, secrets: secretsOf(raw)}
}

// label names the endpoint in errors and logs: scheme and host, nothing that may hold a key.
func (e *endpoint) label() string { return e.name + " " + Redact(e.url) }

// scrub takes the URL's secrets out of a text that a server or a library wrote, and bounds its length.
func (e *endpoint) scrub(s string) string { return scrub(s, e.secrets) }

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

// Redact returns scheme and host of a URL, which is what may be shown of it: user information, path and query may be API
// keys.
func Redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "(redacted URL)"
	}
	if strings.Trim(u.Path, "/") == "" && u.RawQuery == "" {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + "://" + u.Host + "/..."
}

// secretsOf lists the parts of a URL that may be keys: password, user, query values and path segments of some length.
func secretsOf(raw string) []string {
	u, err := url.Parse(raw)
	if err != nil {
		return []string{raw}
	}
	out := []string{raw}
	add := func(s string) {
		if len(s) >= 6 {
			out = append(out, s)
		}
	}
	add(u.User.Username())
	if p, ok := u.User.Password(); ok && p != "" {
		out = append(out, p)
		if e := url.QueryEscape(p); e != p {
			out = append(out, e)
		}
	}
	if u.User != nil { // as basic authentication sends it
		p, _ := u.User.Password()
		add(base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + p)))
	}
	for _, vs := range u.Query() {
		for _, v := range vs {
			add(v)
		}
	}
	for _, seg := range strings.Split(u.Path, "/") {
		add(seg)
	}
	return out
}

const maxErrorText = 200

func scrub(s string, secrets []string) string {
	for _, k := range secrets {
		s = strings.ReplaceAll(s, k, "(redacted)")
	}
	s = strings.ToValidUTF8(s, "?")
	if len(s) > maxErrorText {
		s = strings.ToValidUTF8(s[:maxErrorText], "") + "..."
	}
	return s
}

// statusError is an HTTP answer other than 200.
type statusError struct {
	where      string
	status     int
	retryAfter time.Duration // 0 where the server names none
	text       string
	code       string // StarknetErrorCode of a feeder gateway's error body
}

// Error tells where, the status and the start of the body.
func (e *statusError) Error() string {
	return fmt.Sprintf("%s answered HTTP %d: %s", e.where, e.status, e.text)
}

// errOversized says that a response passes the limit; asking for less may help.
var errOversized = errors.New("response is larger than allowed")

// do makes one HTTP request and returns the body of a 200 answer in JSON.
func (s *Source) do(ctx context.Context, e *endpoint, method, rawURL string, body []byte) ([]byte, error) {
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
	b, err := io.ReadAll(io.LimitReader(resp.Body, s.cfg.MaxResponse+1))
	switch {
	case int64(len(b)) > s.cfg.MaxResponse:
		return nil, fmt.Errorf("read %s: more than %d bytes: %w", e.label(), s.cfg.MaxResponse, errOversized)
	case err != nil:
		return nil, &transportError{where: e.label(), err: bare(err), secrets: e.secrets}
	case resp.StatusCode != http.StatusOK:
		return nil, s.statusError(e, resp, b)
	case looksLikeHTML(resp.Header, b):
		return nil, fmt.Errorf("%s answered HTML: %w", e.label(), block.ErrMalformed)
	}
	return b, nil
}

func looksLikeHTML(h http.Header, b []byte) bool {
	if t, _, _ := mime.ParseMediaType(h.Get("Content-Type")); t == "text/html" {
		return true
	}
	return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("<"))
}

func (s *Source) statusError(e *endpoint, resp *http.Response, body []byte) error {
	out := &statusError{where: e.label(), status: resp.StatusCode, text: "HTML"}
	out.retryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), s.deps.Now())
	if !looksLikeHTML(resp.Header, body) {
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
	secrets []string
}

// Error tells where and what, without the URL.
func (e *transportError) Error() string {
	return "reach " + e.where + ": " + scrub(e.err.Error(), e.secrets)
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
