package appchain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
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

// Kinds of what is read of a block, in cache keys and errors.
const (
	headerKind   = "header"
	updateKind   = "update"
	receiptsKind = "receipts"
	weightsKind  = "weights"
)

// rangeOf says how one kind of data is read block by block.
type rangeOf[T any] struct {
	kind   string // in cache keys and errors
	method string
	decode func(n uint64, raw []byte) (T, error)
	link   func(prev, next T) error
	felts  func(T) int                              // how many field elements it keeps
	whole  func(ctx context.Context, got []T) error // nil for none
	asked  bool                                     // of a node, never of the cache
}

// headerFelts is what a header takes, in the size of field elements.
const headerFelts = 6

// updateFelts is how many field elements a state update keeps. A contract without entries takes two in its list.
func updateFelts(u block.StateUpdate) int {
	d := u.Diff
	n := 2*(len(d.Deployed)+len(d.Replaced)+len(d.Nonces)+len(d.Declared)+len(d.MigratedCompiledHash)+len(d.Storage)) +
		len(d.DeprecatedDeclared)
	for _, c := range d.Storage {
		n += 2 * len(c.Entries)
	}
	return n
}

// rounds is how often a range is read again when its blocks do not fit together, as during a reorganisation.
const rounds = 3

func readRange[T any](ctx context.Context, s *Source, from, to uint64, spec rangeOf[T]) ([]T, error) {
	if err := block.CheckRange(from, to, s.cfg.MaxRange); err != nil {
		return nil, fmt.Errorf("read %ss: %w", spec.kind, err)
	}
	var err error
	for round := range rounds {
		var out []T
		if out, err = readOnce(ctx, s, from, to, spec, round == 0 && !spec.asked); err == nil {
			err = linked(ctx, out, spec)
		}
		if err == nil {
			return out, nil
		}
		if !errors.Is(err, block.ErrMalformed) || ctx.Err() != nil {
			break
		}
		s.forget(ctx, spec.kind, from, to)
		s.forget(ctx, headerKind, from, to)
		if round+1 < rounds {
			if perr := s.pause(ctx, round, err); perr != nil {
				return nil, fmt.Errorf("read %ss of blocks %d..%d: %w", spec.kind, from, to, perr)
			}
		}
	}
	return nil, fmt.Errorf("read %ss of blocks %d..%d: %w", spec.kind, from, to, err)
}

func linked[T any](ctx context.Context, got []T, spec rangeOf[T]) error {
	for i := 1; i < len(got); i++ {
		if err := spec.link(got[i-1], got[i]); err != nil {
			return err
		}
	}
	if spec.whole == nil {
		return nil
	}
	return spec.whole(ctx, got)
}

func readOnce[T any](ctx context.Context, s *Source, from, to uint64, spec rangeOf[T], cached bool) ([]T, error) {
	out := make([]T, to-from+1)
	kept, total := make([]int, len(out)), 0 // a block that is read again counts once
	keep := func(i int, v T) error {
		n := spec.felts(v)
		if total += n - kept[i]; total > s.cfg.MaxFelts {
			return fmt.Errorf("%ss from block %d on: more than %d field elements: %w",
				spec.kind, from, s.cfg.MaxFelts, block.ErrTooMuch)
		}
		kept[i], out[i] = n, v
		return nil
	}
	var calls []call
	for i := range out {
		n := from + uint64(i)
		if cached {
			if v, err := spec.decode(n, s.cached(ctx, spec.kind, n)); err == nil {
				if err := keep(i, v); err != nil {
					return nil, err
				}
				continue
			}
		}
		calls = append(calls, call{method: spec.method, params: map[string]any{"block_id": blockID(n)}, large: true,
			take: func(raw jsontext.Value) error {
				v, err := spec.decode(n, raw)
				if err != nil {
					return err
				}
				if err := keep(i, v); err != nil {
					return err
				}
				s.remember(ctx, spec.kind, n, raw)
				return nil
			}})
	}
	return out, s.run(ctx, calls)
}

// key names a cached read. The key of a chain without a configured id has a digest of its URL, never the URL's secrets.
func (s *Source) key(kind string, n uint64) string {
	chain := s.cfg.ChainID
	if chain == "" {
		chain = strings.TrimSuffix(redact.Host(s.cfg.URL), "/...")
	}
	return fmt.Sprintf("starknet/%s/%s/%d", chain, kind, n)
}

// cached returns a remembered answer, or nil.
func (s *Source) cached(ctx context.Context, kind string, n uint64) []byte {
	if s.deps.Cache == nil {
		return nil
	}
	b, ok, err := s.deps.Cache.Get(ctx, s.key(kind, n))
	if err != nil || !ok ||
		jsonlimit.Check(b, jsonlimit.Limits{Bytes: s.cfg.MaxResponse, Elements: s.cfg.MaxElements}) != nil {
		return nil
	}
	return b
}

// remember keeps an answer that has passed its checks; those only let accepted blocks through.
func (s *Source) remember(ctx context.Context, kind string, n uint64, raw []byte) {
	if s.deps.Cache == nil {
		return
	}
	if err := s.deps.Cache.Set(ctx, s.key(kind, n), append([]byte(nil), raw...), s.cfg.CacheTTL); err != nil {
		s.deps.Log.DebugContext(ctx, "read is not cached", "error", err)
	}
}

// Forget drops what is remembered of blocks: the next reads ask a node.
func (s *Source) Forget(ctx context.Context, from, to uint64) {
	for _, kind := range []string{headerKind, updateKind, receiptsKind, weightsKind} {
		s.forget(ctx, kind, from, to)
	}
}

func (s *Source) forget(ctx context.Context, kind string, from, to uint64) {
	if s.deps.Cache == nil {
		return
	}
	for n := from; ; n++ {
		_ = s.deps.Cache.Delete(ctx, s.key(kind, n)) // what stays is read around in this call and expires
		if n == to {
			return
		}
	}
}
