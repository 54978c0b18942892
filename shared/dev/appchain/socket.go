package appchain

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"

	"github.com/coder/websocket"
)

// socket is one websocket connection with its subscriptions.
type socket struct {
	chain *Chain
	conn  *websocket.Conn
	next  int

	wg   sync.WaitGroup
	mu   sync.Mutex
	subs map[string]func()
}

// handle answers one message.
func (s *socket) handle(ctx context.Context, body []byte) error {
	var q rpcRequest
	if json.Unmarshal(body, &q) != nil || q.Version != "2.0" {
		return s.send(ctx, rpcResponse{Version: "2.0", ID: nullID, Error: faultParse})
	}
	switch q.Method {
	case "starknet_subscribeNewHeads":
		return s.subscribe(ctx, q)
	case "starknet_unsubscribe":
		return s.unsubscribe(ctx, q)
	}
	return s.send(ctx, s.chain.one(ctx, q))
}

// subscribe starts sending new heads, from the given block on where one is named.
func (s *socket) subscribe(ctx context.Context, q rpcRequest) error {
	p, ok := parseParams(q.Params, []string{"block_id"})
	if !ok {
		return s.send(ctx, rpcResponse{Version: "2.0", ID: q.ID, Error: faultParams})
	}
	heads, end := s.chain.subscribe() // before the head is read: none may fall between
	next := uint64(0)
	if h, any := s.chain.Head(); any {
		next = h.Number + 1
	}
	if len(p[0]) > 0 && string(p[0]) != "null" {
		n, fault := s.chain.blockID(p[0], false)
		if fault != nil {
			end()
			return s.send(ctx, rpcResponse{Version: "2.0", ID: q.ID, Error: fault})
		}
		next = min(n, next)
	}
	s.next++
	id := strconv.Itoa(s.next)
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	s.subs[id] = func() { cancel(); end() }
	s.mu.Unlock()
	if err := s.send(ctx, rpcResponse{Version: "2.0", ID: q.ID, Result: id}); err != nil {
		return err
	}
	s.wg.Go(func() { s.follow(ctx, id, next, heads) })
	return nil
}

// follow sends every block from next on, none left out.
func (s *socket) follow(ctx context.Context, id string, next uint64, heads <-chan uint64) {
	for {
		for {
			b, ok := s.chain.block(next)
			if !ok {
				break
			}
			note := map[string]any{"jsonrpc": "2.0", "method": "starknet_subscriptionNewHeads",
				"params": map[string]any{"subscription_id": id, "result": s.chain.headerJSON(b)}}
			if s.send(ctx, note) != nil {
				return
			}
			next++
		}
		select {
		case <-ctx.Done():
			return
		case <-heads:
		}
	}
}

func (s *socket) unsubscribe(ctx context.Context, q rpcRequest) error {
	p, ok := parseParams(q.Params, []string{"subscription_id"})
	var id string
	if !ok || json.Unmarshal(p[0], &id) != nil {
		return s.send(ctx, rpcResponse{Version: "2.0", ID: q.ID, Error: faultParams})
	}
	s.mu.Lock()
	end, ok := s.subs[id]
	delete(s.subs, id)
	s.mu.Unlock()
	if !ok {
		return s.send(ctx, rpcResponse{Version: "2.0", ID: q.ID, Error: faultSub})
	}
	end()
	return s.send(ctx, rpcResponse{Version: "2.0", ID: q.ID, Result: true})
}

func (s *socket) send(ctx context.Context, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.conn.Write(ctx, websocket.MessageText, b)
}

// end ends every subscription and waits for its sender.
func (s *socket) end() {
	s.mu.Lock()
	for _, end := range s.subs {
		end()
	}
	s.mu.Unlock()
	s.wg.Wait()
}
