package rpcnode_test

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/rpcnode"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

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
