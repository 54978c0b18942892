// Package txtest is the conformance suite of tx.Chain.
package txtest

import (
	"context"
	"errors"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Service is a chain as a test can move it, with a wallet that nothing else uses and that holds between 0.1 and 1 of
// the chain's coin, so that no node's limit on fees comes before the wallet's own. Blocks are made by Mine only.
type Service struct {
	Chain tx.Chain
	// To is an address that takes any data.
	To string
	// Payload is a payload that goes well and differs from one with another text; nil: to To, with the text as data.
	Payload func(text string) tx.Payload
	// Gas and DataGas are enough for any payload of the suite; 0: 500,000 gas, and no L1 data gas.
	Gas, DataGas uint64
	// Refused is a call that a contract reverts.
	Refused tx.Payload
	// Mine makes n blocks, the first of what the pool holds.
	Mine func(n int)
	// Blobs says whether the chain takes blobs.
	Blobs bool
	// Lax says that the pool takes replacements of blob transactions without every price being doubled, as anvil's
	// does.
	Lax bool
	// NoReplacement says that the node takes no second transaction with a nonce, as starknet-devnet.
	NoReplacement bool
	// Rounds says that fees are not whole multiples of the gas in the receipts, so that costs may miss less than one
	// smallest unit a gas.
	Rounds bool
}

// Harness makes services. Each rule gets one of its own; they run in parallel.
type Harness struct {
	New func(t *testing.T) Service
}

// deadline is how long one rule may take: nodes load their KZG set-up with the first blob.
const deadline = 10 * time.Minute

// TestChain checks that a chain keeps the contract of tx.Chain.
func TestChain(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range []struct {
		name  string
		blobs bool
		run   func(*testing.T, context.Context, Service)
	}{
		{"HeadMovesAndHasFees", false, testHead}, {"AccountOfNewWallet", false, testAccount},
		{"SimulateReturnsGas", false, testSimulate}, {"SimulateReturnsRefusal", false, testRefusal},
		{"SignSendsNothing", false, testSign}, {"HashNamesContent", false, testHash},
		{"BroadcastThenPendingThenIncluded", false, testLife}, {"AccountAtDepth", false, testDepth},
		{"UsedByAnyAccount", false, testUsed},
		{"BroadcastAgainIsSuccess", false, testAgain}, {"BroadcastAfterInclusion", false, testIncludedAgain},
		{"UsedNonceIsTooLow", false, testNonceTooLow}, {"ReplacementMustOutbid", false, testReplacement},
		{"WalletMustHaveFunds", false, testFunds}, {"OtherPayloadIsRefused", false, testOtherPayload},
		{"BrokenBytesAreRefused", false, testBroken}, {"SimulateIgnoresThePool", false, testSimulateBesidePool},
		{"SimulateAfterOthers", false, testSimulateAfter},
		{"FailedTransactionTellsWhy", false, testFailed}, {"UnknownHash", false, testUnknown},
		{"Blobs", true, testBlobs}, {"BlobReplacementMustDouble", true, testBlobReplacement},
		{"OtherBlobsAreRefused", true, testOtherBlobs}, {"BlobAfterGapMayPass", true, testGap},
		{"SimulateWhileNonceMoves", false, testMovingNonce}, {"Concurrent", false, testConcurrent},
		{"HonoursContext", false, testContext},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := h.New(t)
			if c.blobs && !s.Blobs {
				t.Skip("the chain takes no blobs")
			}
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			c.run(t, ctx, s)
		})
	}
}

// blobBytes is a blob's length (EIP-4844).
const blobBytes = 131_072

// payload is a payload that goes well, with n blobs, and differs from one with another text.
func (s Service) payload(text string, n int) tx.Payload {
	p := tx.Payload{To: s.To, Data: []byte(text)}
	if s.Payload != nil {
		p = s.Payload(text)
	}
	for i := range n {
		b := make([]byte, blobBytes)
		b[31], b[63] = byte(i+1), byte(len(text)) // elements far below the field's order
		p.Blobs = append(p.Blobs, b)
	}
	return p
}

