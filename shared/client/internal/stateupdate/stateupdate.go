// Package stateupdate has the checks of a state update that Starknet's core contract on Ethereum and piltover on
// Starknet make alike, so that a fault is found before a transaction pays for it.
package stateupdate

import (
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// Check is an update beside the contract's state and configuration.
type Check struct {
	Update settlement.Update
	State  settlement.State
	Config settlement.Config
	Name   string // what errors call the output, such as "program output"
	// Invalid makes a *settlement.InvalidError with the contract's own word.
	Invalid func(code, format string, args ...any) error
}

// Words checks the output's words before the messages: their number, that each is a felt, and the block numbers.
func (c Check) Words(w []felt.Felt) error {
	// Two words at least follow the header: z and the blobs' number, or the messages' sizes.
	if len(w) < output.HeaderWords+2 {
		return c.Invalid("STARKNET_OUTPUT_TOO_SHORT", "the %s has %d words, at least %d",
			c.Name, len(w), output.HeaderWords+2)
	}
	for i := range w {
		if _, err := felt.FromBytes(w[i][:]); err != nil {
			return c.Invalid("PROGRAM_OUTPUT_VALUE_OUT_OF_RANGE", "word %d: %v", i, err)
		}
	}
	return c.blocks(w[output.PrevBlockAt], w[output.NewBlockAt])
}

// blocks checks block numbers against the contract and the batch.
func (c Check) blocks(before, after felt.Felt) error {
	u := c.Update
	prev, have := felt.MinusOne(), felt.MinusOne()
	if u.StartBlock > 0 {
		prev = felt.FromUint64(u.StartBlock - 1)
	}
	if c.State.Settled {
		have = felt.FromUint64(c.State.Block)
	}
	switch {
	case before != have:
		return c.Invalid("INVALID_PREV_BLOCK_NUMBER", "the update starts after block %s, the contract is at %s",
			number(before), number(have))
	case before != prev || after != felt.FromUint64(u.EndBlock) || u.EndBlock < u.StartBlock:
		return c.Invalid("INVALID_BLOCK_NUMBER", "the %s is from after block %s to %s, the batch is %d to %d",
			c.Name, number(before), number(after), u.StartBlock, u.EndBlock)
	}
	return nil
}

// number writes a block number for people.
func number(f felt.Felt) string {
	if f == felt.MinusOne() {
		return "-1"
	}
	return f.Big().String()
}

// Settings checks the output's config hash.
func (c Check) Settings(o output.Output) error {
	if o.ConfigHash != c.Config.ConfigHash {
		return c.Invalid("INVALID_CONFIG_HASH", "the %s has %s, the contract %s",
			c.Name, o.ConfigHash, c.Config.ConfigHash)
	}
	return nil
}

// Start checks that the update starts from the block hash and root that the contract holds.
func (c Check) Start(o output.Output) error {
	switch {
	case o.PrevHash != c.State.BlockHash:
		return c.Invalid("INVALID_PREV_BLOCK_HASH", "the update starts from block hash %s, the contract holds %s",
			o.PrevHash, c.State.BlockHash)
	case o.PrevRoot != c.State.Root:
		return c.Invalid("INVALID_PREVIOUS_ROOT", "the update starts from root %s, the contract holds %s",
			o.PrevRoot, c.State.Root)
	}
	return nil
}
