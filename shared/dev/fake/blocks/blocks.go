// Package blocks is a fake of an app chain's node in memory: a chain of given or generated blocks.
package blocks

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// MaxRange is the most blocks that one call of a Source returns.
const MaxRange = 1000

// Block is all that a source returns about one block.
type Block struct {
	Header   block.Header
	Update   block.StateUpdate
	Weights  block.Weights
	Messages block.Messages
}

// Source is a block.Source over given blocks.
type Source struct {
	env     *fault.Env
	chainID string

	mu      sync.Mutex
	manners Manners
	blocks  []Block // numbers in a row
	nonces  map[felt.Felt][]written
	storage map[block.Slot][]written
}

var _ block.Source = (*Source)(nil)

// Manners are how a node misbehaves. The zero value is a node that does not.
type Manners struct {
	Fail  error  // of every call
	Ahead uint64 // the head is this much above the newest block, as where a balancer asks another node for it
	Lag   int    // the newest blocks that reads by number do not find
	// Answer, when set, changes what a method returns of a block.
	Answer func(method string, b Block) Block
}

// Behave sets how the node misbehaves from now on.
func (b *Source) Behave(m Manners) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.manners = m
}

// written is a value and the block that wrote it.
type written struct {
	block uint64
	value felt.Felt
}

// wrote adds a value to a history, in place of another that the same block wrote.
func wrote(history []written, n uint64, value felt.Felt) []written {
	if k := len(history); k > 0 && history[k-1].block == n {
		history = history[:k-1]
	}
	return append(history, written{n, value})
}

var errBlockGap = errors.New("blocks do not follow each other")

// New returns a chain without blocks.
func New(e *fault.Env, chainID string) *Source {
	return &Source{env: e, chainID: chainID, nonces: map[felt.Felt][]written{}, storage: map[block.Slot][]written{}}
}

// Add appends blocks. Each must follow the one before in number, parent hash and root; if one does not, Add returns an
// error. The caller must not change the data afterwards.
func (b *Source) Add(data ...Block) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range data {
		n := d.Header.Number
		if d.Update.Number != n || d.Update.BlockHash != d.Header.Hash || d.Update.NewRoot != d.Header.NewRoot {
			return fmt.Errorf("add block %d with another block's state update: %w", n, errBlockGap)
		}
		if k := len(b.blocks); k > 0 {
			last := b.blocks[k-1].Header
			if n != last.Number+1 || d.Header.ParentHash != last.Hash || d.Update.OldRoot != last.NewRoot {
				return fmt.Errorf("add block %d after %d: %w", n, last.Number, errBlockGap)
			}
		}
		b.blocks = append(b.blocks, d)
		for _, c := range d.Update.Diff.Storage {
			for _, e := range c.Entries {
				s := block.Slot{Contract: c.Address, Key: e.Key}
				b.storage[s] = wrote(b.storage[s], n, e.Value)
			}
		}
		for _, c := range d.Update.Diff.Nonces {
			b.nonces[c.Address] = wrote(b.nonces[c.Address], n, c.Nonce)
		}
	}
	return nil
}

// Grow appends n generated blocks, one every interval. In an empty chain the first is block 0 at the time at.
func (b *Source) Grow(n int, at time.Time, interval time.Duration) error {
	for range n {
		b.mu.Lock()
		next := Next(nil, at)
		if k := len(b.blocks); k > 0 {
			last := b.blocks[k-1]
			next = Next(&last, last.Header.Timestamp.Add(interval))
		}
		b.mu.Unlock()
		if err := b.Add(next); err != nil {
			return err
		}
	}
	return nil
}

