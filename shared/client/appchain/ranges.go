package appchain

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

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
