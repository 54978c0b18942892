package httpcall

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
)

// ErrMalformed says that a service answered with something else than its interface has.
var ErrMalformed = errors.New("answer is malformed")

// StatusError is an answer other than a success.
type StatusError struct {
	Status int
	// Code is the service's own name of the error, such as INVALID_API_KEY; "" where it gives none.
	Code string
	// Text is what the service says, without secrets and cut to a few hundred bytes.
	Text string
	// RetryAfter is the pause that the service asks for; 0 for none.
	RetryAfter time.Duration
	// API says that the service itself answered in JSON, and not something in front of it.
	API bool

	where string
}

// Error says where, the status, the code and the text.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: HTTP %d: %s", e.where, e.Status, e.Text)
}

// Passing says whether the same request may succeed later.
func (e *StatusError) Passing() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotFound, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusConflict:
		return !e.API // from a load balancer while the service restarts
	}
	return e.Status >= 500 || e.Status/100 == 3 || e.Status/100 == 2
}

// InputError is a failure to open or to read a request's body: not the service's fault.
type InputError struct {
	op  string
	err error
}

// Error says what was to be sent and why it was not.
func (e *InputError) Error() string { return e.op + ": read the input: " + e.err.Error() }

// Unwrap gives the cause.
func (e *InputError) Unwrap() error { return e.err }

// TransportError is a failure to reach a service or to read its answer to the end.
type TransportError struct {
	text string
	err  error
}

// Error says where and what, without URL and keys.
func (e *TransportError) Error() string { return e.text }

// Is looks at the cause, which can't be unwrapped: its own text may show the URL.
func (e *TransportError) Is(target error) bool { return errors.Is(e.err, target) }

func (c *Caller) transportError(op string, err error) error {
	var u *url.Error
	for errors.As(err, &u) { // its text has the whole URL
		err = u.Err
	}
	return &TransportError{text: fmt.Sprintf("%s: %s: %s", c.name, op, c.Scrub(err.Error())), err: err}
}

// Malformed is an error that is ErrMalformed.
func (c *Caller) Malformed(op, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %s: %w", c.name, op, c.Scrub(fmt.Sprintf(format, args...)), ErrMalformed)
}

// maxText bounds what is shown of a service's text in bytes.
const maxText = 300

// Scrub returns what may be shown of what a service says: without secrets, and bounded.
func (c *Caller) Scrub(s string) string { return c.secrets.Text(s, maxText) }

// problem is what services put into the body of an error.
type problem struct {
	Message json.RawMessage `json:"message"`
	Error   json.RawMessage `json:"error"`
	Code    json.RawMessage `json:"code"`
}

func (c *Caller) statusError(op string, resp *http.Response, body []byte) *StatusError {
	out := &StatusError{
		Status: resp.StatusCode, where: c.name + ": " + op, Text: http.StatusText(resp.StatusCode),
		RetryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), c.deps.Now()),
	}
	var p problem
	if outbound.IsHTML(resp.Header, body) || json.Unmarshal(body, &p) != nil {
		if len(bytes.TrimSpace(body)) > 0 && !outbound.IsHTML(resp.Header, body) {
			out.Text = c.Scrub(string(body))
		}
		return out
	}
	message, code := text(p.Message), text(p.Code)
	if message == "" {
		message = text(p.Error)
	}
	if message == "" && code == "" {
		return out // JSON, but not the service's
	}
	out.API = !strings.HasPrefix(message, "Route ") // a web framework's own 404: the path is wrong
	out.Code = code
	if out.Code == "" && isCode(message) {
		out.Code = message
	}
	if out.Text = message; code != "" && code != message {
		out.Text = code + ": " + message
	}
	out.Text, out.Code = c.Scrub(out.Text), c.Scrub(out.Code)
	return out
}

func text(m json.RawMessage) string {
	var s string
	if json.Unmarshal(m, &s) != nil {
		return ""
	}
	return s
}

// isCode says whether a text is a name such as INVALID_API_KEY.
func isCode(s string) bool {
	for _, r := range s {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return s != ""
}

// parseRetryAfter reads the header's seconds or date; 0 where it is absent or unreadable, at most a day.
func parseRetryAfter(h string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	if n, err := strconv.Atoi(h); err == nil && n > 0 {
		return time.Duration(min(n, 86400)) * time.Second
	}
	if t, err := http.ParseTime(h); err == nil && t.After(now) {
		return min(t.Sub(now), most)
	}
	return 0
}
