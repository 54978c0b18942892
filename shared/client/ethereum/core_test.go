package ethereum_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/da/datest"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement/settlementtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// setupFor sets a chain's contract up so that it takes an update of made.
func setupFor(s settlement.State, c settlement.Config) devethereum.Setup {
	return devethereum.Setup{
		ProgramHash: c.ProgramHash, AggregatorProgramHash: c.AggregatorProgramHash, ConfigHash: c.ConfigHash,
		Settled: s.Settled, Block: s.Block, Root: s.Root, BlockHash: s.BlockHash,
	}
}

// fact is that of an update in KZG mode.
func fact(u settlement.Update, c settlement.Config) [32]byte {
	words := hash.Keccak256(felt.Concat(u.ProgramOutput))
	return hash.Keccak256(c.AggregatorProgramHash[:], words[:])
}

// send signs, sends and mines a payload at a comfortable price.
func (b *bench) send(t *testing.T, w *ethereum.Wallet, p tx.Payload) tx.Status {
	t.Helper()
	return b.sendAnd(t, w, p, b.Mine)
}

// sendAnd is send on a chain that mine adds blocks to.
func (b *bench) sendAnd(t *testing.T, w *ethereum.Wallet, p tx.Payload, mine func(n int)) tx.Status {
	t.Helper()
	ctx := t.Context()
	signed := b.sign(t, w, p)
	if err := w.Broadcast(ctx, signed, p); err != nil {
		t.Fatal(err)
	}
	mine(1)
	s := must(w.Lookup(ctx, signed.Hash))(t)
	if s.Phase != tx.Included {
		t.Fatalf("transaction is %s", s.Phase)
	}
	return s
}

// sign signs a payload for the next nonce at a comfortable price.
func (b *bench) sign(t *testing.T, w *ethereum.Wallet, p tx.Payload) tx.Signed {
	t.Helper()
	ctx := t.Context()
	v := tx.View{Head: must(w.Head(ctx))(t), Account: must(w.Account(ctx, 0))(t), Blobs: len(p.Blobs), Gas: 3_000_000}
	d := tx.Decide(tx.Journal{}, v, tx.DefaultPolicy())
	return must(w.Sign(ctx, p, d.Nonce, d.Fees))(t)
}

// TestCore_Settles takes an update with two blobs through the contract: the proofs in its calldata are checked by the
// point evaluation precompile.
func TestCore_Settles(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	u, s, c := made(t, 2)
	b := setup(t, setupFor(s, c))
	w := b.wallet(t, operator, ethereum.SidecarAuto)
	core := b.core(t, w)
	if got := must(core.State(ctx, false))(t); got != s {
		t.Errorf("state %+v, want %+v", got, s)
	}
	cfg := must(core.Config(ctx))(t)
	if cfg != c {
		t.Errorf("config %+v, want %+v", cfg, c)
	}
	p := must(core.Encode(ctx, u, s, cfg))(t)
	var revert *tx.RevertError
	if _, err := w.Simulate(ctx, p); !errors.As(err, &revert) || revert.Code != "NO_STATE_TRANSITION_PROOF" {
		t.Errorf("Simulate before the fact is registered: %v", err)
	}
	registry := &devethereum.Sender{Client: b.sender.Client, Key: devethereum.Keys[registrar], Mine: b.sender.Mine}
	if err := registry.RegisterFact(ctx, b.at.Registry, fact(u, c)); err != nil {
		t.Fatal(err)
	}
	gas := must(w.Simulate(ctx, p))(t).Gas
	status := b.send(t, w, p)
	if !status.Success || status.GasUsed > gas {
		t.Fatalf("status %+v, simulated gas %d", status, gas)
	}
	want := settlement.State{Settled: true, Block: 20, Root: felt.FromUint64(102), BlockHash: felt.FromUint64(104)}
	if got := must(core.State(ctx, false))(t); got != want {
		t.Errorf("state %+v, want %+v", got, want)
	}
	if got := must(core.State(ctx, true))(t); got == want {
		t.Error("an update is final at once")
	}
	// The same again, as a crash would send it, reverts and says why.
	again := b.send(t, w, p)
	if again.Success || again.Revert == nil || again.Revert.Code != "INVALID_PREV_BLOCK_NUMBER" {
		t.Errorf("the repeated update: %+v, %v", again, again.Revert)
	}
	b.Mine(100)
	if got := must(core.State(ctx, true))(t); got != want {
		t.Errorf("finalized state %+v, want %+v", got, want)
	}
	if h := must(w.Head(ctx))(t); h.Finalized == 0 || h.Finalized > h.Number {
		t.Errorf("head %d, finalized %d", h.Number, h.Finalized)
	}
}

