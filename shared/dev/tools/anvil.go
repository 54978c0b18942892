package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// anvils are the URLs of nodes that no test uses at the moment, by their arguments: a node spends seconds of a
// processor on its first blobs (findings/anvil-first-blobs.sh), so it goes from test to test.
var anvils = struct {
	sync.Mutex
	free map[string][]string
}{free: map[string][]string{}}

// Anvil returns the URL of an Ethereum node with further arguments, which is at its genesis and no other test's until
// this one has ended. A test that pauses it or kills who sends to it takes AnvilAlone.
func Anvil(t testing.TB, args ...string) string {
	t.Helper()
	key := strings.Join(args, " ")
	url := freeAnvil(key)
	if url != "" {
		if err := fresh(t.Context(), url, args); err != nil {
			t.Logf("another one starts: %v", err)
			url = ""
		}
	}
	if url == "" {
		url = AnvilAlone(t, args...)
	}
	t.Cleanup(func() {
		if t.Failed() { // nobody knows what is left in it
			return
		}
		anvils.Lock()
		defer anvils.Unlock()
		anvils.free[key] = append(anvils.free[key], url)
	})
	return url
}

// AnvilAlone is Anvil with a node that no other test gets: a request that is on its way when the test ends can't reach
// the next one's chain, which has the same accounts.
func AnvilAlone(t testing.TB, args ...string) string {
	t.Helper()
	return newAnvil(args...).get(t)
}

func freeAnvil(key string) string {
	anvils.Lock()
	defer anvils.Unlock()
	free := anvils.free[key]
	if len(free) == 0 {
		return ""
	}
	anvils.free[key] = free[:len(free)-1]
	return free[len(free)-1]
}

// fresh makes a node what one is that starts now with the arguments, except that --timestamp has no effect.
// anvil_reset leaves two things (findings/anvil-reset-keeps-time-and-mining.sh): blocks go on from the genesis' time,
// and what a test has set of mining stays.
func fresh(ctx context.Context, url string, args []string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	type request struct {
		method string
		params []any
	}
	rs := []request{
		{"anvil_reset", []any{}},
		{"evm_setTime", []any{time.Now().Unix()}},
	}
	if slices.Contains(args, "--no-mining") {
		rs = append(rs, request{"evm_setAutomine", []any{false}})
	}
	for _, r := range rs {
		if err := call(ctx, url, r.method, r.params); err != nil {
			return fmt.Errorf("make the anvil at %s fresh: %s: %w", url, r.method, err)
		}
	}
	return nil
}

// call makes a request of JSON-RPC and drops its result. With go-ethereum's client each test that starts a component,
// of a database too, would link it.
func call(ctx context.Context, url, method string, params []any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct{ Error *struct{ Message string } }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return fmt.Errorf("the node answers: %s", answer.Error.Message)
	}
	return nil
}

func newAnvil(args ...string) *tool {
	return &tool{
		name: "anvil",
		command: func(root string, port int, _ string) *exec.Cmd {
			return exec.Command(filepath.Join(root, "node/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"),
				append([]string{"--host", "127.0.0.1", "--port", strconv.Itoa(port), "--silent"}, args...)...)
		},
		url: func(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) },
	}
}
