package ethereum_test

import (
	"bytes"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
)

// recorded are the two batches that settled on Sepolia.
func recorded(t *testing.T) map[string]settlement.Update {
	t.Helper()
	out := map[string]settlement.Update{}
	add := func(name, words string, base int, blobs ...[]byte) {
		var ws []felt.Felt
		for _, line := range strings.Fields(words) {
			n, ok := new(big.Int).SetString(strings.TrimPrefix(line, "0x"), base)
			if !ok {
				t.Fatalf("word %q", line)
			}
			ws = append(ws, must(felt.FromBig(n))(t))
		}
		var bs []blob.Blob
		for _, b := range blobs {
			bs = append(bs, must(blob.ReadHex(bytes.NewReader(b)))(t)...)
		}
		out[name], _ = updateOf(t, ws, bs)
	}
	archive := []string{"batch_8373665", "8373665.tar.gz"}
	add("8373665", string(starknettest.ReadTar(t, "program_output.txt", archive...)), 16,
		starknettest.ReadTar(t, "1.txt", archive...), starknettest.ReadTar(t, "2.txt", archive...))
	add("6806848", string(starknettest.Read(t, "settlement_6806848", "program_output.txt")), 10,
		starknettest.Read(t, "settlement_6806848", "blob.hex"))
	return out
}

// StarkWare's own core contract settles the recorded batches through our clients: what we read of it, encode and send
// is what it takes.
func TestStarknetSol(t *testing.T) {
	dir := os.Getenv("ORCHESTRATOR_STARKNET_SOL")
	if dir == "" {
		t.Skip("`make test-starknet-sol SOLIDITY=CHECKOUT` runs this: StarkWare's contract is in none of the package " +
			"registries")
	}
	code := devethereum.Dev()
	code.Core = must(devethereum.ReadArtifact(filepath.Join(dir, "Starknet.json")))(t)
	for name, u := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			o, _, err := output.Parse(u.ProgramOutput)
			if err != nil {
				t.Fatal(err)
			}
			url := tools.Anvil(t, "--no-mining", "--hardfork", "osaka", "--disable-code-size-limit")
			client := must(rpc.DialContext(ctx, url))(t)
			defer client.Close()
			mine := func(n int) {
				if err := client.CallContext(ctx, nil, "anvil_mine", hexutil.Uint64(n)); err != nil {
					t.Fatal(err)
				}
			}
			aggregator := felt.FromUint64(0xa66)
			prev, ok := o.PrevBlock.Uint64()
			if !ok {
				t.Fatal("the batch is the first")
			}
			b := deploy(t, nil, url, anvilChain, func() { mine(1) }, devethereum.Setup{
				ProgramHash: o.OSProgramHash, AggregatorProgramHash: aggregator, ConfigHash: o.ConfigHash,
				Settled: true, Block: prev, Root: o.PrevRoot, BlockHash: o.PrevHash,
			}, code)
			proxy := b.at.Core
			// Messages to L2 were sent by others: their hashes are put where the contract keeps them (fee + 1).
			slot := crypto.Keccak256([]byte("STARKNET_1.0_MSGING_L1TOL2_MAPPPING_V2"))
			for _, m := range o.Messages.ToL2 {
				words := append([]felt.Felt{m.From, m.To, m.Nonce, m.Selector, felt.FromUint64(uint64(len(m.Payload)))},
					m.Payload...)
				key := common.BytesToHash(crypto.Keccak256(crypto.Keccak256(felt.Concat(words)), slot))
				if err := client.CallContext(ctx, nil, "anvil_setStorageAt", proxy, key,
					common.BigToHash(big.NewInt(1))); err != nil {
					t.Fatal(err)
				}
			}
			registry := &devethereum.Sender{Client: b.sender.Client,
				Key: devethereum.Keys[registrar], Mine: b.sender.Mine}
			if err := registry.RegisterFact(ctx, b.at.Registry,
				fact(u, settlement.Config{AggregatorProgramHash: aggregator})); err != nil {
				t.Fatal(err)
			}

			w := b.wallet(t, 2, ethereum.SidecarAuto)
			core := b.core(t, w)
			state := must(core.State(ctx, false))(t)
			want := settlement.State{Settled: true, Block: prev, Root: o.PrevRoot, BlockHash: o.PrevHash}
			if state != want {
				t.Fatalf("state %+v, want %+v", state, want)
			}
			config := must(core.Config(ctx))(t)
			if want := (settlement.Config{ProgramHash: o.OSProgramHash, AggregatorProgramHash: aggregator,
				ConfigHash: o.ConfigHash, Operator: true}); config != want {
				t.Fatalf("config %+v, want %+v", config, want)
			}
			p := must(core.Encode(ctx, u, state, config))(t)
			status := b.sendAnd(t, w, p, mine)
			if !status.Success {
				t.Fatalf("%+v, %v", status, status.Revert)
			}
			if got, want := must(core.State(ctx, false))(t), (settlement.State{Settled: true, Block: u.EndBlock,
				Root: o.NewRoot, BlockHash: o.NewHash}); got != want {
				t.Errorf("state %+v, want %+v", got, want)
			}
			t.Logf("blocks %d to %d settled: gas %d, blob gas %d, %d messages to L1, %d from it", u.StartBlock,
				u.EndBlock, status.GasUsed, status.DataGasUsed, len(o.Messages.ToL1), len(o.Messages.ToL2))
			if again := b.sendAnd(t, w, p, mine); again.Success || again.Revert == nil ||
				again.Revert.Code != "INVALID_PREV_BLOCK_NUMBER" {
				t.Errorf("the repeated update: %+v, %v", again, again.Revert)
			}
		})
	}
}