// fees are n times what the market asks.
func (s Service) fees(t *testing.T, ctx context.Context, n int64, blobs int) tx.Fees {
	t.Helper()
	h := s.head(t, ctx)
	tip := new(big.Int).Add(h.Tip, big.NewInt(1_000_000_000))
	price := new(big.Int).Add(new(big.Int).Lsh(h.BaseFee, 1), tip)
	times := big.NewInt(n)
	f := tx.Fees{Gas: 500_000, GasPrice: price.Mul(price, times), Tip: tip.Mul(tip, times)}
	if s.Gas > 0 {
		f.Gas = s.Gas
	}
	if f.DataGas = uint64(blobs)*tx.BlobGas + s.DataGas; f.DataGas > 0 {
		f.DataGasPrice = new(big.Int).Mul(new(big.Int).Add(new(big.Int).Lsh(h.BlobBaseFee, 1), big.NewInt(10)), times)
	}
	return f
}

func (s Service) head(t *testing.T, ctx context.Context) tx.Head {
	t.Helper()
	h, err := s.Chain.Head(ctx)
	if err != nil {
		t.Fatalf("Head: %v", err)
	}
	return h
}

func (s Service) account(t *testing.T, ctx context.Context, depth uint64) tx.Account {
	t.Helper()
	a, err := s.Chain.Account(ctx, depth)
	if err != nil {
		t.Fatalf("Account: %v", err)
	}
	return a
}

func (s Service) sign(t *testing.T, ctx context.Context, p tx.Payload, nonce uint64, f tx.Fees) tx.Signed {
	t.Helper()
	signed, err := s.Chain.Sign(ctx, p, nonce, f)
	if err != nil || signed.Hash == "" || len(signed.Raw) == 0 {
		t.Fatalf("Sign with nonce %d = %q with %d bytes, %v", nonce, signed.Hash, len(signed.Raw), err)
	}
	return signed
}

// put signs and broadcasts.
func (s Service) put(t *testing.T, ctx context.Context, p tx.Payload, nonce uint64, f tx.Fees) (tx.Signed, error) {
	t.Helper()
	signed := s.sign(t, ctx, p, nonce, f)
	return signed, s.Chain.Broadcast(ctx, signed, p)
}

// send is put that must go well.
func (s Service) send(t *testing.T, ctx context.Context, p tx.Payload, nonce uint64, f tx.Fees) tx.Signed {
	t.Helper()
	signed, err := s.put(t, ctx, p, nonce, f)
	if err != nil {
		t.Fatalf("Broadcast with nonce %d: %v", nonce, err)
	}
	return signed
}

