package starknet_test

import (
	"math/big"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx/txtest"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// must unwraps a result whose error ends the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Accounts of the fake: one settles, one registers facts, one has no rights.
var (
	operator   = felt.MustHex("0xacc0001")
	registrar  = felt.MustHex("0xacc0002")
	thirdParty = felt.MustHex("0xacc0003")
)

// made is an update of blocks 10 to 20 that leads from made's state to a new one.
func made() (u settlement.Update, s settlement.State, c settlement.Config) {
	f := felt.FromUint64
	s = settlement.State{Settled: true, Block: 9, Root: f(101), BlockHash: f(103)}
	c = settlement.Config{ProgramHash: f(201), ConfigHash: f(202), BootloaderHash: f(203),
		LayoutBridgeHash: f(204), Operator: true}
	u = settlement.Update{Batch: 3, StartBlock: 10, EndBlock: 20, DataHash: f(7),
		DataSize: 3, ProgramOutput: output.Output{
			PrevRoot: f(101), NewRoot: f(102), PrevBlock: f(9), NewBlock: f(20), PrevHash: f(103),
			NewHash: f(104), ConfigHash: f(202),
			Messages: block.Messages{ToL2: []block.MessageToL2{message},
				ToL1: []block.MessageToL1{{From: f(1), To: f(2), Payload: []felt.Felt{f(3)}}}},
			Data: []felt.Felt{f(1), f(2), f(3)},
		}.Words()}
	return u, s, c
}

var message = block.MessageToL2{From: felt.FromUint64(11), To: felt.FromUint64(12), Nonce: felt.FromUint64(13),
	Selector: felt.FromUint64(14), Payload: []felt.Felt{felt.FromUint64(15)}}

// after is the state that made's update leads to.
var after = settlement.State{Settled: true, Block: 20, Root: felt.FromUint64(102), BlockHash: felt.FromUint64(104)}

// bench is a fake of Starknet with a funded account.
type bench struct {
	*fakestarknet.Server
	node *starknet.Node
	keys map[felt.Felt]*starknet.KeySigner
}

// setup starts a fake whose core contract takes made's update once its fact is registered.
func setup(t *testing.T, change ...func(*fakestarknet.Options)) *bench {
	t.Helper()
	_, s, c := made()
	b := &bench{keys: map[felt.Felt]*starknet.KeySigner{}}
	o := fakestarknet.Options{Registrar: registrar, Core: fakestarknet.Core{
		Owner: felt.MustHex("0x0a11ce"), Operators: []felt.Felt{operator}, Settled: s.Settled, Block: s.Block,
		Root: s.Root, BlockHash: s.BlockHash,
		Bootloader: c.BootloaderHash, Config: c.ConfigHash, Snos: c.ProgramHash, LayoutBridge: c.LayoutBridgeHash,
		Messages: []block.MessageToL2{message},
	}}
	for _, a := range []felt.Felt{operator, registrar, thirdParty} {
		b.keys[a] = must(starknet.NewKeySigner(must(starknet.NewKey())(t)))(t)
		o.Accounts = append(o.Accounts, fakestarknet.Account{Address: a, PublicKey: b.keys[a].PublicKey(),
			Balance: new(big.Int).Mul(big.NewInt(100), big.NewInt(1e18))})
	}
	for _, f := range change {
		f(&o)
	}
	b.Server = must(fakestarknet.Start(o))(t)
	t.Cleanup(func() { _ = b.Close() })
	b.node = must(starknet.Dial(b.URL(), b.ChainID()))(t)
	return b
}

func (b *bench) wallet(t *testing.T, account felt.Felt) *starknet.Wallet {
	t.Helper()
	return must(starknet.NewWallet(b.node, b.keys[account], account.String(), starknet.STRK))(t)
}

func (b *bench) core(t *testing.T, account felt.Felt) *starknet.Core {
	t.Helper()
	return must(starknet.NewCore(b.node, fakestarknet.CoreAddress.String(), b.wallet(t, account)))(t)
}

// take is a call of the sink that goes well.
func take(text string) tx.Payload {
	word, err := felt.FromShortString(text[:min(len(text), 31)])
	if err != nil {
		panic(err)
	}
	return tx.Payload{To: fakestarknet.SinkAddress.String(), Entrypoint: "take", Data: felt.Concat([]felt.Felt{word})}
}

var refused = tx.Payload{To: fakestarknet.SinkAddress.String(), Entrypoint: "fail"}

// prepare signs a payload as the lifecycle would.
func (b *bench) prepare(t *testing.T, w *starknet.Wallet, p tx.Payload) tx.Signed {
	t.Helper()
	ctx := t.Context()
	h, a := must(w.Head(ctx))(t), must(w.Account(ctx, 0))(t)
	d := tx.Decide(tx.Journal{}, tx.View{Head: h, Account: a, Gas: 100_000_000, DataGas: 2_000}, tx.StarknetPolicy())
	if d.Step != tx.Sign {
		t.Fatalf("decision %+v", d)
	}
	return must(w.Sign(ctx, p, d.Nonce, d.Fees))(t)
}

// send has a payload included in a block.
func (b *bench) send(t *testing.T, w *starknet.Wallet, p tx.Payload) tx.Status {
	t.Helper()
	signed := b.prepare(t, w, p)
	if err := w.Broadcast(t.Context(), signed, p); err != nil {
		t.Fatal(err)
	}
	b.Mine(1)
	s := must(w.Lookup(t.Context(), signed.Hash))(t)
	if s.Phase != tx.Included {
		t.Fatalf("transaction is %s", s.Phase)
	}
	return s
}

func TestWallet_Conformance(t *testing.T) {
	t.Parallel()
	txtest.TestChain(t, txtest.Harness{New: func(t *testing.T) txtest.Service {
		b := setup(t)
		return txtest.Service{Chain: b.wallet(t, thirdParty), Payload: take, Refused: refused,
			Gas: 3_000_000, DataGas: 1_000, Mine: b.Mine}
	}})
}
