package statetransition

import (
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
)

// configAt is where a state update's words have the config hash, counted from 0 (protocol: program output).
const configAt = 7

// contractWait is when a job looks again whose contract must be changed by its owner.
const contractWait = time.Minute

// configured compares the config hashes of output and contract with the one that the chain's settings have at the batch's Starknet version.
// An output with another one can't be settled. A contract with another one can: its owner changes it, and the job goes on.
func (h *Handler) configured(starknet string, words []felt.Felt, c settlement.Config) error {
	if h.ConfigHash == nil || starknet == "" || len(words) <= configAt {
		return nil
	}
	want, err := h.ConfigHash(starknet)
	if err != nil {
		return job.Permanent(fmt.Errorf("config hash at Starknet %s: %w", starknet, err))
	}
	switch {
	case words[configAt] != want:
		return job.Permanent(&settlement.InvalidError{Code: "INVALID_CONFIG_HASH", Detail: fmt.Sprintf("the program output has %s, the settings have %s at "+
			"Starknet %s: let CHAIN_ID, CHAIN_FEE_TOKEN_ADDRESS and CHAIN_DA_PUBLIC_KEYS be what the chain and the prover are set up with",
			words[configAt], want, starknet)})
	case c.ConfigHash != want:
		return job.RetryAfter(contractWait, fmt.Errorf("the core contract has config hash %s, batches of Starknet %s need %s: its owner must set that on the "+
			"contract; the update waits for it", c.ConfigHash, starknet, want))
	}
	return nil
}