// Next generates a block that follows prev, or block 0 if prev is nil. The same prev gives the same block. Each block
// writes two slots of one contract and its nonce.
func Next(prev *Block, at time.Time) Block {
	h := block.Header{Timestamp: at, StarknetVersion: "0.13.5", Transactions: 1}
	old := felt.Zero
	if prev != nil {
		h.Number, h.ParentHash, h.StarknetVersion = prev.Header.Number+1, prev.Header.Hash, prev.Header.StarknetVersion
		old = prev.Header.NewRoot
	}
	h.Hash, h.NewRoot = made("block", h.Number, h.ParentHash), made("root", h.Number, h.ParentHash)
	contract := felt.FromUint64(0x100 + h.Number%7)
	return Block{
		Header: h,
		Update: block.StateUpdate{
			Number: h.Number, BlockHash: h.Hash, OldRoot: old, NewRoot: h.NewRoot,
			Diff: block.StateDiff{
				Storage: []block.ContractStorage{{Address: contract, Entries: []block.StorageEntry{
					{Key: felt.FromUint64(1), Value: felt.FromUint64(h.Number + 1)},
					{Key: felt.FromUint64(0x200 + h.Number), Value: made("value", h.Number, h.ParentHash)},
				}}},
				Nonces: []block.NonceUpdate{{Address: contract, Nonce: felt.FromUint64(h.Number/7 + 1)}},
			},
		},
		Weights: block.Weights{ProvingGas: 1_500_000, SierraGas: 1_000_000, L1Gas: 1000,
			StateDiffSize: 8, NEvents: 1, NTxs: 1},
	}
}

// Sibling returns a block of another history with b's number and parent: its hash and root differ by name.
func Sibling(b Block, name string) Block {
	h := b.Header
	b.Header.Hash, b.Header.NewRoot = made(name, h.Number, h.ParentHash), made(name+" root", h.Number, h.ParentHash)
	b.Update.BlockHash, b.Update.NewRoot = b.Header.Hash, b.Header.NewRoot
	return b
}

// Cut removes all blocks from number n on, as when a chain is reverted. It forgets what they wrote.
func (b *Source) Cut(n uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blocks = slices.DeleteFunc(b.blocks, func(d Block) bool { return d.Header.Number >= n })
	after := func(w written) bool { return w.block >= n }
	for k, h := range b.nonces {
		b.nonces[k] = slices.DeleteFunc(h, after)
	}
	for k, h := range b.storage {
		b.storage[k] = slices.DeleteFunc(h, after)
	}
}

// made derives a felt from its purpose, a block number and the parent's hash.
func made(what string, n uint64, parent felt.Felt) felt.Felt {
	h := sha256.New()
	h.Write([]byte(what))
	h.Write(binary.BigEndian.AppendUint64(nil, n))
	h.Write(parent[:])
	return digestFelt(h.Sum(nil))
}

// digestFelt makes a felt of a 32-byte digest by clearing its five highest bits.
func digestFelt(digest []byte) felt.Felt {
	f := felt.Felt(digest)
	f[0] &= 0x07
	return f
}

// ChainID implements block.Source.
func (b *Source) ChainID(ctx context.Context) (string, error) {
	return fault.Call(ctx, b.env, "blocks", "ChainID", "", func(fault.Fault) (string, error) { return b.chainID, nil })
}

// Head implements block.Source.
func (b *Source) Head(ctx context.Context) (uint64, error) {
	return fault.Call(ctx, b.env, "blocks", "Head", "", func(f fault.Fault) (uint64, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.manners.Fail != nil {
			return 0, b.manners.Fail
		}
		k := len(b.blocks)
		if f.Is(fault.Stale) {
			k--
		}
		if k <= 0 {
			return 0, fmt.Errorf("read the head of a chain without blocks: %w", block.ErrNotFound)
		}
		return b.blocks[k-1].Header.Number + b.manners.Ahead, nil
	})
}

// Headers implements block.Source.
func (b *Source) Headers(ctx context.Context, from, to uint64) ([]block.Header, error) {
	return span(ctx, b, "Headers", from, to, func(d Block) block.Header { return d.Header })
}

// HeadersNow implements block.Source.
func (b *Source) HeadersNow(ctx context.Context, from, to uint64) ([]block.Header, error) {
	return b.Headers(ctx, from, to)
}

// Forget implements block.Source: it remembers nothing.
func (b *Source) Forget(context.Context, uint64, uint64) {}

// StateUpdates implements block.Source.
func (b *Source) StateUpdates(ctx context.Context, from, to uint64) ([]block.StateUpdate, error) {
	return span(ctx, b, "StateUpdates", from, to, func(d Block) block.StateUpdate { return cloneUpdate(d.Update) })
}

