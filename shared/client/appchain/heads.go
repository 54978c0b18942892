package appchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// maxMessage bounds one websocket message; a header has about 2 kB.
const maxMessage = 1 << 20

// silence is after how long without a message the connection is pinged.
const silence = 30 * time.Second

var _ block.Announcer = (*Source)(nil)

// Heads implements block.Announcer over the websocket. Blocks that the chain replaced are forgotten by the cache.
func (s *Source) Heads(ctx context.Context, f func(block.Notice)) error {
	if s.cfg.WebsocketURL == "" {
		return errors.New("subscribe to new heads: no websocket URL is configured")
	}
	e := newEndpoint("websocket", s.cfg.WebsocketURL)
	again := false
	for round := 0; ; round++ {
		got, err := s.follow(ctx, e, again, f)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, block.ErrWrongChain) {
			return err
		}
		if again = true; got {
			round = 0
		}
		s.deps.Log.WarnContext(ctx, "subscription to new heads broke, will be opened again", "node", e.label(),
			"error", e.scrub(err.Error()))
		if err := s.pause(ctx, round, err); err != nil {
			return err
		}
	}
}

// follow keeps one connection; got says whether it brought anything. Where it is not the first one, heads may have been
// missed.
func (s *Source) follow(ctx context.Context, e *endpoint, again bool, f func(block.Notice)) (got bool, err error) {
	conn, err := s.subscribe(ctx, e)
	if err != nil {
		return false, err
	}
	defer conn.CloseNow()
	if again {
		f(block.Notice{Missed: true})
	}
	ctx, cancel := context.WithCancel(ctx)
	pinged := make(chan struct{})
	go func() {
		defer close(pinged)
		s.keepAlive(ctx, conn)
	}()
	defer func() { cancel(); <-pinged }()
	for {
		_, raw, err := conn.Read(ctx)
		if err != nil {
			return got, &transportError{where: e.label(), err: err, secrets: e.secrets}
		}
		n, ok, err := decodeNotice(raw)
		if err != nil {
			return got, err
		}
		if !ok {
			continue
		}
		if r := n.Replaced; r != nil {
			for _, kind := range []string{headerKind, updateKind, receiptsKind} {
				s.forget(ctx, kind, r.From, r.To)
			}
		}
		got = true
		f(n)
	}
}

// subscribe opens a connection to a node of the right chain that announces new heads.
func (s *Source) subscribe(ctx context.Context, e *endpoint) (_ *websocket.Conn, err error) {
	done := metric.Call(ctx, metric.AppChain, "subscribe")
	defer func() { done(err) }()
	dialCtx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	conn, _, err := websocket.Dial(dialCtx, e.url, &websocket.DialOptions{HTTPClient: s.deps.HTTP})
	cancel()
	if err != nil {
		return nil, &transportError{where: e.label(), err: bare(err), secrets: e.secrets}
	}
	conn.SetReadLimit(maxMessage)
	if err = s.socketChain(ctx, conn, e); err == nil {
		_, err = s.ask(ctx, conn, e, 2, "starknet_subscribeNewHeads")
	}
	if err != nil {
		conn.CloseNow()
		return nil, err
	}
	return conn, nil
}

// keepAlive pings until ctx ends, and closes a connection that no longer answers.
func (s *Source) keepAlive(ctx context.Context, conn *websocket.Conn) {
	for s.deps.Sleep(ctx, silence) == nil {
		pingCtx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
		err := conn.Ping(pingCtx)
		cancel()
		if err != nil {
			_ = conn.CloseNow()
			return
		}
	}
}

// socketChain compares the websocket node's chain id with the configured one.
func (s *Source) socketChain(ctx context.Context, conn *websocket.Conn, e *endpoint) error {
	if s.cfg.ChainID == "" {
		return nil
	}
	raw, err := s.ask(ctx, conn, e, 1, "starknet_chainId")
	if err != nil {
		return err
	}
	id, err := decodeChainID(raw)
	if err != nil {
		return err
	}
	if id != s.cfg.ChainID {
		return fmt.Errorf("%s serves %q, configured is %q: %w", e.label(), id, s.cfg.ChainID, block.ErrWrongChain)
	}
	return nil
}

// ask makes one call over the websocket and waits for its answer.
func (s *Source) ask(ctx context.Context, conn *websocket.Conn, e *endpoint, id int,
	method string) (jsontext.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	body, err := json.Marshal(envelope{Version: "2.0", ID: id, Method: method, Params: []any{}})
	if err != nil {
		return nil, fmt.Errorf("encode call of %s: %w", method, err)
	}
	if err := conn.Write(ctx, websocket.MessageText, body); err != nil {
		return nil, &transportError{where: e.label(), err: err, secrets: e.secrets}
	}
	_, raw, err := conn.Read(ctx)
	if err != nil {
		return nil, &transportError{where: e.label(), err: err, secrets: e.secrets}
	}
	answers, err := decodeAnswers(raw, id, 1)
	if err != nil {
		return nil, e.explain(method, err)
	}
	var result jsontext.Value
	c := call{take: func(r jsontext.Value) error { result = r; return nil }}
	if err := c.accept(answers[0]); err != nil {
		return nil, e.explain(method, err)
	}
	return result, nil
}

// maxReplaced bounds how many blocks a notice may say were replaced. With more the connection is opened again, which
// says that heads may have been missed.
const maxReplaced = 1000

// decodeNotice reads a message of the subscription; ok is false for messages of another kind.
func decodeNotice(raw []byte) (n block.Notice, ok bool, err error) {
	var m struct {
		Method string `json:"method"`
		Params struct {
			Result jsontext.Value `json:"result"`
		} `json:"params"`
	}
	if err := unmarshal(raw, &m); err != nil {
		return block.Notice{}, false, malformed("announcement", err)
	}
	switch m.Method {
	case "starknet_subscriptionNewHeads":
		n, err := decodeHead(m.Params.Result)
		return n, err == nil, err
	case "starknet_subscriptionReorg":
		n, err := decodeReplaced(m.Params.Result)
		return n, err == nil, err
	}
	return block.Notice{}, false, nil
}

func decodeHead(raw []byte) (block.Notice, error) {
	var w wireHeader
	if err := unmarshal(raw, &w); err != nil {
		return block.Notice{}, malformed("new head", err)
	}
	if w.BlockNumber == nil {
		return block.Notice{}, malformedf("new head lacks its number")
	}
	h, err := w.header(*w.BlockNumber)
	return block.Notice{Head: &h}, err
}

// decodeReplaced reads REORG_DATA of the Starknet API.
func decodeReplaced(raw []byte) (block.Notice, error) {
	var w struct {
		First *uint64 `json:"starting_block_number"`
		Last  *uint64 `json:"ending_block_number"`
	}
	if err := unmarshal(raw, &w); err != nil {
		return block.Notice{}, malformed("reorganisation", err)
	}
	if w.First == nil || w.Last == nil || *w.Last < *w.First || *w.Last-*w.First >= maxReplaced {
		return block.Notice{}, malformedf("reorganisation is of no range of at most %d blocks", maxReplaced)
	}
	return block.Notice{Replaced: &block.Replaced{From: *w.First, To: *w.Last}}, nil
}
