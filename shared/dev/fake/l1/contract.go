package l1

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
)

// Words of a state update's program output (Starknet core contract).
const (
	wordPrevRoot = iota
	wordNewRoot
	wordPrevBlock
	wordNewBlock
	wordPrevHash
	wordNewHash
	wordOSProgram
	wordConfig
	wordKZG
	wordFullOutput
	wordPoint
	wordBlobs
	headerWords = wordPoint
)

// Gas that the contract and a transfer use. The figures are made up, except transferGas and byteGas (Ethereum's).
const (
	transferGas = 21_000
	byteGas     = 16
	updateGas   = 150_000
)

// State implements settlement.Contract.
func (s *Chain) State(ctx context.Context, finalized bool) (settlement.State, error) {
	return s.state(ctx, s.all(), finalized)
}

func (s *Chain) state(ctx context.Context, v sight, finalized bool) (settlement.State, error) {
	return fault.Call(ctx, s.env, "l1", "State", "", func(f fault.Fault) (settlement.State, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.catchUp()
		return s.core(finalized, v.struck(f).behind), nil
	})
}

// Config implements settlement.Contract.
func (s *Chain) Config(ctx context.Context) (settlement.Config, error) {
	return fault.Call(ctx, s.env, "l1", "Config", "", func(fault.Fault) (settlement.Config, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.cfg.Core, nil
	})
}

// Reconfigure is the contract's owner, who sets other hashes; the operators stay. It is final at once, which is simpler
// than a chain, where a reorganisation may undo it.
func (s *Chain) Reconfigure(c settlement.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Operator = s.cfg.Core.Operator
	s.cfg.Core = c
}

// Encode implements settlement.Contract. It makes no call, so it has no faults.
func (s *Chain) Encode(_ context.Context, u settlement.Update, st settlement.State,
	c settlement.Config) (tx.Payload, error) {
	if code, detail := refusal(u, len(u.Blobs), st, c); code != "" {
		return tx.Payload{}, &settlement.InvalidError{Refusal: meaning(code), Code: code, Detail: detail}
	}
	blobs := make([][]byte, len(u.Blobs))
	for i, b := range u.Blobs {
		blobs[i] = slices.Clone(b)
	}
	data, err := json.Marshal(updateCall{Update: withoutBlobs(u), Blobs: len(blobs)})
	if err != nil {
		return tx.Payload{}, fmt.Errorf("encode update of batch %d: %w", u.Batch, err)
	}
	return tx.Payload{To: s.cfg.Contract, Data: data, Blobs: blobs}, nil
}

// updateCall is the contract's calldata, as JSON.
type updateCall struct {
	Update settlement.Update // without its blobs
	Blobs  int
}

func withoutBlobs(u settlement.Update) settlement.Update {
	u.Blobs = nil
	return u
}

// refusal is the code of the first check of the contract that an update does not pass; "" if it passes all.
func refusal(u settlement.Update, blobs int, st settlement.State, c settlement.Config) (code, detail string) {
	w := u.ProgramOutput
	if !c.Operator {
		return "ONLY_OPERATOR", "the wallet may not update the state"
	}
	if len(w) < headerWords {
		return "STARKNET_OUTPUT_TOO_SHORT", fmt.Sprintf("%d words, at least %d", len(w), headerWords)
	}
	prev := felt.MinusOne()
	if u.StartBlock > 0 {
		prev = felt.FromUint64(u.StartBlock - 1)
	}
	if w[wordPrevBlock] != prev || w[wordNewBlock] != felt.FromUint64(u.EndBlock) || u.EndBlock < u.StartBlock {
		return "INVALID_BLOCK_NUMBER", fmt.Sprintf("output goes from %s to %s, the update is of blocks %d to %d",
			w[wordPrevBlock], w[wordNewBlock], u.StartBlock, u.EndBlock)
	}
	if st.Next() != u.StartBlock {
		return "INVALID_PREV_BLOCK_NUMBER", fmt.Sprintf("the contract waits for block %d, the update starts at %d",
			st.Next(), u.StartBlock)
	}
	if w[wordKZG] == felt.FromUint64(1) && (len(w) <= wordBlobs || w[wordBlobs] != felt.FromUint64(uint64(blobs))) {
		return "INVALID_NUMBER_OF_KZG_PROOFS", fmt.Sprintf("%d blobs, the output has another number", blobs)
	}
	if !c.ConfigHash.IsZero() && w[wordConfig] != c.ConfigHash {
		return "INVALID_CONFIG_HASH", fmt.Sprintf("%s, the contract has %s", w[wordConfig], c.ConfigHash)
	}
	if !w[wordOSProgram].IsZero() && !c.ProgramHash.IsZero() && w[wordOSProgram] != c.ProgramHash {
		return "AGGREGATOR_MODE_INVALID_OS_PROGRAM_HASH", fmt.Sprintf("%s, the contract has %s",
			w[wordOSProgram], c.ProgramHash)
	}
	if st.Settled && w[wordPrevHash] != st.BlockHash {
		return "INVALID_PREV_BLOCK_HASH", fmt.Sprintf("%s, the contract has %s", w[wordPrevHash], st.BlockHash)
	}
	if st.Settled && w[wordPrevRoot] != st.Root {
		return "INVALID_PREVIOUS_ROOT", fmt.Sprintf("%s, the contract has %s", w[wordPrevRoot], st.Root)
	}
	return "", ""
}

