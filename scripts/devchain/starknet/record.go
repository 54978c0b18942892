package devstarknet

import (
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

type recorded struct{}

func (r *recorded) nonce(address felt.Felt, n uint64) (any, *rpcFault) { return felt.Zero, nil }
func (r *recorded) storage(slot block.Slot, n uint64) (any, *rpcFault) { return felt.Zero, nil }
