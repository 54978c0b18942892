package appchain

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Source reads an app chain from its nodes. Safe for concurrent use.
type Source struct {
	cfg     Config
	deps    Deps
	primary *endpoint
	backup  *endpoint // nil for none
	gateway *endpoint // nil for none
	slots   chan struct{}
	// decoding is held while something is made of a large answer.
	decoding sync.Mutex
}

var _ block.Source = (*Source)(nil)

// New returns a Source. It makes no request: the first read reports a node that is down.
func New(cfg Config, deps Deps) (*Source, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure the app chain's node: %w", err)
	}
	cfg = cfg.withDefaults()
	return &Source{
		cfg: cfg, deps: deps.withDefaults(), primary: newEndpoint("node", cfg.URL),
		backup: newEndpoint("backup node", cfg.BackupURL), gateway: newEndpoint("feeder gateway", cfg.GatewayURL),
		slots: make(chan struct{}, cfg.Concurrency),
	}, nil
}

// ChainID returns the chain's id as the node returns it; ErrWrongChain where it is not the configured one.
func (s *Source) ChainID(ctx context.Context) (string, error) {
	var id string
	err := s.attempt(ctx, func(_ context.Context, e *endpoint) error { // attempt has asked already
		e.mu.Lock()
		defer e.mu.Unlock()
		id = e.chain
		return nil
	})
	return id, err
}

// SpecVersion returns the version of the Starknet JSON-RPC specification that the node speaks, such as "0.9.0".
func (s *Source) SpecVersion(ctx context.Context) (string, error) {
	var v string
	err := s.run(ctx, []call{
		{method: "starknet_specVersion", take: func(raw jsontext.Value) error { return decodeString(raw, 32, &v) }}})
	return v, err
}

// checkChain asks a node for its chain id unless it is known already, and compares it with the configured one.
func (s *Source) checkChain(ctx context.Context, e *endpoint) error {
	e.mu.Lock()
	known := e.chain != ""
	e.mu.Unlock()
	if known {
		return nil
	}
	var id string
	c := call{method: "starknet_chainId", take: func(raw jsontext.Value) (err error) {
		id, err = decodeChainID(raw)
		return err
	}}
	if err := s.post(ctx, e, []call{c}); err != nil {
		return err
	}
	if s.cfg.ChainID != "" && id != s.cfg.ChainID {
		return fmt.Errorf("%s serves %q, configured is %q: %w", e.label(), id, s.cfg.ChainID, block.ErrWrongChain)
	}
	e.mu.Lock()
	e.chain = id
	e.mu.Unlock()
	return nil
}

// Head returns the newest accepted block's number. A primary whose head has stood still for StallAfter is compared with
// the backup, and the higher head counts.
func (s *Source) Head(ctx context.Context) (uint64, error) {
	var head uint64
	var stalled bool
	err := s.attempt(ctx, func(ctx context.Context, e *endpoint) error {
		n, err := s.headOf(ctx, e)
		if err != nil {
			return err
		}
		now := s.deps.Now()
		head, stalled = n, e == s.primary && now.Sub(e.sawHead(n, now)) >= s.cfg.StallAfter
		return nil
	})
	if err != nil || !stalled || s.backup == nil || s.backup.down(s.deps.Now()) {
		return head, err
	}
	n, err := uint64(0), s.checkChain(ctx, s.backup)
	if err == nil {
		n, err = s.headOf(ctx, s.backup)
	}
	if err != nil {
		s.deps.Log.WarnContext(ctx, "head stands still and the backup node can't be asked", "head", head, "error", err)
		return head, nil
	}
	return max(head, n), nil
}

func (s *Source) headOf(ctx context.Context, e *endpoint) (uint64, error) {
	var n uint64
	c := call{method: "starknet_blockNumber", take: func(raw jsontext.Value) error {
		if err := unmarshal(raw, &n); err != nil {
			return fmt.Errorf("decode block number: %w: %w", err, block.ErrMalformed)
		}
		return nil
	}}
	return n, s.post(ctx, e, []call{c})
}

// Headers returns the headers of from..to, each the child of the one before.
func (s *Source) Headers(ctx context.Context, from, to uint64) ([]block.Header, error) {
	return readRange(ctx, s, from, to, headers)
}

// HeadersNow is Headers, and asks a node for each.
func (s *Source) HeadersNow(ctx context.Context, from, to uint64) ([]block.Header, error) {
	now := headers
	now.asked = true
	return readRange(ctx, s, from, to, now)
}