func (s Service) phase(t *testing.T, ctx context.Context, hash string, want tx.Phase) tx.Status {
	t.Helper()
	st, err := s.Chain.Lookup(ctx, hash)
	if err != nil || st.Phase != want {
		t.Fatalf("Lookup of %s = %q, %v; want %q", hash, st.Phase, err, want)
	}
	return st
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func testHead(t *testing.T, ctx context.Context, s Service) {
	before := s.head(t, ctx)
	if before.BaseFee == nil || before.BlobBaseFee == nil || before.Tip == nil || before.BaseFee.Sign() <= 0 {
		t.Fatalf("head %+v lacks fees", before)
	}
	if s.Blobs && before.BlobBaseFee.Sign() <= 0 {
		t.Errorf("the blob base fee is %s on a chain with blobs", before.BlobBaseFee)
	}
	s.Mine(3)
	if after := s.head(t, ctx); after.Number != before.Number+3 || after.Finalized > after.Number {
		t.Errorf("after 3 blocks the head is %d (finalized %d), before %d",
			after.Number, after.Finalized, before.Number)
	}
}

func testAccount(t *testing.T, ctx context.Context, s Service) {
	a := s.account(t, ctx, 1000)
	if a.Address == "" || a.Balance == nil || a.Balance.Sign() <= 0 || a.Pending != a.Latest || a.Confirmed > a.Latest {
		t.Errorf("account %+v", a)
	}
}

func testSimulate(t *testing.T, ctx context.Context, s Service) {
	before := s.account(t, ctx, 0)
	use, err := s.Chain.Simulate(ctx, s.payload("simulated", 0))
	if err != nil || use.Gas == 0 || use.DataGas > s.DataGas {
		t.Fatalf("Simulate = %+v, %v", use, err)
	}
	if s.Mine(1); s.account(t, ctx, 0).Latest != before.Latest {
		t.Error("simulating sent a transaction")
	}
}

func testRefusal(t *testing.T, ctx context.Context, s Service) {
	use, err := s.Chain.Simulate(ctx, s.Refused)
	var revert *tx.RevertError
	if !errors.As(err, &revert) || use != (tx.Usage{}) {
		t.Fatalf("Simulate of a call that reverts = %+v, %v, want a *tx.RevertError", use, err)
	}
	if revert.Code == "" && revert.Detail == "" {
		t.Error("the refusal has neither code nor detail")
	}
}

func testSign(t *testing.T, ctx context.Context, s Service) {
	before := s.account(t, ctx, 0)
	signed := s.sign(t, ctx, s.payload("unsent", 0), before.Pending, s.fees(t, ctx, 1, 0))
	s.phase(t, ctx, signed.Hash, tx.Unknown)
	s.Mine(1)
	if after := s.account(t, ctx, 0); after.Pending != before.Pending {
		t.Errorf("signing moved the nonce from %d to %d", before.Pending, after.Pending)
	}
}

func testHash(t *testing.T, ctx context.Context, s Service) {
	f, g := s.fees(t, ctx, 1, 0), s.fees(t, ctx, 2, 0)
	seen := map[string]int{}
	for i, signed := range []tx.Signed{
		s.sign(t, ctx, s.payload("a", 0), 5, f), s.sign(t, ctx, s.payload("b", 0), 5, f),
		s.sign(t, ctx, s.payload("a", 0), 6, f), s.sign(t, ctx, s.payload("a", 0), 5, g),
	} {
		if j, ok := seen[signed.Hash]; ok {
			t.Errorf("transactions %d and %d have one hash %s", j, i, signed.Hash)
		}
		seen[signed.Hash] = i
	}
}

func testLife(t *testing.T, ctx context.Context, s Service) {
	before := s.account(t, ctx, 0)
	f := s.fees(t, ctx, 1, 0)
	signed := s.send(t, ctx, s.payload("life", 0), before.Pending, f)
	s.phase(t, ctx, signed.Hash, tx.Pending)
	if a := s.account(t, ctx, 0); a.Latest != before.Latest || a.Pending != before.Pending+1 {
		t.Errorf("with one in the pool: %+v, before %+v", a, before)
	}
	s.Mine(1)
	st := s.phase(t, ctx, signed.Hash, tx.Included)
	if !st.Success || st.Revert != nil || st.BlockHash == "" || st.Block != s.head(t, ctx).Number {
		t.Errorf("status %+v, the head is %d", st, s.head(t, ctx).Number)
	}
	if st.GasUsed == 0 || st.GasUsed > f.Gas || st.GasPrice == nil || st.GasPrice.Sign() <= 0 ||
		st.GasPrice.Cmp(f.GasPrice) > 0 || st.DataGasUsed > f.DataGas {
		t.Errorf("it used %d gas at %s and %d blob gas, the limits are %d and %s",
			st.GasUsed, st.GasPrice, st.DataGasUsed, f.Gas, f.GasPrice)
	}
	after := s.account(t, ctx, 0)
	missed := new(big.Int)
	if s.Rounds {
		missed.SetUint64(st.GasUsed)
	}
	if spent := new(big.Int).Sub(before.Balance, after.Balance); missed.CmpAbs(new(big.Int).Sub(spent, st.Cost())) < 0 {
		t.Errorf("the wallet spent %s, the cost is %s", spent, st.Cost())
	}
	if after.Latest != before.Latest+1 || after.Pending != after.Latest {
		t.Errorf("account %+v, before %+v", after, before)
	}
}

func testDepth(t *testing.T, ctx context.Context, s Service) {
	s.Mine(4)
	before := s.account(t, ctx, 0)
	s.send(t, ctx, s.payload("depth", 0), before.Pending, s.fees(t, ctx, 1, 0))
	for mined, want := range []uint64{0, 0, 0, 1} {
		s.Mine(1)
		if a := s.account(t, ctx, 3); a.Latest != before.Latest+1 || a.Confirmed != before.Latest+want {
			t.Errorf("%d blocks on it: %+v, want %d more confirmed than %d", mined, a, want, before.Latest)
		}
	}
}

// nobody is the address of an account that sends nothing, on Ethereum and on Starknet.
const nobody = "0x0000000000000000000000000000000000000b0b"

func testUsed(t *testing.T, ctx context.Context, s Service) {
	used := func(address string, depth uint64) tx.Used {
		t.Helper()
		u, err := s.Chain.Used(ctx, address, depth)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	s.Mine(4)
	before := s.account(t, ctx, 0)
	s.send(t, ctx, s.payload("used", 0), before.Pending, s.fees(t, ctx, 1, 0))
	for mined, want := range []uint64{0, 0, 0, 1} {
		s.Mine(1)
		n := before.Latest
		if got := used(before.Address, 3); got != (tx.Used{Latest: n + 1, Confirmed: n + want}) {
			t.Errorf("%d blocks on it: %+v, want %d more confirmed than %d", mined, got, want, n)
		}
	}
	if got := used(nobody, 0); got != (tx.Used{}) {
		t.Errorf("an account that sends nothing has used %+v", got)
	}
}

func testUnknown(t *testing.T, ctx context.Context, s Service) {
	signed := s.sign(t, ctx, s.payload("never sent", 0), 77, s.fees(t, ctx, 1, 0))
	s.phase(t, ctx, signed.Hash, tx.Unknown)
}

// testMovingNonce: transactions of the wallet are mined while it simulates. That is never a contract's refusal.
func testMovingNonce(t *testing.T, ctx context.Context, s Service) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := range 200 { // more would only keep the node busy
			select {
			case <-stop:
				if n > 0 {
					return
				}
			default:
			}
			_, err := s.Chain.Simulate(ctx, s.payload("while others are mined", 0))
			if err != nil && !errors.Is(err, tx.ErrNonceMoved) {
				t.Errorf("Simulate while the nonce moves: %v", err)
				return
			}
		}
	}()
	f := s.fees(t, ctx, 1, 0)
	for range 10 {
		s.send(t, ctx, s.payload("mined", 0), s.account(t, ctx, 0).Latest, f)
		s.Mine(1)
	}
	close(stop)
	<-done
}

