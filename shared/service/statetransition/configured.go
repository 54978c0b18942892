package statetransition

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/service/cutover"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// Where a state update's words have these, counted from 0 (protocol: program output).
const (
	programAt = 6 // of the OS, as the aggregator says it; 0 without an aggregator
	configAt  = 7
	kzgAt     = 8
)

// contractWait is when a job looks again whose contract must be changed by its owner.
const contractWait = time.Minute

// configured compares the config hashes of output and contract with the one that the chain's settings have at the
// batch's Starknet version, and the contract's programs with those that are known. An output with another config hash
// can't be settled. A contract with other values can: its owner changes it, and the job goes on.
func (h *Handler) configured(starknet string, words []felt.Felt, c settlement.Config) error {
	if h.Needs == nil || starknet == "" || len(words) <= configAt {
		return nil
	}
	needs, err := h.Needs(starknet)
	if err != nil {
		return job.Permanent(fmt.Errorf("config hash at Starknet %s: %w", starknet, err))
	}
	if want := needs.ConfigHash; words[configAt] != want {
		return job.Permanent(&settlement.InvalidError{Code: "INVALID_CONFIG_HASH",
			Detail: fmt.Sprintf("the program output has %s, the settings have %s at "+
				"Starknet %s: let CHAIN_ID, CHAIN_FEE_TOKEN_ADDRESS and CHAIN_DA_PUBLIC_KEYS be what the chain and "+
				"the "+
				"prover are set up with",
				words[configAt], want, starknet)})
	}
	if needs.ProgramHash.IsZero() {
		needs.ProgramHash = words[programAt]
	}
	if changes := c.Changes(needs); len(changes) > 0 {
		return await(starknet,
			fmt.Sprintf("The core contract does not have what batches of Starknet %s need: its owner must set %s.",
				starknet, settlement.Describe(changes)))
	}
	return nil
}

// await waits for the contract's owner.
func await(starknet, what string) error {
	return executor.Await(cutover.Waiting(starknet, what), contractWait, errors.New(what))
}

// otherProgram looks at a fact that the contract does not find: if it was made with another program than the contract
// asks for, the contract's owner has to set that, and making the fact again would not help.
func (h *Handler) otherProgram(ctx context.Context, r *executor.Run) error {
	m, err := executor.Meta[*job.StateTransitionMeta](r)
	if err != nil || h.Codec.Fact == nil {
		return err
	}
	j, err := h.Jobs.Find(ctx, job.Aggregator, r.Job.Batch)
	if errors.Is(err, job.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the Aggregator job of batch %d: %w", r.Job.Batch, err)
	}
	made, ok := j.Metadata.(*job.AggregatorMeta)
	if !ok || made.Fact == "" {
		return nil // the prover aggregates, and does not say the fact
	}
	words, err := h.words(ctx, m)
	if err != nil || len(words) <= kzgAt || words[kzgAt] != felt.FromUint64(1) { // of the others the fact has pages
		return err
	}
	c, err := h.Contract.Config(ctx)
	if err != nil {
		return fmt.Errorf("read the core contract's configuration: %w", err)
	}
	program, name := c.ProgramHash, "program hash"
	if !words[programAt].IsZero() {
		program, name = c.AggregatorProgramHash, "aggregator program hash"
	}
	if asked := h.Codec.Fact(program, words); !strings.EqualFold(asked, made.Fact) {
		return await(m.StarknetVersion,
			fmt.Sprintf("The batch was proven with another program than the core contract has: with its %s %s "+
				"the fact is %s, the prover's is %s. Its owner must set the %s to that of the program that runs for "+
				"Starknet %s.",
				name, program, asked, made.Fact, name, m.StarknetVersion))
	}
	return nil
}
