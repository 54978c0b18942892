package appchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
)

// JSON-RPC error codes of the Starknet API and of JSON-RPC itself that change what we do.
const (
	codeContractNotFound = 20
	codeBlockNotFound    = 24
	codeNoBlocks         = 32
	codeInvalidRequest   = -32600
	codeMethodNotFound   = -32601
	codeInvalidParams    = -32602
	codeLimitExceeded    = -32005
	codeTooLarge         = -32008 // jsonrpsee: response too big; -32010 and -32011: batch limits
	codeBatchUnsupported = -32010
	codeBatchTooLarge    = -32011
)

// call is one JSON-RPC call of a batch.
type call struct {
	method string
	// by name: what stands at a position changed between versions of the API (starknet_getStateUpdate, 0.10.1)
	params map[string]any
	large  bool // the result is a block or its state update, not a few values
	// take reads the result; ErrMalformed makes the call be repeated.
	take func(result jsontext.Value) error
	// missing, when set, is called for CONTRACT_NOT_FOUND instead of failing.
	missing func()
}

// rpcError is a JSON-RPC error object.
type rpcError struct {
	Code    int            `json:"code"`
	Message string         `json:"message"`
	Data    jsontext.Value `json:"data"`
	where   string
	method  string
}

// Error says where, the method, code and message.
func (e *rpcError) Error() string {
	return fmt.Sprintf("%s answered %s with error %d: %s", e.where, e.method, e.Code, e.Message)
}

// Is makes the API's "not found" codes block.ErrNotFound.
func (e *rpcError) Is(target error) bool {
	return target == block.ErrNotFound &&
		(e.Code == codeBlockNotFound || e.Code == codeNoBlocks || e.Code == codeContractNotFound)
}

func (e *rpcError) verdict() verdict {
	switch e.Code {
	case codeInvalidRequest, codeMethodNotFound, codeInvalidParams:
		return refused
	}
	return passing // internal errors, rate limits and whatever a load balancer invents
}

