// Package outbound makes every HTTP client by which the project asks services of others, so that none forgets a rule:
// no redirects, a limit of time, and answers that end where they are too large. A test holds that no other package
// below shared/client makes one.
package outbound

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
)

// idle is how many connections to one host are kept: about as many as one client has requests under way.
const idle = 16

// Transport returns a new transport like http.DefaultTransport. That one keeps two idle connections to a host, so a
// client with more requests under way than two would make a connection, and its TLS handshake, for almost each.
func Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = idle
	return t
}

// transport is that of every client which brings none: its connections are shared.
var transport = Transport()

// Client returns a copy of base, nil for a new one, that follows no redirect: a redirect is an answer. To follow it
// would make a POST a GET, or take a key in a header or a body to another host. timeout bounds a whole request and its
// answer where base has no limit; 0 leaves that to the requests' contexts.
func Client(base *http.Client, timeout time.Duration) *http.Client {
	c := &http.Client{Timeout: timeout}
	if base != nil {
		*c = *base
	}
	if c.Transport == nil {
		c.Transport = transport
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// Limited returns a copy of c whose answers, as they are after decompression, fail with jsonlimit.ErrTooLarge while
// they are read beyond limits: for libraries that read answers themselves.
func Limited(c *http.Client, l jsonlimit.Limits) *http.Client {
	out := *c
	if out.Transport == nil {
		out.Transport = transport
	}
	out.Transport = limited{out.Transport, l}
	return &out
}

type limited struct {
	http.RoundTripper
	limits jsonlimit.Limits
}

// RoundTrip implements http.RoundTripper.
func (t limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = body{jsonlimit.NewReader(resp.Body, t.limits), resp.Body}
	return resp, nil
}

// body reads within limits and closes what it reads.
type body struct {
	io.Reader
	io.Closer
}

// IsHTML says whether an answer is a page: a load balancer's or a login's, not the service's own word. So its status
// says nothing of what was asked for: its 404 is not "there is no such thing".
func IsHTML(h http.Header, b []byte) bool {
	if t, _, _ := mime.ParseMediaType(h.Get("Content-Type")); t == "text/html" || t == "application/xhtml+xml" {
		return true
	}
	return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("<"))
}
