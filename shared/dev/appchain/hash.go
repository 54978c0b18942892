package appchain

import (
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
)

func pedersen(a, b felt.Felt) felt.Felt { return hash.PedersenOften(a, b) }

func poseidon(a, b felt.Felt) felt.Felt { return hash.Poseidon(a, b) }

func poseidonMany(fs ...felt.Felt) felt.Felt { return hash.PoseidonMany(fs) }