type envelope struct {
	Version string `json:"jsonrpc"`
	ID      int    `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

type answer struct {
	ID     *int           `json:"id"`
	Result jsontext.Value `json:"result"`
	Error  *rpcError      `json:"error"`
}

// run makes the calls in batches, several at once, each batch with its own retries.
func (s *Source) run(ctx context.Context, calls []call) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := 0; i < len(calls); i += s.cfg.BatchSize {
		part := calls[i:min(i+s.cfg.BatchSize, len(calls))]
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			if err := g.Wait(); err != nil {
				return err
			}
			return context.Cause(ctx)
		}
		g.Go(func() error {
			defer func() { <-s.slots }()
			return s.attempt(ctx, func(ctx context.Context, e *endpoint) error { return s.post(ctx, e, part) })
		})
	}
	return g.Wait()
}

// post makes one batch at one node. A batch that the node refuses for its size is made in halves.
func (s *Source) post(ctx context.Context, e *endpoint, calls []call) error {
	envelopes := make([]envelope, len(calls))
	for i, c := range calls {
		envelopes[i] = envelope{Version: "2.0", ID: i + 1, Method: c.method, Params: c.params}
		if c.params == nil {
			envelopes[i].Params = []any{}
		}
	}
	var message any = envelopes
	if len(calls) == 1 {
		message = envelopes[0]
	}
	body, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode call of %s: %w", calls[0].method, err)
	}
	b, err := s.do(ctx, e, http.MethodPost, e.url, body, s.most(calls))
	split := splittable(err)
	if err == nil {
		split, err = s.accept(e, calls, b)
	}
	if err != nil && len(calls) > 1 && split {
		half := len(calls) / 2
		if err := s.post(ctx, e, calls[:half]); err != nil {
			return err
		}
		return s.post(ctx, e, calls[half:])
	}
	if err != nil {
		return e.explain(calls[0].method, err)
	}
	return nil
}

// accept gives the answers to the calls; split says that a smaller batch may pass where this one did not. There may be
// several answers in buffers, what is made of them is one at a time.
func (s *Source) accept(e *endpoint, calls []call, b []byte) (split bool, err error) {
	if s.large(calls) {
		s.decoding.Lock()
		defer s.decoding.Unlock()
	}
	answers, err := decodeAnswers(b, 1, len(calls))
	if err != nil {
		return splittable(err), err
	}
	for i, c := range calls {
		if err := c.accept(answers[i]); err != nil {
			return false, e.explain(c.method, err)
		}
	}
	return false, nil
}

// smallResult bounds what the answer to a call for a few values may have: bytes, and elements.
const (
	smallResult   = 64 << 10
	smallElements = 1 << 10
)

// most is what the answer to calls may have.
func (s *Source) most(calls []call) jsonlimit.Limits {
	if s.large(calls) {
		return jsonlimit.Limits{Bytes: s.cfg.MaxResponse, Elements: s.cfg.MaxElements}
	}
	n := len(calls)
	return jsonlimit.Limits{Bytes: min(int64(n)*smallResult, s.cfg.MaxResponse),
		Elements: min(n*smallElements, s.cfg.MaxElements)}
}

func (s *Source) large(calls []call) bool {
	return slices.ContainsFunc(calls, func(c call) bool { return c.large })
}

// splittable says whether a smaller batch may pass where this one did not.
func splittable(err error) bool {
	var status *statusError
	var rpc *rpcError
	switch {
	case errors.Is(err, errOversized):
		return true
	case errors.As(err, &status):
		return status.status == http.StatusRequestEntityTooLarge
	case errors.As(err, &rpc): // one error object instead of a list
		switch rpc.Code {
		case codeInvalidRequest, codeLimitExceeded, codeTooLarge, codeBatchUnsupported, codeBatchTooLarge:
			return true
		}
	}
	return false
}

// explain adds where and what to an error of one call.
func (e *endpoint) explain(method string, err error) error {
	var rpc *rpcError
	if errors.As(err, &rpc) {
		rpc.where, rpc.method, rpc.Message = e.label(), method, e.scrub(rpc.Message)
		return err
	}
	return fmt.Errorf("call %s: %w", method, err)
}

func (c call) accept(a answer) error {
	switch {
	case a.Error != nil && a.Error.Code == codeContractNotFound && c.missing != nil:
		c.missing()
		return nil
	case a.Error != nil:
		return a.Error
	case len(a.Result) == 0:
		return fmt.Errorf("answer has neither result nor error: %w", block.ErrMalformed)
	}
	return c.take(a.Result)
}

// decodeAnswers reads the answers to want calls with ids from first on, in the order of the ids.
func decodeAnswers(b []byte, first, want int) ([]answer, error) {
	if want == 1 {
		var one answer
		if err := unmarshal(b, &one); err != nil {
			return nil, fmt.Errorf("decode answer: %w: %w", err, block.ErrMalformed)
		}
		return []answer{one}, checkID(one, first)
	}
	var many []answer
	if err := unmarshal(b, &many); err != nil {
		var one answer
		if unmarshal(b, &one) == nil && one.Error != nil {
			return nil, one.Error
		}
		return nil, fmt.Errorf("decode answers: %w: %w", err, block.ErrMalformed)
	}
	out := make([]answer, want)
	seen := make([]bool, want)
	for _, a := range many {
		if a.ID == nil || *a.ID < first || *a.ID >= first+want || seen[*a.ID-first] {
			return nil, fmt.Errorf("answers carry an id that was not asked or twice: %w", block.ErrMalformed)
		}
		out[*a.ID-first], seen[*a.ID-first] = a, true
	}
	if len(many) != want {
		return nil, fmt.Errorf("%d answers to %d calls: %w", len(many), want, block.ErrMalformed)
	}
	return out, nil
}

// checkID compares a single answer's id with the request's; an error may come without one.
func checkID(a answer, want int) error {
	if a.ID == nil && a.Error != nil || a.ID != nil && *a.ID == want {
		return nil
	}
	return fmt.Errorf("answer carries another id than asked: %w", block.ErrMalformed)
}