// Weights implements block.Source.
func (b *Source) Weights(ctx context.Context, from, to uint64) ([]block.Weights, error) {
	return span(ctx, b, "Weights", from, to, func(d Block) block.Weights { return d.Weights })
}

// Messages implements block.Source.
func (b *Source) Messages(ctx context.Context, from, to uint64) ([]block.Messages, error) {
	return span(ctx, b, "Messages", from, to, func(d Block) block.Messages { return cloneMessages(d.Messages) })
}

// span reads one part of each block of a range.
func span[T any](ctx context.Context, b *Source, method string, from, to uint64, part func(Block) T) ([]T, error) {
	return fault.Call(ctx, b.env, "blocks", method, fmt.Sprintf("%d..%d", from, to), func(fault.Fault) ([]T, error) {
		if err := block.CheckRange(from, to, MaxRange); err != nil {
			return nil, err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if err := b.has(from, to); err != nil {
			return nil, err
		}
		first := b.blocks[0].Header.Number
		out := make([]T, 0, to-from+1)
		for _, d := range b.blocks[from-first : to-first+1] {
			if b.manners.Answer != nil {
				d = b.manners.Answer(method, d)
			}
			out = append(out, part(d))
		}
		return out, nil
	})
}

// has returns an error if one of the blocks is missing. The caller holds the lock.
func (b *Source) has(from, to uint64) error {
	if b.manners.Fail != nil {
		return b.manners.Fail
	}
	k := max(len(b.blocks)-b.manners.Lag, 0)
	if k == 0 || from < b.blocks[0].Header.Number || to > b.blocks[k-1].Header.Number {
		return fmt.Errorf("read blocks %d..%d: %w", from, to, block.ErrNotFound)
	}
	return nil
}

// Nonces implements block.Source.
func (b *Source) Nonces(ctx context.Context, at uint64, contracts []felt.Felt) ([]felt.Felt, error) {
	return values(ctx, b, "Nonces", at, contracts, b.nonces)
}

// Storage implements block.Source.
func (b *Source) Storage(ctx context.Context, at uint64, slots []block.Slot) ([]felt.Felt, error) {
	return values(ctx, b, "Storage", at, slots, b.storage)
}

// values reads the value of each key as of a block.
func values[K comparable](
	ctx context.Context, b *Source, method string, at uint64, keys []K, in map[K][]written,
) ([]felt.Felt, error) {
	return fault.Call(ctx, b.env, "blocks", method, fmt.Sprint(at), func(fault.Fault) ([]felt.Felt, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if err := b.has(at, at); err != nil {
			return nil, err
		}
		out := make([]felt.Felt, len(keys))
		for i, k := range keys {
			history := in[k]
			n, found := slices.BinarySearchFunc(history, at,
				func(w written, at uint64) int { return cmp.Compare(w.block, at) })
			if found {
				n++
			}
			if n > 0 {
				out[i] = history[n-1].value
			}
		}
		return out, nil
	})
}

func cloneUpdate(u block.StateUpdate) block.StateUpdate {
	d := &u.Diff
	d.Storage = slices.Clone(d.Storage)
	for i := range d.Storage {
		d.Storage[i].Entries = slices.Clone(d.Storage[i].Entries)
	}
	d.Deployed, d.Replaced, d.Nonces = slices.Clone(d.Deployed), slices.Clone(d.Replaced), slices.Clone(d.Nonces)
	d.Declared, d.DeprecatedDeclared = slices.Clone(d.Declared), slices.Clone(d.DeprecatedDeclared)
	d.MigratedCompiledHash = slices.Clone(d.MigratedCompiledHash)
	return u
}

func cloneMessages(m block.Messages) block.Messages {
	m.ToL1, m.ToL2 = slices.Clone(m.ToL1), slices.Clone(m.ToL2)
	for i := range m.ToL1 {
		m.ToL1[i].Payload = slices.Clone(m.ToL1[i].Payload)
	}
	for i := range m.ToL2 {
		m.ToL2[i].Payload = slices.Clone(m.ToL2[i].Payload)
	}
	return m
}
