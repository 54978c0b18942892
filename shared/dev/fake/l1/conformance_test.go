package l1_test

import (
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/da/datest"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement/settlementtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx/txtest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
)

func TestChain_Conformance(t *testing.T) {
	t.Parallel()
	txtest.TestChain(t, txtest.Harness{New: func(*testing.T) txtest.Service {
		l := l1.New(nil, l1.Config{Balance: gwei(500_000_000)})
		return txtest.Service{
			Chain: l, To: "0xda", Refused: tx.Payload{To: "0xc04e", Data: []byte("?")}, Blobs: true,
			Mine: func(n int) {
				for range n {
					l.Mine()
				}
			},
		}
	}})
}

func TestDA_Conformance(t *testing.T) {
	t.Parallel()
	datest.TestLayer(t, func(*testing.T) datest.Harness {
		return datest.Harness{Layer: l1.New(nil, l1.Config{MaxDAWords: 50}).DA(), Most: 50}
	})
}

func TestArchive_Conformance(t *testing.T) {
	t.Parallel()
	datest.TestArchive(t, func(t *testing.T) datest.ArchiveHarness {
		l := l1.New(nil, l1.Config{})
		nonce := uint64(0)
		publish := func(p tx.Payload) da.Sent {
			fees := tx.Fees{Gas: 1_000_000, GasPrice: gwei(10), Tip: gwei(1)}
			signed, err := l.Sign(t.Context(), p, nonce, fees)
			if err == nil {
				err = l.Broadcast(t.Context(), signed, p)
			}
			if err != nil {
				t.Fatal(err)
			}
			nonce++
			l.Mine()
			return da.Sent{Hash: signed.Hash, Payload: p}
		}
		h := datest.ArchiveHarness{Archive: l.DA(), Publish: publish}
		for i := range h.Payloads {
			var err error
			words := []felt.Felt{felt.FromUint64(uint64(i + 1)), felt.FromUint64(7)}
			if h.Payloads[i], _, err = l.DA().Encode(t.Context(), da.Data{Words: words}); err != nil {
				t.Fatal(err)
			}
		}
		return h
	})
}

func TestContract_Conformance(t *testing.T) {
	t.Parallel()
	settlementtest.TestContract(t, func(t *testing.T) settlementtest.Harness {
		blocks := chain(t, 10)
		held := func(h block.Header) settlement.State {
			return settlement.State{Settled: true, Block: h.Number, Root: h.NewRoot, BlockHash: h.Hash}
		}
		l := l1.New(nil, l1.Config{Initial: held(blocks[4].Header)})
		return settlementtest.Harness{
			Contract: l, Before: must(l.State(t.Context(), false))(t), Update: update(1, blocks[5:], 2),
			After: held(blocks[9].Header),
			Simulate: func(t *testing.T, p tx.Payload, before ...tx.Signed) error {
				_, err := l.Simulate(t.Context(), p, before...)
				return err
			},
			Sign: func(t *testing.T, p tx.Payload) tx.Signed {
				return must(l.Sign(t.Context(), p, must(l.Account(t.Context(), 0))(t).Latest, fees(4, 2)))(t)
			},
			Send: func(t *testing.T, p tx.Payload) bool {
				hash, err := put(t, l, p, must(l.Account(t.Context(), 0))(t).Latest, fees(4, 2))
				if err != nil {
					t.Fatal(err)
				}
				l.Mine()
				return phase(t, l, hash, tx.Included).Success
			},
			Finalize: func() { l.Finalize(l.MineEmpty(1)) },
		}
	})
}
