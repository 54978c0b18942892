package txtest

import (
	"context"
	"errors"
	"math/big"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

func testAgain(t *testing.T, ctx context.Context, s Service) {
	p := s.payload("again", 0)
	nonce := s.account(t, ctx, 0).Pending
	signed := s.send(t, ctx, p, nonce, s.fees(t, ctx, 1, 0))
	if err := s.Chain.Broadcast(ctx, signed, p); err != nil {
		t.Errorf("Broadcast of a transaction that is in the pool: %v", err)
	}
	s.Mine(1)
	s.phase(t, ctx, signed.Hash, tx.Included)
	if a := s.account(t, ctx, 0); a.Latest != nonce+1 {
		t.Errorf("nonce %d after one transaction sent twice, want %d", a.Latest, nonce+1)
	}
}

func testIncludedAgain(t *testing.T, ctx context.Context, s Service) {
	p := s.payload("done", 0)
	signed := s.send(t, ctx, p, s.account(t, ctx, 0).Pending, s.fees(t, ctx, 1, 0))
	s.Mine(1)
	if err := s.Chain.Broadcast(ctx, signed, p); err != nil {
		t.Errorf("Broadcast of a transaction that is in a block: %v", err)
	}
}

func testNonceTooLow(t *testing.T, ctx context.Context, s Service) {
	nonce := s.account(t, ctx, 0).Pending
	s.send(t, ctx, s.payload("first", 0), nonce, s.fees(t, ctx, 1, 0))
	s.Mine(1)
	signed, err := s.put(t, ctx, s.payload("second", 0), nonce, s.fees(t, ctx, 4, 0))
	wantError(t, "Broadcast with a used nonce", err, tx.ErrNonceTooLow)
	s.phase(t, ctx, signed.Hash, tx.Unknown)
}

func testReplacement(t *testing.T, ctx context.Context, s Service) {
	if s.NoReplacement {
		t.Skip("the node takes no replacements")
	}
	nonce := s.account(t, ctx, 0).Pending
	f, double := s.fees(t, ctx, 1, 0), s.fees(t, ctx, 2, 0)
	first := s.send(t, ctx, s.payload("first", 0), nonce, f)
	_, err := s.put(t, ctx, s.payload("second", 0), nonce, f)
	wantError(t, "Broadcast of a replacement at the same price", err, tx.ErrUnderpriced)
	s.phase(t, ctx, first.Hash, tx.Pending)
	second := s.send(t, ctx, s.payload("third", 0), nonce, double)
	s.phase(t, ctx, second.Hash, tx.Pending)
	s.Mine(1)
	s.phase(t, ctx, second.Hash, tx.Included)
	s.phase(t, ctx, first.Hash, tx.Unknown)
}

func testFunds(t *testing.T, ctx context.Context, s Service) {
	a := s.account(t, ctx, 0)
	f := s.fees(t, ctx, 1, 0)
	f.GasPrice = new(big.Int).Add(new(big.Int).Quo(a.Balance, new(big.Int).SetUint64(f.Gas)), big.NewInt(1))
	signed, err := s.put(t, ctx, s.payload("dear", 0), a.Pending, f)
	wantError(t, "Broadcast of more than the wallet has", err, tx.ErrInsufficientFunds)
	s.phase(t, ctx, signed.Hash, tx.Unknown)
}

func testOtherPayload(t *testing.T, ctx context.Context, s Service) {
	signed := s.sign(t, ctx, s.payload("mine", 0), s.account(t, ctx, 0).Pending, s.fees(t, ctx, 1, 0))
	wantError(t, "Broadcast with another payload", s.Chain.Broadcast(ctx, signed, s.payload("yours", 0)), tx.ErrRefused)
	s.phase(t, ctx, signed.Hash, tx.Unknown)
}

func testBroken(t *testing.T, ctx context.Context, s Service) {
	p := s.payload("whole", 0)
	signed := s.sign(t, ctx, p, s.account(t, ctx, 0).Pending, s.fees(t, ctx, 1, 0))
	cut := tx.Signed{Hash: signed.Hash, Raw: signed.Raw[:len(signed.Raw)-1]}
	wantError(t, "Broadcast of cut bytes", s.Chain.Broadcast(ctx, cut, p), tx.ErrRefused)
	other := s.sign(t, ctx, p, s.account(t, ctx, 0).Pending+1, s.fees(t, ctx, 1, 0))
	other.Hash = signed.Hash
	wantError(t, "Broadcast of bytes with another hash", s.Chain.Broadcast(ctx, other, p), tx.ErrRefused)
}

// testSimulateBesidePool: a waiting transaction is the one that may have to be replaced, so it must not count.
func testSimulateBesidePool(t *testing.T, ctx context.Context, s Service) {
	p := s.payload("waiting", 0)
	before, err := s.Chain.Simulate(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	s.send(t, ctx, p, s.account(t, ctx, 0).Pending, s.fees(t, ctx, 1, 0))
	if after, err := s.Chain.Simulate(ctx, p); err != nil || after != before {
		t.Errorf("Simulate beside the same transaction in the pool = %+v, %v; before %+v", after, err, before)
	}
}

// testSimulateAfter: transactions that wait are run first, those in a block not again, and nothing is sent.
func testSimulateAfter(t *testing.T, ctx context.Context, s Service) {
	first, second := s.payload("goes before", 0), s.payload("goes behind", 0)
	alone, err := s.Chain.Simulate(ctx, second)
	if err != nil {
		t.Fatal(err)
	}
	nonce := s.account(t, ctx, 0).Pending
	signed := s.sign(t, ctx, first, nonce, s.fees(t, ctx, 1, 0))
	next := s.sign(t, ctx, first, nonce+1, s.fees(t, ctx, 1, 0))
	after, err := s.Chain.Simulate(ctx, second, signed, next)
	if err != nil || after.Gas == 0 || after.Gas > 2*alone.Gas {
		t.Errorf("Simulate after two others = %+v, %v; alone %+v", after, err, alone)
	}
	s.phase(t, ctx, signed.Hash, tx.Unknown)
	if err := s.Chain.Broadcast(ctx, signed, first); err != nil {
		t.Fatal(err)
	}
	s.Mine(1)
	if after, err = s.Chain.Simulate(ctx, second, signed); err != nil || after.Gas == 0 {
		t.Errorf("Simulate after one that is in a block = %+v, %v", after, err)
	}
}

func testFailed(t *testing.T, ctx context.Context, s Service) {
	signed := s.send(t, ctx, s.Refused, s.account(t, ctx, 0).Pending, s.fees(t, ctx, 1, 0))
	s.Mine(1)
	st := s.phase(t, ctx, signed.Hash, tx.Included)
	if st.Success || st.Revert == nil || st.Revert.Code == "" && st.Revert.Detail == "" {
		t.Errorf("status of a reverted transaction: %+v", st)
	}
	if st.GasUsed == 0 || st.Cost().Sign() <= 0 {
		t.Errorf("a reverted transaction cost %s", st.Cost())
	}
}

func testBlobs(t *testing.T, ctx context.Context, s Service) {
	p := s.payload("with blobs", 2)
	if use, err := s.Chain.Simulate(ctx, p); err != nil || use.Gas == 0 {
		t.Fatalf("Simulate with blobs = %+v, %v", use, err)
	}
	before := s.account(t, ctx, 0)
	f := s.fees(t, ctx, 1, 2)
	signed := s.sign(t, ctx, p, before.Pending, f)
	if len(signed.Raw) >= blobBytes {
		t.Errorf("the signed transaction has %d bytes: blobs belong to the payload", len(signed.Raw))
	}
	for range 2 {
		if err := s.Chain.Broadcast(ctx, signed, p); err != nil {
			t.Fatalf("Broadcast with blobs: %v", err)
		}
		s.phase(t, ctx, signed.Hash, tx.Pending)
	}
	s.Mine(1)
	st := s.phase(t, ctx, signed.Hash, tx.Included)
	if !st.Success || st.DataGasUsed != 2*tx.BlobGas || st.DataGasPrice == nil || st.DataGasPrice.Sign() <= 0 ||
		st.DataGasPrice.Cmp(f.DataGasPrice) > 0 {
		t.Errorf("status %+v", st)
	}
	if spent := new(big.Int).Sub(before.Balance, s.account(t, ctx, 0).Balance); spent.Cmp(st.Cost()) != 0 {
		t.Errorf("the wallet spent %s, the cost is %s", spent, st.Cost())
	}
}

// testBlobReplacement: every price must double (geth's blob pool).
func testBlobReplacement(t *testing.T, ctx context.Context, s Service) {
	nonce := s.account(t, ctx, 0).Pending
	f := s.fees(t, ctx, 1, 1)
	first := s.send(t, ctx, s.payload("first", 1), nonce, f)
	double := func(n *big.Int) *big.Int { return new(big.Int).Lsh(n, 1) }
	for name, low := range map[string]tx.Fees{
		"Same": f,
		"BlobPriceOnly": {Gas: f.Gas, GasPrice: f.GasPrice, Tip: f.Tip, DataGas: f.DataGas,
			DataGasPrice: double(f.DataGasPrice)},
		"NotBlobPrice": {Gas: f.Gas, GasPrice: double(f.GasPrice), Tip: double(f.Tip), DataGas: f.DataGas,
			DataGasPrice: f.DataGasPrice},
		"NotTip": {Gas: f.Gas, GasPrice: double(f.GasPrice), Tip: f.Tip, DataGas: f.DataGas,
			DataGasPrice: double(f.DataGasPrice)},
	} {
		if s.Lax && name != "Same" {
			continue
		}
		_, err := s.put(t, ctx, s.payload("second", 1), nonce, low)
		wantError(t, "Broadcast of the replacement "+name, err, tx.ErrUnderpriced)
	}
	f.GasPrice, f.Tip, f.DataGasPrice = double(f.GasPrice), double(f.Tip), double(f.DataGasPrice)
	second := s.send(t, ctx, s.payload("third!", 1), nonce, f)
	s.Mine(1)
	s.phase(t, ctx, second.Hash, tx.Included)
	s.phase(t, ctx, first.Hash, tx.Unknown)
}

func testOtherBlobs(t *testing.T, ctx context.Context, s Service) {
	p := s.payload("mine", 1)
	signed := s.sign(t, ctx, p, s.account(t, ctx, 0).Pending, s.fees(t, ctx, 1, 1))
	other := s.payload("mine", 1)
	other.Blobs[0][31] = 99
	wantError(t, "Broadcast with other blobs", s.Chain.Broadcast(ctx, signed, other), tx.ErrRefused)
	other.Blobs = nil
	wantError(t, "Broadcast without its blobs", s.Chain.Broadcast(ctx, signed, other), tx.ErrRefused)
	s.phase(t, ctx, signed.Hash, tx.Unknown)
}

// testGap: what a pool refuses because a transaction is missing before it may pass later, so it must not count as
// refused.
func testGap(t *testing.T, ctx context.Context, s Service) {
	_, err := s.put(t, ctx, s.payload("after a gap", 1), s.account(t, ctx, 0).Pending+1, s.fees(t, ctx, 1, 1))
	for _, wrong := range []error{tx.ErrRefused, tx.ErrNonceTooLow, tx.ErrUnderpriced, tx.ErrInsufficientFunds} {
		if errors.Is(err, wrong) {
			t.Errorf("Broadcast after a gap: %v, want no error or a passing one", err)
		}
	}
}
