package l1_test

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault/faulttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
)

func gwei(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), big.NewInt(1e9)) }

// fees are limits of n gwei each, for a payload with so many blobs.
func fees(n int64, blobs int) tx.Fees {
	f := tx.Fees{Gas: 2_000_000, GasPrice: gwei(n), Tip: gwei(n), DataGas: uint64(blobs) * tx.BlobGas}
	if blobs > 0 {
		f.DataGasPrice = gwei(n)
	}
	return f
}

// post is a payload that always succeeds.
func post(text string, blobs int) tx.Payload {
	p := tx.Payload{To: "0xda", Data: []byte(text)}
	for i := range blobs {
		p.Blobs = append(p.Blobs, []byte{byte(i)})
	}
	return p
}

// put signs and broadcasts.
func put(t *testing.T, l *l1.Chain, p tx.Payload, nonce uint64, f tx.Fees) (string, error) {
	t.Helper()
	signed := must(l.Sign(t.Context(), p, nonce, f))(t)
	return signed.Hash, l.Broadcast(t.Context(), signed, p)
}

func phase(t *testing.T, l *l1.Chain, hash string, want tx.Phase) tx.Status {
	t.Helper()
	s := must(l.Lookup(t.Context(), hash))(t)
	if s.Phase != want {
		t.Errorf("%s is %s, want %s", hash, s.Phase, want)
	}
	return s
}

func TestChain_SignIsDeterministic(t *testing.T) {
	t.Parallel()
	l := l1.New(nil, l1.Config{})
	a, b := must(l.Sign(t.Context(), post("x", 2), 3, fees(2, 2)))(t), must(
		l.Sign(t.Context(), post("x", 2), 3, fees(2, 2)))(t)
	if a.Hash != b.Hash || string(a.Raw) != string(b.Raw) {
		t.Error("one transaction was signed in two ways")
	}
	seen := map[string]bool{a.Hash: true}
	for _, other := range []tx.Signed{
		must(l.Sign(t.Context(), post("x", 2), 4, fees(2, 2)))(t),
		must(l.Sign(t.Context(), post("x", 2), 3, fees(4, 2)))(t),
		must(l.Sign(t.Context(), post("y", 2), 3, fees(2, 2)))(t),
		must(l.Sign(t.Context(), post("x", 1), 3, fees(2, 1)))(t),
	} {
		if seen[other.Hash] {
			t.Error("two transactions have one hash")
		}
		seen[other.Hash] = true
	}
	if err := l.Broadcast(t.Context(), a, post("z", 2)); !errors.Is(err, tx.ErrRefused) {
		t.Errorf("Broadcast with another payload: %v, want ErrRefused", err)
	}
}

