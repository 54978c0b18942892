package appchain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
)

// announcer is a node's websocket: it answers a chain id and the subscription, and then does what then says for the
// n-th connection.
func announcer(t *testing.T, chain string, then func(ctx context.Context, n int64, c *websocket.Conn)) string {
	t.Helper()
	var connections atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			_, body, err := c.Read(r.Context())
			if err != nil {
				return
			}
			var q struct {
				ID     int    `json:"id"`
				Method string `json:"method"`
			}
			if err := json.Unmarshal(body, &q); err != nil {
				t.Error(err)
				return
			}
			answer := `"0x` + fmt.Sprintf("%x", chain) + `"`
			if q.Method == "starknet_subscribeNewHeads" {
				answer = `"1"`
			}
			if c.Write(r.Context(), websocket.MessageText,
				fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"result":%s}`, q.ID, answer)) != nil {
				return
			}
			if q.Method == "starknet_subscribeNewHeads" {
				then(r.Context(), connections.Add(1), c)
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

func announce(ctx context.Context, c *websocket.Conn, method, result string) {
	_ = c.Write(ctx, websocket.MessageText, fmt.Appendf(nil,
		`{"jsonrpc":"2.0","method":%q,"params":{"subscription_id":"1","result":%s}}`, method, result))
}

func headJSON(n int) string {
	return fmt.Sprintf(`{"block_hash":"0x%x","parent_hash":"0x%x","block_number":%d,"new_root":"0x3","timestamp":1,`+
		`"starknet_version":"0.14.0"}`, n+1, n, n)
}

// listen collects notices in short form until there are as many as wanted.
func listen(t *testing.T, s *appchain.Source, want int) (got []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	err = s.Heads(ctx, func(n block.Notice) {
		switch {
		case n.Head != nil:
			got = append(got, fmt.Sprintf("head %d", n.Head.Number))
		case n.Replaced != nil:
			got = append(got, fmt.Sprintf("replaced %d-%d", n.Replaced.From, n.Replaced.To))
		case n.Missed:
			got = append(got, "missed")
		}
		if len(got) >= want {
			cancel()
		}
	})
	return got, err
}

// Heads and reorganisations are announced; a connection that breaks is opened again, and what may have been missed in
// between is said. Replaced blocks leave the cache.
func TestHeadsReconnect(t *testing.T) {
	t.Parallel()
	url := announcer(t, "SN_DEV", func(ctx context.Context, n int64, c *websocket.Conn) {
		switch n {
		case 1:
			announce(ctx, c, "starknet_subscriptionNewHeads", headJSON(5))
			announce(ctx, c, "starknet_subscriptionReorg",
				`{"starting_block_hash":"0x5","starting_block_number":4,`+
					`"ending_block_hash":"0x6","ending_block_number":5}`)
		case 2: // it breaks before it says anything
		case 3:
			announce(ctx, c, "starknet_subscriptionNewHeads", `{"block_number":"x"}`) // it breaks by itself
			<-ctx.Done()
		default:
			announce(ctx, c, "starknet_subscriptionSomething", `{}`)
			announce(ctx, c, "starknet_subscriptionNewHeads", headJSON(6))
			<-ctx.Done()
		}
	})
	kept := newMemoryCache()
	for _, key := range []string{"starknet/SN_DEV/header/4", "starknet/SN_DEV/update/5", "starknet/SN_DEV/header/3"} {
		if err := kept.Set(t.Context(), key, []byte("{}"), 0); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, appchain.Config{URL: "http://127.0.0.1:1", WebsocketURL: url, ChainID: "SN_DEV",
		MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond}, appchain.Deps{Cache: kept})
	got, err := listen(t, s, 6)
	want := "head 5, replaced 4-5, missed, missed, missed, head 6"
	if strings.Join(got, ", ") != want || !errors.Is(err, context.Canceled) {
		t.Errorf("got %q, %v, want %s", got, err, want)
	}
	if len(kept.m) != 1 || kept.m["starknet/SN_DEV/header/3"] == nil {
		t.Errorf("the cache holds %v", kept.m)
	}
}

// A node of another chain ends it: no retry can help.
func TestHeadsOfAnotherChain(t *testing.T) {
	t.Parallel()
	url := announcer(t, "SN_OTHER", func(context.Context, int64, *websocket.Conn) {})
	s := open(t, appchain.Config{URL: "http://127.0.0.1:1", WebsocketURL: url, ChainID: "SN_DEV"}, appchain.Deps{})
	if got, err := listen(t, s, 1); !errors.Is(err, block.ErrWrongChain) || len(got) != 0 {
		t.Errorf("got %q, %v", got, err)
	}
}

// A connection that is open and dead is noticed by pings and opened again.
func TestHeadsOfADeadConnection(t *testing.T) {
	t.Parallel()
	url := announcer(t, "SN_DEV", func(ctx context.Context, n int64, c *websocket.Conn) {
		if n > 1 {
			announce(ctx, c, "starknet_subscriptionNewHeads", headJSON(9))
		}
		<-ctx.Done() // it reads nothing, so it answers no ping
	})
	s := open(t, appchain.Config{URL: "http://127.0.0.1:1", WebsocketURL: url, ChainID: "SN_DEV",
		RequestTimeout: 200 * time.Millisecond, MinBackoff: time.Millisecond}, appchain.Deps{
		Sleep: func(ctx context.Context, d time.Duration) error { // silence is shorter
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(min(d, 20*time.Millisecond)):
				return nil
			}
		}})
	if got, _ := listen(t, s, 2); strings.Join(got, ", ") != "missed, head 9" {
		t.Errorf("got %q", got)
	}
}