var headers = rangeOf[block.Header]{
	kind: headerKind, method: "starknet_getBlockWithTxHashes", decode: decodeHeader, link: linkHeaders,
	felts: func(block.Header) int { return headerFelts }}

func linkHeaders(prev, next block.Header) error {
	if next.ParentHash != prev.Hash {
		return fmt.Errorf("block %d has parent %s, block %d is %s: %w",
			next.Number, next.ParentHash, prev.Number, prev.Hash, block.ErrMalformed)
	}
	return nil
}

// StateUpdates returns the state updates of from..to, each on the root that the one before left. As a state update
// carries no number, the first and the last are compared with their blocks' headers.
func (s *Source) StateUpdates(ctx context.Context, from, to uint64) ([]block.StateUpdate, error) {
	spec := rangeOf[block.StateUpdate]{kind: updateKind, method: "starknet_getStateUpdate", decode: decodeStateUpdate,
		link: linkUpdates, felts: updateFelts}
	spec.whole = func(ctx context.Context, got []block.StateUpdate) error {
		for _, u := range []block.StateUpdate{got[0], got[len(got)-1]} {
			h, err := s.Headers(ctx, u.Number, u.Number)
			if err != nil {
				return err
			}
			if h[0].Hash != u.BlockHash || h[0].NewRoot != u.NewRoot {
				return fmt.Errorf("state update of block %d is for %s with root %s, its header says %s and %s: %w",
					u.Number, u.BlockHash, u.NewRoot, h[0].Hash, h[0].NewRoot, block.ErrMalformed)
			}
			if from == to {
				break
			}
		}
		return nil
	}
	return readRange(ctx, s, from, to, spec)
}

func linkUpdates(prev, next block.StateUpdate) error {
	if next.OldRoot != prev.NewRoot || next.BlockHash == prev.BlockHash {
		return fmt.Errorf("state update of block %d starts from root %s, block %d left %s: %w",
			next.Number, next.OldRoot, prev.Number, prev.NewRoot, block.ErrMalformed)
	}
	return nil
}

// Messages returns the messages of from..to, from the blocks' receipts and L1 handler transactions.
func (s *Source) Messages(ctx context.Context, from, to uint64) ([]block.Messages, error) {
	receipts, err := s.receipts(ctx, from, to)
	if err != nil {
		return nil, err
	}
	out := make([]block.Messages, len(receipts))
	for i, r := range receipts {
		out[i] = r.messages
	}
	return out, nil
}

func (s *Source) receipts(ctx context.Context, from, to uint64) ([]receipts, error) {
	return readRange(ctx, s, from, to, rangeOf[receipts]{
		kind: receiptsKind, method: "starknet_getBlockWithReceipts", decode: decodeReceipts, felts: receipts.felts,
		link: func(prev, next receipts) error { return linkHeaders(prev.header, next.header) }})
}

// Nonces returns the contracts' nonces after block at; a contract that does not exist has nonce 0.
func (s *Source) Nonces(ctx context.Context, at uint64, contracts []felt.Felt) ([]felt.Felt, error) {
	out := make([]felt.Felt, len(contracts))
	calls := make([]call, len(contracts))
	for i, c := range contracts {
		calls[i] = call{method: "starknet_getNonce", params: map[string]any{"block_id": blockID(at),
			"contract_address": c}, take: takeFelt(&out[i]), missing: func() { out[i] = felt.Zero }}
	}
	if err := s.run(ctx, calls); err != nil {
		return nil, fmt.Errorf("read %d nonces at block %d: %w", len(contracts), at, err)
	}
	return out, nil
}

// Storage returns the values of slots after block at; what was never written is 0.
func (s *Source) Storage(ctx context.Context, at uint64, slots []block.Slot) ([]felt.Felt, error) {
	out := make([]felt.Felt, len(slots))
	calls := make([]call, len(slots))
	for i, slot := range slots {
		calls[i] = call{method: "starknet_getStorageAt",
			params: map[string]any{"contract_address": slot.Contract, "key": slot.Key, "block_id": blockID(at)},
			take:   takeFelt(&out[i]), missing: func() { out[i] = felt.Zero }}
	}
	if err := s.run(ctx, calls); err != nil {
		return nil, fmt.Errorf("read %d storage slots at block %d: %w", len(slots), at, err)
	}
	return out, nil
}

type numbered struct {
	Number uint64 `json:"block_number"`
}

func blockID(n uint64) any { return numbered{Number: n} }

func takeFelt(into *felt.Felt) func(jsontext.Value) error {
	return func(raw jsontext.Value) error {
		f, err := decodeFelt(raw)
		*into = f
		return err
	}
}