func testConcurrent(t *testing.T, ctx context.Context, s Service) {
	first := s.account(t, ctx, 0).Pending
	f := s.fees(t, ctx, 1, 0)
	var wg sync.WaitGroup
	hashes := make([]string, 4)
	for i := range hashes {
		hashes[i] = s.send(t, ctx, s.payload("one of many", 0), first+uint64(i), f).Hash
	}
	for i := range 8 {
		wg.Go(func() {
			if _, err := s.Chain.Lookup(ctx, hashes[i%len(hashes)]); err != nil {
				t.Errorf("Lookup beside others: %v", err)
			}
			if _, err := s.Chain.Account(ctx, 1); err != nil {
				t.Errorf("Account beside others: %v", err)
			}
			if _, err := s.Chain.Sign(ctx, s.payload("beside", 0), first+9, f); err != nil {
				t.Errorf("Sign beside others: %v", err)
			}
		})
	}
	wg.Wait()
	s.Mine(1)
	for _, h := range hashes {
		s.phase(t, ctx, h, tx.Included)
	}
}

func testContext(t *testing.T, ctx context.Context, s Service) {
	signed := s.sign(t, ctx, s.payload("late", 0), s.account(t, ctx, 0).Pending, s.fees(t, ctx, 1, 0))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, account := s.Chain.Account(ended, 1)
	_, head := s.Chain.Head(ended)
	_, simulate := s.Chain.Simulate(ended, s.payload("late", 0))
	_, lookup := s.Chain.Lookup(ended, signed.Hash)
	for name, err := range map[string]error{
		"Account": account, "Head": head, "Simulate": simulate, "Lookup": lookup,
		"Broadcast": s.Chain.Broadcast(ended, signed, s.payload("late", 0)),
	} {
		wantError(t, name+" in an ended context", err, context.Canceled)
	}
	s.phase(t, ctx, signed.Hash, tx.Unknown)
}
