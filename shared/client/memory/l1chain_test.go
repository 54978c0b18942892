package memory_test

import (
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx/txtest"
)

func TestL1_Conformance(t *testing.T) {
	t.Parallel()
	txtest.TestChain(t, txtest.Harness{New: func(*testing.T) txtest.Service {
		l := memory.NewL1(nil, memory.L1Config{Balance: gwei(500_000_000)})
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
