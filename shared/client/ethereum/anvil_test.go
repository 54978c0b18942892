package ethereum_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx/txtest"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// anvilChain is the chain id of an anvil with its defaults.
const anvilChain = "31337"

// setupAnvil starts an anvil under a fork's rules and deploys the contracts on it; mine makes n blocks.
func setupAnvil(t *testing.T, fork string, s devethereum.Setup) (*bench, func(n int)) {
	t.Helper()
	url := tools.Anvil(t, "--no-mining", "--hardfork", fork)
	client := must(rpc.DialContext(t.Context(), url))(t)
	t.Cleanup(client.Close)
	mine := func(n int) {
		if err := client.CallContext(context.WithoutCancel(t.Context()), nil, "anvil_mine",
			hexutil.Uint64(n)); err != nil {
			t.Errorf("mine: %v", err)
		}
	}
	return deploy(t, nil, url, anvilChain, func() { mine(1) }, s), mine
}

func TestWallet_ConformanceOnAnvil(t *testing.T) {
	t.Parallel()
	txtest.TestChain(t, txtest.Harness{New: func(t *testing.T) txtest.Service {
		b, mine := setupAnvil(t, "osaka", devethereum.Setup{ProgramHash: felt.FromUint64(1)})
		return txtest.Service{Chain: b.funded(t), To: sink, Refused: b.refused(t), Blobs: true, Lax: true, Mine: mine}
	}})
}

// TestCore_SettlesOnAnvil settles before and after Osaka, with the form of sidecar left to the wallet.
func TestCore_SettlesOnAnvil(t *testing.T) {
	t.Parallel()
	for _, fork := range []string{"cancun", "osaka"} {
		t.Run(fork, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			u, s, c := made(t, 2)
			b, mine := setupAnvil(t, fork, setupFor(s, c))
			w := b.wallet(t, operator, ethereum.SidecarAuto)
			core := b.core(t, w)
			cfg := must(core.Config(ctx))(t)
			p := must(core.Encode(ctx, u, must(core.State(ctx, false))(t), cfg))(t)
			var revert *tx.RevertError
			if _, err := w.Simulate(ctx, p); !errors.As(err, &revert) || revert.Code != "NO_STATE_TRANSITION_PROOF" {
				t.Errorf("Simulate before the fact is registered: %v", err)
			}
			registry := &devethereum.Sender{Client: b.sender.Client,
				Key: devethereum.Keys[registrar], Mine: b.sender.Mine}
			if err := registry.RegisterFact(ctx, b.at.Registry, fact(u, c)); err != nil {
				t.Fatal(err)
			}
			if st := b.sendAnd(t, w, p, mine); !st.Success || st.DataGasUsed != 2*tx.BlobGas {
				t.Fatalf("status %+v, %v", st, st.Revert)
			}
			want := settlement.State{Settled: true, Block: 20, Root: felt.FromUint64(102),
				BlockHash: felt.FromUint64(104)}
			if got := must(core.State(ctx, false))(t); got != want {
				t.Errorf("state %+v, want %+v", got, want)
			}
			again := b.sendAnd(t, w, p, mine)
			if again.Success || again.Revert == nil || again.Revert.Code != "INVALID_PREV_BLOCK_NUMBER" {
				t.Errorf("the repeated update: %+v, %v", again, again.Revert)
			}
			mine(100)
			if got := must(core.State(ctx, true))(t); got != want {
				t.Errorf("finalized state %+v, want %+v", got, want)
			}
		})
	}
}
