package rpcnode_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/rpcnode"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

// TestUnanswered: a request that no connection came about for did surely not reach the node; others may have.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ping" {
			<-r.Context().Done()
		}
	}))
	t.Cleanup(slow.Close)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for url, unreached := range map[string]bool{
		closed.URL: true, "http://nobody.invalid": true, secure.URL: true, slow.URL: false,
	} {
		var cause error
		switch url {
		case "http://nobody.invalid": // whatever resolves names here
			cause = &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
		case slow.URL: // on a busy machine the time may end before there is a connection: it has one already
			pinged, err := http.Get(url + "/ping")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, pinged.Body)
			pinged.Body.Close()
			_, cause = (&http.Client{Timeout: 200 * time.Millisecond}).Get(url)
		default:
			_, cause = http.Get(url)
		}
		if cause == nil {
			t.Fatalf("%s answers", url)
		}
		err := rpcnode.Unanswered("node: eth_call", cause, redact.OfURL(url), 200)
		if !errors.Is(err, look.ErrUnanswered) || errors.Is(err, look.ErrUnreached) != unreached {
			t.Errorf("%s: %v, unreached %t", url, err, !unreached)
		}
		if after := rpcnode.Unchecked(err); !errors.Is(after, look.ErrUnreached) || after.Error() != err.Error() {
			t.Errorf("%s: %v before the request", url, after)
		}
	}
	if err := rpcnode.Unchecked(io.EOF); errors.Is(err, look.ErrUnreached) {
		t.Errorf("%v is an answer", err)
	}
}

// TestWrap: no error in the chain prints the URL's key, the cause is still found, and a long text is cut.
func TestWrap(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef"
	raw := "https://node.example/v3/" + key
	for name, cause := range map[string]error{
		"the client's own": &url.Error{Op: "Post", URL: raw, Err: io.ErrUnexpectedEOF},
		"a node's words":   fmt.Errorf("no project %s%s: %w", key, strings.Repeat("<p>", 1000), io.ErrUnexpectedEOF),
	} {
		err := rpcnode.Wrap("node: eth_call", cause, redact.OfURL(raw), 200)
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(err.Error(), "node: eth_call: ") {
			t.Errorf("%s: %v", name, err)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if text := fmt.Sprintf("%+v", e); strings.Contains(text, key) || len(text) > 300 {
				t.Errorf("%s shows the key, or is not cut: %s", name, text)
			}
		}
		var ue *url.Error
		if errors.As(err, &ue) {
			t.Errorf("%s gives the URL away", name)
		}
	}
}
