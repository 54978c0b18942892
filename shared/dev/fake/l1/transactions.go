package l1

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// signedTx is the content of tx.Signed.Raw, as JSON.
type signedTx struct {
	From       string
	Nonce      uint64
	Fees       tx.Fees
	To         string
	Entrypoint string
	Data       []byte
	Blobs      int
	BlobHash   string // sha256 of the blobs in a row, hex; "" where there are none
}

func (t *signedTx) payload() tx.Payload {
	return tx.Payload{To: t.To, Entrypoint: t.Entrypoint, Data: t.Data}
}

func blobHash(blobs [][]byte) string {
	if len(blobs) == 0 {
		return ""
	}
	h := sha256.New()
	for _, b := range blobs {
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func hashOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "0x" + hex.EncodeToString(sum[:])
}

// Account implements tx.Chain.
func (s *Chain) Account(ctx context.Context, depth uint64) (tx.Account, error) {
	return s.walletAt(ctx, s.all(), depth)
}

func (s *Chain) walletAt(ctx context.Context, v sight, depth uint64) (tx.Account, error) {
	return fault.Call(ctx, s.env, "l1", "Account", "", func(f fault.Fault) (tx.Account, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.catchUp()
		b := s.tip(v.struck(f).behind)
		u, now := s.usedBy(s.wallet, b.number, depth), s.account(b, s.wallet)
		a := tx.Account{Address: s.wallet, Latest: u.Latest, Pending: u.Latest, Confirmed: u.Confirmed,
			Balance: new(big.Int).Set(now.balance)}
		for s.pool[slot{s.wallet, a.Pending}] != nil && !v.hidden {
			a.Pending++
		}
		return a, nil
	})
}

// Used implements tx.Chain.
func (s *Chain) Used(ctx context.Context, address string, depth uint64) (tx.Used, error) {
	return s.used(ctx, s.all(), address, depth)
}

func (s *Chain) used(ctx context.Context, v sight, address string, depth uint64) (tx.Used, error) {
	return fault.Call(ctx, s.env, "l1", "Used", "", func(f fault.Fault) (tx.Used, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.catchUp()
		return s.usedBy(address, s.tip(v.struck(f).behind).number, depth), nil
	})
}

// usedBy are the nonces that an account has used as of a block. The caller holds the lock.
func (s *Chain) usedBy(address string, number, depth uint64) (u tx.Used) {
	u.Latest = s.account(&s.blocks[number], address).nonce
	if number >= depth {
		u.Confirmed = s.account(&s.blocks[number-depth], address).nonce
	}
	return u
}

// Head implements tx.Chain.
func (s *Chain) Head(ctx context.Context) (tx.Head, error) { return s.head(ctx, s.all()) }

func (s *Chain) head(ctx context.Context, v sight) (tx.Head, error) {
	return fault.Call(ctx, s.env, "l1", "Head", "", func(f fault.Fault) (tx.Head, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.catchUp()
		b, next := s.tip(v.struck(f).behind), s.next
		if int(b.number)+1 < len(s.blocks) {
			next = s.blocks[b.number+1].fees
		}
		return tx.Head{
			Number: b.number, Finalized: min(s.finalized, b.number), BaseFee: new(big.Int).Set(next.Base),
			BlobBaseFee: new(big.Int).Set(next.Blob), Tip: new(big.Int).Set(s.cfg.Tip),
		}, nil
	})
}

// Prices implements tx.Market.
func (s *Chain) Prices(ctx context.Context, window time.Duration) ([]tx.Price, error) {
	return fault.Call(ctx, s.env, "l1", "Prices", "", func(fault.Fault) (out []tx.Price, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.catchUp()
		for i, b := range slices.Backward(s.blocks) {
			if s.cfg.BlockTime > 0 && time.Duration(len(s.blocks)-i)*s.cfg.BlockTime > window {
				break
			}
			out = append(out, tx.Price{Base: new(big.Int).Set(b.fees.Base), Blob: new(big.Int).Set(b.fees.Blob)})
		}
		return out, nil
	})
}

// Simulate implements tx.Chain. Like a Starknet node it checks the nonce, which is read first: a transaction of the
// wallet that is mined before the estimate makes that nonce wrong (blockifier, transaction/errors.rs, InvalidNonce).
// Transactions that go before are run first, unless they are in a block already.
func (s *Chain) Simulate(ctx context.Context, p tx.Payload, before ...tx.Signed) (tx.Usage, error) {
	return s.simulate(ctx, s.all(), p, before...)
}

func (s *Chain) simulate(ctx context.Context, v sight, p tx.Payload, before ...tx.Signed) (tx.Usage, error) {
	s.mu.Lock()
	s.catchUp()
	nonce := s.account(s.tip(v.behind), s.wallet).nonce
	s.mu.Unlock()
	return fault.Call(ctx, s.env, "l1", "Simulate", "", func(f fault.Fault) (tx.Usage, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.catchUp()
		b := s.tip(v.struck(f).behind)
		if now := s.account(b, s.wallet).nonce; now != nonce {
			return tx.Usage{}, fmt.Errorf("account nonce: %d; got: %d: %w", now, nonce, tx.ErrNonceMoved)
		}
		core := b.core
		for _, other := range before {
			var t signedTx
			if err := json.Unmarshal(other.Raw, &t); err != nil {
				return tx.Usage{}, fmt.Errorf("transaction %s before it: %w", other.Hash, err)
			}
			if t.Nonce < s.account(b, t.From).nonce {
				continue
			}
			if s.cfg.OneAtATime {
				return tx.Usage{}, tx.ErrOneAtATime
			}
			if _, after, revert := s.execute(core, t.payload(), b.number); revert == nil {
				core = after
			}
		}
		gas, _, revert := s.execute(core, p, b.number)
		if revert != nil {
			return tx.Usage{}, fmt.Errorf("simulate call of %s: %w", p.To, revert)
		}
		return tx.Usage{Gas: gas}, nil
	})
}

// Sign implements tx.Chain. The same payload, nonce and fees give the same bytes.
func (s *Chain) Sign(ctx context.Context, p tx.Payload, nonce uint64, fees tx.Fees) (tx.Signed, error) {
	return fault.Call(ctx, s.env, "l1", "Sign", fmt.Sprint(nonce), func(fault.Fault) (tx.Signed, error) {
		s.mu.Lock()
		wallet := s.wallet
		s.mu.Unlock()
		raw, err := json.Marshal(signedTx{
			From: wallet, Nonce: nonce, Fees: whole(fees), To: p.To, Entrypoint: p.Entrypoint, Data: p.Data,
			Blobs: len(p.Blobs), BlobHash: blobHash(p.Blobs),
		})
		if err != nil {
			return tx.Signed{}, fmt.Errorf("encode transaction: %w", err)
		}
		return tx.Signed{Hash: hashOf(raw), Raw: raw}, nil
	})
}

// whole replaces missing prices with 0.
func whole(f tx.Fees) tx.Fees {
	for _, n := range []**big.Int{&f.GasPrice, &f.Tip, &f.DataGasPrice} {
		if *n == nil {
			*n = new(big.Int)
		}
	}
	return f
}

// errNonceGap means that a blob transaction does not follow those in the pool, which Ethereum's blob pool refuses. For
// the transaction lifecycle this is a transient failure.
var errNonceGap = errors.New("nonce is too high: a transaction before this one is missing")

// Broadcast implements tx.Chain. With the fault Lose the node takes the transaction and forgets it.
func (s *Chain) Broadcast(ctx context.Context, signed tx.Signed, p tx.Payload) error {
	return fault.Act(ctx, s.env, "l1", "Broadcast", signed.Hash, func(f fault.Fault) error {
		t, err := s.decode(signed, p)
		if err != nil {
			return fmt.Errorf("broadcast %s: %w", signed.Hash, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.catchUp()
		if _, ok := s.mined[t.hash]; ok {
			return nil
		}
		if old := s.pool[t.slot()]; old != nil && old.hash == t.hash {
			return nil
		}
		if err := s.admit(t); err != nil {
			return fmt.Errorf("broadcast %s with nonce %d: %w", t.hash, t.Nonce, err)
		}
		s.remember(t)
		if !f.Is(fault.Lose) {
			s.pool[t.slot()] = t
		}
		return nil
	})
}

// decode reads a signed transaction and checks that hash and payload belong to it.
func (s *Chain) decode(signed tx.Signed, p tx.Payload) (*transaction, error) {
	t := &transaction{hash: hashOf(signed.Raw)}
	if err := json.Unmarshal(signed.Raw, &t.signedTx); err != nil {
		return nil, fmt.Errorf("%w: this is not a transaction: %w", tx.ErrRefused, err)
	}
	t.Fees = whole(t.Fees)
	switch {
	case t.hash != signed.Hash:
		return nil, fmt.Errorf("%w: the hash is %s", tx.ErrRefused, t.hash)
	case t.From == "":
		return nil, fmt.Errorf("%w: nobody has signed it", tx.ErrRefused)
	case t.To != p.To, t.Entrypoint != p.Entrypoint, !bytes.Equal(t.Data, p.Data),
		t.BlobHash != blobHash(p.Blobs), t.Blobs != len(p.Blobs):
		return nil, fmt.Errorf("%w: another payload was signed", tx.ErrRefused)
	case t.Blobs > s.cfg.MaxBlobs:
		return nil, fmt.Errorf("%w: %d blobs, at most %d", tx.ErrRefused, t.Blobs, s.cfg.MaxBlobs)
	case t.Blobs > 0 && t.Fees.DataGas != uint64(t.Blobs)*tx.BlobGas:
		return nil, fmt.Errorf("%w: %d blob gas for %d blobs", tx.ErrRefused, t.Fees.DataGas, t.Blobs)
	case t.Fees.Tip.Cmp(t.Fees.GasPrice) > 0:
		return nil, fmt.Errorf("%w: the tip is above the price", tx.ErrRefused)
	}
	return t, nil
}

// admit applies the pool's rules. The caller holds the lock.
func (s *Chain) admit(t *transaction) error {
	from := s.account(s.tip(0), t.From)
	old := s.pool[t.slot()]
	switch {
	case t.Nonce < from.nonce:
		return tx.ErrNonceTooLow
	case t.Fees.Tip.Cmp(s.cfg.MinTip) < 0:
		return fmt.Errorf("tip %s, the floor is %s: %w", t.Fees.Tip, s.cfg.MinTip, tx.ErrUnderpriced)
	case s.cfg.GasCap > 0 && t.Fees.Gas > s.cfg.GasCap:
		return fmt.Errorf("transaction gas limit too high (cap: %d, tx: %d): %w",
			s.cfg.GasCap, t.Fees.Gas, tx.ErrRefused)
	case old != nil && !replaces(t, old, s.cfg.Strict):
		return fmt.Errorf("it does not outbid %s: %w", old.hash, tx.ErrUnderpriced)
	}
	need := t.Fees.Total()
	for nonce := from.nonce; nonce < t.Nonce; nonce++ {
		before := s.pool[slot{t.From, nonce}]
		if before == nil {
			if t.Blobs > 0 {
				return fmt.Errorf("nonce %d: %w", nonce, errNonceGap)
			}
			continue
		}
		need.Add(need, before.Fees.Total())
	}
	if need.Cmp(from.balance) > 0 {
		return fmt.Errorf("it needs %s, the wallet has %s: %w", need, from.balance, tx.ErrInsufficientFunds)
	}
	return nil
}

// replaces reports whether t outbids old. Every price must double if one of them has blobs (geth's blob pool; reth,
// price bump of 100 for blob transactions) and grow by a tenth otherwise (geth's legacy pool, reth); a strict pool
// wants more.
func replaces(t, old *transaction, strict bool) bool {
	percent := int64(110)
	if t.Blobs > 0 || old.Blobs > 0 {
		percent = 200
	}
	enough := func(now, was *big.Int) bool {
		need := new(big.Int).Mul(was, big.NewInt(percent))
		c := new(big.Int).Mul(now, big.NewInt(100)).Cmp(need)
		return c > 0 || c == 0 && !strict
	}
	return enough(t.Fees.GasPrice, old.Fees.GasPrice) && enough(t.Fees.Tip, old.Fees.Tip) &&
		(old.Blobs == 0 || enough(t.Fees.DataGasPrice, old.Fees.DataGasPrice))
}

// remember keeps a transaction for ever. The caller holds the lock.
func (s *Chain) remember(t *transaction) {
	if s.known[t.hash] == nil {
		s.order = append(s.order, t.hash)
	}
	s.known[t.hash] = t
}

// BlockHash implements tx.Chain.
func (s *Chain) BlockHash(ctx context.Context, number uint64) (string, error) {
	return s.hash(ctx, s.all(), number)
}

func (s *Chain) hash(ctx context.Context, v sight, number uint64) (string, error) {
	return fault.Call(ctx, s.env, "l1", "BlockHash", fmt.Sprint(number), func(f fault.Fault) (string, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.catchUp()
		if number > s.tip(v.struck(f).behind).number {
			return "", nil
		}
		return s.blocks[number].hash, nil
	})
}

// Lookup implements tx.Chain.
func (s *Chain) Lookup(ctx context.Context, hash string) (tx.Status, error) {
	return s.lookup(ctx, s.all(), hash)
}

func (s *Chain) lookup(ctx context.Context, v sight, hash string) (tx.Status, error) {
	return fault.Call(ctx, s.env, "l1", "Lookup", hash, func(f fault.Fault) (tx.Status, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.catchUp()
		return s.status(hash, v.struck(f)), nil
	})
}

// status is a transaction as the node sees it. The caller holds the lock.
func (s *Chain) status(hash string, v sight) tx.Status {
	number, ok := s.mined[hash]
	switch {
	case ok && number > s.tip(v.behind).number:
		if v.hidden {
			return tx.Status{Phase: tx.Unknown}
		}
		return tx.Status{Phase: tx.Pending}
	case !ok:
		if t := s.known[hash]; t != nil && s.pool[t.slot()] == t && !v.hidden {
			return tx.Status{Phase: tx.Pending}
		}
		return tx.Status{Phase: tx.Unknown}
	}
	b := s.blocks[number]
	for _, r := range b.results {
		if r.tx.hash == hash {
			return tx.Status{
				Phase: tx.Included, Success: r.revert == nil, Revert: cloneRevert(r.revert),
				Block: number, BlockHash: b.hash,
				GasUsed: r.gas, GasPrice: new(big.Int).Set(r.gasPrice),
				DataGasUsed: r.blobGas(), DataGasPrice: new(big.Int).Set(r.blobPrice),
			}
		}
	}
	return tx.Status{Phase: tx.Unknown} // not reached: mined follows the blocks
}

func cloneRevert(e *tx.RevertError) *tx.RevertError {
	if e == nil {
		return nil
	}
	c := *e
	return &c
}