// TestCore_SimulateCatches are the faults that only the chain knows of; the others are refused by Encode.
func TestCore_SimulateCatches(t *testing.T) {
	t.Parallel()
	u, s, c := made(t, 1)
	o, _, err := output.Parse(u.ProgramOutput)
	if err != nil {
		t.Fatal(err)
	}
	o.Messages.ToL2 = []block.MessageToL2{
		{From: felt.FromUint64(1), To: felt.FromUint64(2), Selector: felt.FromUint64(3)}}
	u.ProgramOutput = o.Words()
	b := setup(t, setupFor(s, c))
	registry := &devethereum.Sender{Client: b.sender.Client, Key: devethereum.Keys[registrar], Mine: b.sender.Mine}
	if err := registry.RegisterFact(t.Context(), b.at.Registry, fact(u, c)); err != nil {
		t.Fatal(err)
	}
	w := b.wallet(t, operator, ethereum.SidecarAuto)
	p := must(b.core(t, w).Encode(t.Context(), u, s, c))(t)
	var revert *tx.RevertError
	if _, err := w.Simulate(t.Context(), p); !errors.As(err, &revert) || revert.Code != "INVALID_MESSAGE_TO_CONSUME" {
		t.Errorf("Simulate of an unknown message: %v", err)
	}
}

// TestCore_AgreesWithContract sends every fault past our checks: the contract refuses each of them too, most with the
// same word. Where it differs the contract finds another fault of the same update first.
func TestCore_AgreesWithContract(t *testing.T) {
	t.Parallel()
	_, s, c := made(t, 2)
	b := setup(t, setupFor(s, c))
	w := b.wallet(t, operator, ethereum.SidecarAuto)
	same := 0
	for _, f := range faults() {
		u, st, cfg := made(t, 2)
		f.change(&u, &st, &cfg)
		data, blobs, ok := unchecked(t, u)
		if st != s || cfg != c || !ok {
			continue // the fault is not in the transaction
		}
		_, err := w.Simulate(t.Context(), tx.Payload{To: b.at.Core.Hex(), Data: data, Blobs: blobs})
		var revert *tx.RevertError
		if !errors.As(err, &revert) {
			t.Errorf("%s: the contract says %v", f.name, err)
			continue
		}
		if revert.Code == f.code {
			same++
		}
	}
	if same < 12 {
		t.Errorf("the contract uses our word for %d faults, want 12 at least", same)
	}
}

// unchecked encodes updateStateKzgDA with the proofs of the update as it was made and whatever words it has now.
func unchecked(t *testing.T, u settlement.Update) (data []byte, blobs [][]byte, ok bool) {
	t.Helper()
	good, s, c := made(t, 2)
	if len(u.Blobs) != 2 ||
		slices.ContainsFunc(u.Blobs, func(b []byte) bool { return len(b) != blob.Size || b[0] == 0xff }) {
		return nil, nil, false
	}
	whole := must(ethereum.Calldata(good, s, c))(t)
	words := len(good.ProgramOutput)
	proofs := whole[4+32*(3+words):]
	n := felt.FromUint64(uint64(len(u.ProgramOutput)))
	data = append(data, whole[:4]...)
	data = append(data,
		felt.Concat([]felt.Felt{felt.FromUint64(64), felt.FromUint64(uint64(96 + 32*len(u.ProgramOutput))), n})...)
	return append(append(data, felt.Concat(u.ProgramOutput)...), proofs...), u.Blobs, true
}

func TestCore_Unsettled(t *testing.T) {
	t.Parallel()
	b := setup(t, devethereum.Setup{ProgramHash: felt.FromUint64(1), Root: felt.FromUint64(7)})
	core := b.core(t, b.wallet(t, registrar, ethereum.SidecarAuto))
	if s := must(core.State(t.Context(), false))(t); s.Settled || s.Next() != 0 || s.Root != felt.FromUint64(7) {
		t.Errorf("state %+v", s)
	}
	if s := must(core.State(t.Context(), true))(t); s.Settled {
		t.Errorf("finalized state %+v", s)
	}
	if c := must(core.Config(t.Context()))(t); c.Operator {
		t.Error("the registrar counts as operator")
	}
	if c := must(b.core(t, nil).Config(t.Context()))(t); c.Operator || c.ProgramHash != felt.FromUint64(1) {
		t.Errorf("config without a wallet %+v", c)
	}
	for _, at := range []string{sink, b.at.Registry.Hex()} {
		other := must(ethereum.NewCore(b.node, at, nil))(t)
		if _, err := other.State(t.Context(), false); err == nil ||
			at == sink && !errors.Is(err, settlement.ErrNotConfigured) {
			t.Errorf("State of %s: %v", at, err)
		}
		if _, err := other.Config(t.Context()); err == nil ||
			at == sink && !errors.Is(err, settlement.ErrNotConfigured) {
			t.Errorf("Config of %s: %v", at, err)
		}
	}
	if _, err := ethereum.NewCore(b.node, "0x12", nil); err == nil {
		t.Error("an address of one byte was taken")
	}
}