func TestChain_PoolRules(t *testing.T) {
	t.Parallel()
	l := l1.New(nil, l1.Config{Balance: gwei(50_000_000), MinTip: gwei(1)})
	first, err := put(t, l, post("a", 1), 0, fees(2, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = put(t, l, post("a", 1), 0, fees(2, 1)); err != nil {
		t.Errorf("the same transaction again: %v", err)
	}
	half := fees(4, 1)
	half.DataGasPrice = gwei(3)
	for name, c := range map[string]struct {
		nonce uint64
		fees  tx.Fees
		blobs int
		want  error
	}{
		"ReplacementBelowDouble":    {0, fees(3, 1), 1, tx.ErrUnderpriced},
		"ReplacementOneCapTooLow":   {0, half, 1, tx.ErrUnderpriced},
		"TipBelowFloor":             {1, tx.Fees{Gas: 1, GasPrice: gwei(2)}, 0, tx.ErrUnderpriced},
		"MoreThanTheWalletHas":      {0, fees(40, 1), 1, tx.ErrInsufficientFunds},
		"MoreThanIsLeftBesideOther": {1, fees(24, 1), 1, tx.ErrInsufficientFunds},
		"TooManyBlobs":              {1, fees(2, 7), 7, tx.ErrRefused},
	} {
		if _, err := put(t, l, post("b", c.blobs), c.nonce, c.fees); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := put(t, l, post("b", 1), 2, fees(2, 1)); err == nil || errors.Is(err, tx.ErrRefused) {
		t.Errorf("a blob transaction after a gap: %v, want a passing error", err)
	}
	second, err := put(t, l, post("b", 1), 0, fees(4, 1))
	if err != nil {
		t.Fatalf("a doubled replacement: %v", err)
	}
	phase(t, l, first, tx.Unknown)
	phase(t, l, second, tx.Pending)
	l.Mine()
	phase(t, l, second, tx.Included)
	if _, err := put(t, l, post("c", 1), 0, fees(8, 1)); !errors.Is(err, tx.ErrNonceTooLow) {
		t.Errorf("a used nonce: %v, want ErrNonceTooLow", err)
	}
	if a := must(l.Account(t.Context(), 0))(t); a.Latest != 1 || a.Pending != 1 ||
		a.Balance.Cmp(gwei(50_000_000)) >= 0 {
		t.Errorf("account %+v", a)
	}
}

func TestChain_ReplacedTransactionMayStillBeMined(t *testing.T) {
	t.Parallel()
	l := l1.New(nil, l1.Config{})
	first, _ := put(t, l, post("a", 0), 0, fees(2, 0))
	second, err := put(t, l, post("a", 0), 0, fees(3, 0)) // a tenth more is enough without blobs
	if err != nil {
		t.Fatal(err)
	}
	if err := l.MineOnly(first); err != nil {
		t.Fatal(err)
	}
	phase(t, l, first, tx.Included)
	phase(t, l, second, tx.Unknown)
}

func TestChain_FeeMarket(t *testing.T) {
	t.Parallel()
	l := l1.New(nil, l1.Config{})
	l.SetLoad(l1.Load{Gas: 200, Blob: 0})
	hash, err := put(t, l, post("a", 1), 0, fees(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	l.MineEmpty(1)
	h := must(l.Head(t.Context()))(t)
	if h.BaseFee.Int64() != 1_125_000_000 || h.BlobBaseFee.Int64() != 875_000_000 {
		t.Errorf("fees after a full block are %s and %s", h.BaseFee, h.BlobBaseFee)
	}
	l.Mine()
	phase(t, l, hash, tx.Pending) // its price is below the base fee
	l.SetFees(big.NewInt(999), big.NewInt(7))
	l.Mine()
	s := phase(t, l, hash, tx.Included)
	if s.GasPrice.Cmp(gwei(1)) != 0 || s.DataGasPrice.Int64() != 7 || s.DataGasUsed != tx.BlobGas || !s.Success {
		t.Errorf("status %+v: want the price cut to the limit and the blob fee of the block", s)
	}
	before := new(big.Int).Mul(gwei(100), gwei(1))
	if a := must(l.Account(t.Context(), 0))(t); new(big.Int).Add(a.Balance, s.Cost()).Cmp(before) != 0 {
		t.Errorf("balance %s and cost %s don't add up", a.Balance, s.Cost())
	}
}

func TestChain_DropAndLose(t *testing.T) {
	t.Parallel()
	env, _ := faulttest.Env(
		fault.Rule{Component: "l1", Method: "Broadcast", Nth: 2, Fault: fault.Fault{Kind: fault.Lose}})
	l := l1.New(env, l1.Config{})
	a, _ := put(t, l, post("a", 0), 0, fees(2, 0))
	if !l.Drop(a) || l.Drop(a) {
		t.Error("Drop does not report what it did")
	}
	phase(t, l, a, tx.Unknown)
	b, err := put(t, l, post("b", 0), 0, fees(2, 0))
	if err != nil {
		t.Fatal(err)
	}
	phase(t, l, b, tx.Unknown)
	if _, err := put(t, l, post("b", 0), 0, fees(2, 0)); err != nil {
		t.Errorf("Broadcast of a lost transaction: %v", err)
	}
	phase(t, l, b, tx.Pending)
}

func TestChain_BroadcastFailsAfterAccepting(t *testing.T) {
	t.Parallel()
	env, _ := faulttest.Env(
		fault.Rule{Component: "l1", Method: "Broadcast", Fault: fault.Fault{Kind: fault.FailBefore}},
		fault.Rule{Component: "l1", Method: "Broadcast", Nth: 2, Fault: fault.Fault{Kind: fault.FailAfter}},
	)
	l := l1.New(env, l1.Config{})
	for _, want := range []tx.Phase{tx.Unknown, tx.Pending} {
		hash, err := put(t, l, post("a", 0), 0, fees(2, 0))
		if !errors.Is(err, fault.ErrInjected) {
			t.Errorf("Broadcast: %v", err)
		}
		phase(t, l, hash, want)
	}
}

func TestChain_Reorg(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{true, false} {
		l := l1.New(nil, l1.Config{})
		l.MineEmpty(3)
		l.Finalize(2)
		hash, _ := put(t, l, post("a", 1), 0, fees(4, 1))
		l.Mine()
		old := phase(t, l, hash, tx.Included)
		l.MineEmpty(1)
		if _, err := l.Reorg(4, keep); err == nil {
			t.Error("a finalized block was undone")
		}
		undone, err := l.Reorg(2, keep)
		if err != nil || len(undone) != 1 || undone[0] != hash {
			t.Errorf("Reorg = %v, %v", undone, err)
		}
		a := must(l.Account(t.Context(), 0))(t)
		if h := must(l.Head(t.Context()))(t); h.Number != 3 || a.Latest != 0 {
			t.Errorf("after the reorg the head is %d, the nonce %d", h.Number, a.Latest)
		}
		if !keep {
			phase(t, l, hash, tx.Unknown)
			continue
		}
		phase(t, l, hash, tx.Pending)
		l.Mine()
		if s := phase(t, l, hash, tx.Included); s.Block != old.Block || s.BlockHash == old.BlockHash {
			t.Errorf("mined again in block %d %s, before in %d %s", s.Block, s.BlockHash, old.Block, old.BlockHash)
		}
	}
}

func TestChain_AccountAtDepth(t *testing.T) {
	t.Parallel()
	l := l1.New(nil, l1.Config{Finality: 2})
	_, _ = put(t, l, post("a", 0), 0, fees(4, 0))
	_, _ = put(t, l, post("b", 0), 1, fees(4, 0))
	if a := must(l.Account(t.Context(), 3))(t); a.Pending != 2 || a.Latest != 0 || a.Confirmed != 0 {
		t.Errorf("with two in the pool: %+v", a)
	}
	l.Mine()
	for i, want := range []uint64{0, 0, 0, 2} {
		if a := must(l.Account(t.Context(), 3))(t); a.Latest != 2 || a.Confirmed != want {
			t.Errorf("%d blocks later: %+v, want %d confirmed", i, a, want)
		}
		l.MineEmpty(1)
	}
	if h := must(l.Head(t.Context()))(t); h.Finalized != h.Number-2 {
		t.Errorf("head %d, finalized %d", h.Number, h.Finalized)
	}
}

func TestChain_TransactionsOfThirdParties(t *testing.T) {
	t.Parallel()
	l := l1.New(nil, l1.Config{})
	ours, _ := put(t, l, post("a", 0), 0, fees(4, 0))
	theirs := l.Intrude(post("b", 0), true)
	other := l.Intrude(post("c", 0), false)
	l.Mine()
	phase(t, l, theirs, tx.Included)
	phase(t, l, other, tx.Included)
	phase(t, l, ours, tx.Unknown)
	if a := must(l.Account(t.Context(), 0))(t); a.Latest != 1 {
		t.Errorf("nonce %d, want 1", a.Latest)
	}
}

func TestChain_StaleNode(t *testing.T) {
	t.Parallel()
	stale := fault.Fault{Kind: fault.Stale}
	env, _ := faulttest.Env(
		fault.Rule{Component: "l1", Method: "Head", Fault: stale},
		fault.Rule{Component: "l1", Method: "Account", Fault: stale},
		fault.Rule{Component: "l1", Method: "Lookup", Fault: stale},
	)
	l := l1.New(env, l1.Config{})
	hash, _ := put(t, l, post("a", 0), 0, fees(4, 0))
	l.Mine()
	h, a := must(l.Head(t.Context()))(t), must(l.Account(t.Context(), 0))(t)
	if h.Number != 0 || a.Latest != 0 {
		t.Errorf("a lagging node is at %d with nonce %d", h.Number, a.Latest)
	}
	phase(t, l, hash, tx.Pending)
	phase(t, l, hash, tx.Included)
}

func TestChain_BlockTime(t *testing.T) {
	t.Parallel()
	c := faulttest.NewClock()
	l := l1.New(&fault.Env{Now: c.Now}, l1.Config{BlockTime: 12 * time.Second})
	hash, _ := put(t, l, post("a", 0), 0, fees(4, 0))
	c.Advance(11 * time.Second)
	phase(t, l, hash, tx.Pending)
	c.Advance(25 * time.Second)
	if s := phase(t, l, hash, tx.Included); s.Block != 1 {
		t.Errorf("mined in block %d", s.Block)
	}
	if h := must(l.Head(t.Context()))(t); h.Number != 3 {
		t.Errorf("head %d after 36 s", h.Number)
	}
}

func TestChain_DA(t *testing.T) {
	t.Parallel()
	l := l1.New(nil, l1.Config{MaxDAWords: 2})
	d := da.Data{Batch: 3, Words: []felt.Felt{felt.FromUint64(1), felt.FromUint64(2)}}
	p, c, err := l.DA().Encode(t.Context(), d)
	if err != nil || c.Size != 2 || c.Hash.IsZero() {
		t.Fatalf("Encode: %+v, %v", c, err)
	}
	if _, err := put(t, l, p, 0, fees(4, 0)); err != nil {
		t.Fatal(err)
	}
	l.Mine()
	if got := l.DA().Published(); len(got) != 1 || got[0].Batch != 3 {
		t.Errorf("published %+v", got)
	}
	d.Words = append(d.Words, felt.Zero)
	if _, _, err := l.DA().Encode(t.Context(), d); !errors.Is(err, da.ErrTooLarge) {
		t.Errorf("Encode of too much: %v", err)
	}
}
