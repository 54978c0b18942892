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
)

// maxMessage bounds one websocket message; a header has about 2 kB.
const maxMessage = 1 << 20

// silence is after how long without a message the connection is pinged.
const silence = 30 * time.Second

// Heads calls f for every new head that the node announces until ctx ends, whose error it returns. A broken connection
// is opened again after a pause. Heads are hints: some may be missing, repeated or reorganised away, so a caller that
// is woken reads Head.
func (s *Source) Heads(ctx context.Context, f func(block.Header)) error {
	if s.cfg.WebsocketURL == "" {
		return errors.New("subscribe to new heads: no websocket URL is configured")
	}
	e := newEndpoint("websocket", s.cfg.WebsocketURL)
	for round := 0; ; round++ {
		got, err := s.follow(ctx, e, f)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, block.ErrWrongChain) {
			return err
		}
		if got {
			round = 0
		}
		s.deps.Log.WarnContext(ctx, "subscription to new heads broke, will be opened again", "node", e.label(),
			"error", e.scrub(err.Error()))
		if err := s.pause(ctx, round, err); err != nil {
			return err
		}
	}
}

// follow keeps one connection; got says whether it brought a head.
func (s *Source) follow(ctx context.Context, e *endpoint, f func(block.Header)) (got bool, err error) {
	dialCtx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	conn, _, err := websocket.Dial(dialCtx, e.url, &websocket.DialOptions{HTTPClient: s.deps.HTTP})
	cancel()
	if err != nil {
		return false, &transportError{where: e.label(), err: bare(err), secrets: e.secrets}
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxMessage)
	if err := s.socketChain(ctx, conn, e); err != nil {
		return false, err
	}
	if _, err := s.ask(ctx, conn, e, 2, "starknet_subscribeNewHeads"); err != nil {
		return false, err
	}
	ctx, cancel = context.WithCancel(ctx)
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
		h, ok, err := decodeHead(raw)
		if err != nil {
			return got, err
		}
		if ok {
			got = true
			f(h)
		}
	}
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

// decodeHead reads a message of the subscription; ok is false for messages of another kind, such as a reorganisation's.
func decodeHead(raw []byte) (h block.Header, ok bool, err error) {
	var m struct {
		Method string `json:"method"`
		Params struct {
			Result wireHeader `json:"result"`
		} `json:"params"`
	}
	if err := unmarshal(raw, &m); err != nil {
		return block.Header{}, false, malformed("new head", err)
	}
	if m.Method != "starknet_subscriptionNewHeads" {
		return block.Header{}, false, nil
	}
	if m.Params.Result.BlockNumber == nil {
		return block.Header{}, false, malformedf("new head lacks its number")
	}
	h, err = m.Params.Result.header(*m.Params.Result.BlockNumber)
	return h, err == nil, err
}