func TestNode_WrongChain(t *testing.T) {
	t.Parallel()
	b := setup(t, devethereum.Setup{})
	other := must(ethereum.Dial(b.URL(), "1"))(t)
	t.Cleanup(other.Close)
	w := ethereum.NewWallet(other, must(ethereum.NewKeySigner(devethereum.Keys[operator]))(t), ethereum.SidecarAuto)
	_, head := w.Head(t.Context())
	_, sign := w.Sign(t.Context(), tx.Payload{To: sink}, 0, tx.Fees{})
	_, state := b.coreAt(t, other).State(t.Context(), false)
	for name, err := range map[string]error{"Ping": other.Ping(t.Context()), "Head": head,
		"Sign": sign, "State": state} {
		if !errors.Is(err, ethereum.ErrWrongChain) {
			t.Errorf("%s on another chain: %v", name, err)
		}
	}
	if err := b.node.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

func (b *bench) coreAt(t *testing.T, n *ethereum.Node) *ethereum.Core {
	t.Helper()
	return must(ethereum.NewCore(n, b.at.Core.Hex(), nil))(t)
}

func TestDA_Publishes(t *testing.T) {
	t.Parallel()
	b := setup(t, devethereum.Setup{})
	w := b.wallet(t, operator, ethereum.SidecarV1)
	layer := must(ethereum.NewDA(sink, 2))(t)
	words := segment(2)
	p, c, err := layer.Encode(t.Context(), da.Data{Batch: 1, Words: words})
	if err != nil || len(p.Blobs) != 2 || len(c.VersionedHashes) != 2 || c.Size != uint64(len(words)) ||
		c.Hash != hash.PoseidonMany(words) {
		t.Fatalf("Encode: %d blobs, %+v, %v", len(p.Blobs), c, err)
	}
	if s := b.send(t, w, p); !s.Success || s.DataGasUsed != 2*tx.BlobGas {
		t.Errorf("status %+v", s)
	}
	head := must(b.sender.Client.BlockByNumber(t.Context(), nil))(t)
	for i, h := range head.Transactions()[0].BlobHashes() {
		if h != common.HexToHash(c.VersionedHashes[i]) {
			t.Errorf("blob %d on chain is %s, the commitment says %s", i, h, c.VersionedHashes[i])
		}
	}
	if _, _, err := layer.Encode(t.Context(), da.Data{Words: segment(3)}); !errors.Is(err, da.ErrTooLarge) {
		t.Errorf("Encode of 3 blobs where 2 fit: %v", err)
	}
	if _, _, err := layer.Encode(t.Context(),
		da.Data{Words: make([]felt.Felt, (blob.MaxBlobs+1)*blob.Words)}); !errors.Is(err, da.ErrTooLarge) {
		t.Errorf("Encode of too many words: %v", err)
	}
	if _, _, err := layer.Encode(t.Context(), da.Data{}); err == nil {
		t.Error("nothing was encoded")
	}
	if layer.Name() != "ethereum" {
		t.Errorf("name %q", layer.Name())
	}
}

func TestDA_Conformance(t *testing.T) {
	t.Parallel()
	datest.TestLayer(t, func(t *testing.T) datest.Harness {
		return datest.Harness{Layer: must(ethereum.NewDA(sink, 1))(t), Most: blob.Words}
	})
}

func TestCore_Conformance(t *testing.T) {
	t.Parallel()
	settlementtest.TestContract(t, func(t *testing.T) settlementtest.Harness {
		u, s, c := made(t, 1)
		b := setup(t, setupFor(s, c))
		registry := &devethereum.Sender{Client: b.sender.Client, Key: devethereum.Keys[registrar], Mine: b.sender.Mine}
		if err := registry.RegisterFact(t.Context(), b.at.Registry, fact(u, c)); err != nil {
			t.Fatal(err)
		}
		w := b.wallet(t, operator, ethereum.SidecarAuto)
		return settlementtest.Harness{
			Contract: b.core(t, w), Before: s, Update: u,
			After: settlement.State{Settled: true, Block: 20, Root: felt.FromUint64(102),
				BlockHash: felt.FromUint64(104)},
			Simulate: func(t *testing.T, p tx.Payload, before ...tx.Signed) error {
				_, err := w.Simulate(t.Context(), p, before...)
				return err
			},
			Sign:     func(t *testing.T, p tx.Payload) tx.Signed { return b.sign(t, w, p) },
			Send:     func(t *testing.T, p tx.Payload) bool { return b.send(t, w, p).Success },
			Finalize: func() { b.Mine(100) },
		}
	})
}