// meaning says what a refusal means for another try (Starknet.sol: the block number is compared first, so hash and root
// differ only where another history is settled; a fact may be registered later; the owner may set config and program
// hash).
func meaning(code string) tx.Refusal {
	switch code {
	case "INVALID_PREV_BLOCK_NUMBER":
		return tx.NotYet
	case "NO_STATE_TRANSITION_PROOF":
		return tx.Unproven
	case "INVALID_CONFIG_HASH", "AGGREGATOR_MODE_INVALID_OS_PROGRAM_HASH":
		return tx.Unconfigured
	}
	return tx.Permanent
}

// execute runs a call in a state, in a block. It returns the gas that the call uses and the state after it.
func (s *Chain) execute(st settlement.State, p tx.Payload, block uint64) (uint64, settlement.State, *tx.RevertError) {
	gas := uint64(transferGas + byteGas*len(p.Data))
	if p.To != s.cfg.Contract {
		return gas, st, nil // a transfer with data always succeeds
	}
	c, err := decodeUpdate(p.Data)
	if err != nil {
		return gas, st, &tx.RevertError{Detail: "the contract does not know the call: " + err.Error()}
	}
	gas += updateGas
	u := c.Update
	code, detail := refusal(u, c.Blobs, st, s.cfg.Core)
	w := u.ProgramOutput
	switch {
	case code != "":
	case !st.Settled && w[wordPrevRoot] != st.Root:
		code, detail = "INVALID_PREVIOUS_ROOT", fmt.Sprintf("%s, the contract has %s", w[wordPrevRoot], st.Root)
	case s.cfg.Facts && !s.proven(u.Batch, block):
		code, detail = "NO_STATE_TRANSITION_PROOF", fmt.Sprintf("the fact of batch %d is not registered", u.Batch)
	default:
		return gas, settlement.State{Settled: true, Block: u.EndBlock, Root: w[wordNewRoot],
			BlockHash: w[wordNewHash]}, nil
	}
	return gas, st, &tx.RevertError{Refusal: meaning(code), Code: code, Detail: detail}
}

func decodeUpdate(data []byte) (updateCall, error) {
	var c updateCall
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("decode update: %w", err)
	}
	return c, nil
}

// Settled is a state update that the contract accepted.
type Settled struct {
	Update settlement.Update // without its blobs
	Blobs  int
	Hash   string // of the transaction
	Block  uint64 // of the settlement chain
}

// History returns the updates that the canonical chain holds, in order.
func (s *Chain) History() []Settled {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Settled
	for _, b := range s.blocks {
		for _, r := range b.results {
			if r.revert != nil || r.tx.To != s.cfg.Contract {
				continue
			}
			if r.tx.update == nil {
				c, err := decodeUpdate(r.tx.Data)
				if err != nil {
					continue
				}
				r.tx.update = &c
			}
			out = append(out,
				Settled{Update: r.tx.update.Update, Blobs: r.tx.update.Blobs, Hash: r.tx.hash, Block: b.number})
		}
	}
	return out
}

// CheckHistory returns an error unless every batch was settled at most once, in ascending order, without a gap between
// blocks.
func (s *Chain) CheckHistory() error {
	next, batch := s.cfg.Initial.Next(), uint64(0)
	for i, h := range s.History() {
		u := h.Update
		if u.StartBlock != next {
			return fmt.Errorf("update %d (batch %d, transaction %s) starts at block %d, want %d",
				i, u.Batch, h.Hash, u.StartBlock, next)
		}
		if i > 0 && u.Batch != batch+1 {
			return fmt.Errorf("update %d (transaction %s) is batch %d after batch %d", i, h.Hash, u.Batch, batch)
		}
		next, batch = u.EndBlock+1, u.Batch
	}
	return nil
}

// ProgramOutput is the program output of a state update over the blocks first to last, with the given number of blobs
// and without messages, as a fake runner or prover returns it. Commitments and evaluations are 0.
func ProgramOutput(first, last blocks.Block, blobs int) []felt.Felt {
	prev := felt.MinusOne()
	if n := first.Header.Number; n > 0 {
		prev = felt.FromUint64(n - 1)
	}
	w := []felt.Felt{
		wordPrevRoot: first.Update.OldRoot, wordNewRoot: last.Header.NewRoot,
		wordPrevBlock: prev, wordNewBlock: felt.FromUint64(last.Header.Number),
		wordPrevHash: first.Header.ParentHash, wordNewHash: last.Header.Hash,
		wordFullOutput: felt.Zero,
	}
	if blobs > 0 {
		w[wordKZG] = felt.FromUint64(1)
		w = append(w, felt.Zero, felt.FromUint64(uint64(blobs)))
		w = append(w, make([]felt.Felt, 4*blobs)...)
	}
	return append(w, felt.Zero, felt.Zero)
}
