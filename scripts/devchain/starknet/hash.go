package devstarknet

import (
	"github.com/NethermindEth/juno/core/crypto"
	junofelt "github.com/NethermindEth/juno/core/felt"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

func toJuno(f felt.Felt) *junofelt.Felt { return new(junofelt.Felt).SetBytes(f[:]) }

func pedersen(a, b felt.Felt) felt.Felt {
	h := crypto.Pedersen(toJuno(a), toJuno(b))
	return felt.Felt(h.Bytes())
}

func poseidon(a, b felt.Felt) felt.Felt {
	h := crypto.Poseidon(toJuno(a), toJuno(b))
	return felt.Felt(h.Bytes())
}

func poseidonMany(fs ...felt.Felt) felt.Felt {
	in := make([]*junofelt.Felt, len(fs))
	for i, f := range fs {
		in[i] = toJuno(f)
	}
	h := crypto.PoseidonArray(in...)
	return felt.Felt(h.Bytes())
}
