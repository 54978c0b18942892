package appchain_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// wire carries bytes to a node, and can be cut.
type wire struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l}
	t.Cleanup(func() { _ = l.Close(); w.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, in, out)
			w.mu.Unlock()
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() { _, _ = io.Copy(pair[0], pair[1]); _ = pair[0].Close() }()
			}
		}
	}()
	return w
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// control calls a method of devnet's own.
func control(t *testing.T, url, method, params string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(
		fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || strings.Contains(string(b), `"error"`) {
		t.Fatalf("%s: %s, %v", method, b, err)
	}
}

// The websocket of starknet-devnet, a node that nobody here wrote, announces its blocks as they are read over HTTP, and
// those that it takes back, which leave the cache. A connection that breaks is opened again.
func TestDevnet_Heads(t *testing.T) {
	url := tools.Devnet(t, "--block-generation-on", "demand")
	address := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/rpc")
	between := newWire(t, address)
	s := open(t, appchain.Config{URL: url, WebsocketURL: "ws://" + between.Addr().String() + "/ws",
		ChainID: "SN_SEPOLIA", MinBackoff: time.Millisecond}, appchain.Deps{Cache: newMemoryCache()})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	notices, ended := make(chan block.Notice, 100), make(chan error, 1)
	go func() { ended <- s.Heads(ctx, func(n block.Notice) { notices <- n }) }()
	next := func() block.Notice {
		t.Helper()
		select {
		case n := <-notices:
			return n
		case err := <-ended:
			t.Fatalf("nothing more is announced: %v", err)
		case <-ctx.Done():
			t.Fatal("nothing more is announced")
		}
		return block.Notice{}
	}
	same := func(n block.Notice, number uint64) block.Header {
		t.Helper()
		read, err := s.Headers(ctx, number, number)
		if err != nil {
			t.Fatal(err)
		}
		if n.Head == nil || *n.Head != read[0] {
			t.Fatalf("announced %+v, read %+v", n, read[0])
		}
		return read[0]
	}
	// a block that comes before the subscription is announced to nobody
	first := uint64(0)
	for n := (block.Notice{}); n.Head == nil; {
		control(t, url, "devnet_createBlock", "{}")
		select {
		case n = <-notices:
			first = n.Head.Number
			same(n, first)
		case <-time.After(100 * time.Millisecond):
		}
	}
	for { // those that followed meanwhile
		select {
		case n := <-notices:
			first = n.Head.Number
			continue
		case <-time.After(time.Second):
		}
		break
	}
	control(t, url, "devnet_createBlock", "{}")
	was := same(next(), first+1)
	control(t, url, "devnet_abortBlocks", fmt.Sprintf(`{"starting_block_id":{"block_number":%d}}`, first+1))
	if n := next(); n.Replaced == nil || *n.Replaced != (block.Replaced{From: first + 1, To: first + 1}) {
		t.Fatalf("block %d was taken back, announced is %+v", first+1, n)
	}
	control(t, url, "devnet_increaseTime", `{"time":1000}`) // makes a block of another time
	if is := same(next(), first+1); is == was {
		t.Error("the block that was taken back is still read")
	}
	between.cut()
	if n := next(); !n.Missed {
		t.Fatalf("the connection broke, announced is %+v", n)
	}
	control(t, url, "devnet_createBlock", "{}")
	same(next(), first+2)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// A websocket of another chain ends it.
func TestDevnet_HeadsOfAnotherChain(t *testing.T) {
	t.Parallel()
	url := tools.Devnet(t)
	s := open(t, appchain.Config{URL: url, ChainID: "SN_MAIN", WebsocketURL: strings.TrimSuffix(
		strings.Replace(url, "http", "ws", 1), "/rpc") + "/ws"}, appchain.Deps{})
	if got, err := listen(t, s, 1); !errors.Is(err, block.ErrWrongChain) || len(got) != 0 {
		t.Errorf("got %q, %v", got, err)
	}
}
