package ethereum

import (
	"context"
	"fmt"
	"math/big"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// Encode implements settlement.Contract.
func (c *Core) Encode(_ context.Context, u settlement.Update, s settlement.State, cfg settlement.Config) (tx.Payload, error) {
	data, err := Calldata(u, s, cfg)
	if err != nil {
		return tx.Payload{}, err
	}
	return tx.Payload{To: c.contract.Hex(), Data: data, Blobs: u.Blobs}, nil
}

func invalid(code, format string, args ...any) error {
	return &settlement.InvalidError{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Calldata checks an update as the contract would, in its order, and returns the call: updateStateKzgDA in KZG mode, else
// updateState. A fault is a *settlement.InvalidError with the contract's own word.
func Calldata(u settlement.Update, s settlement.State, cfg settlement.Config) ([]byte, error) {
	if !cfg.Operator {
		return nil, invalid("ONLY_OPERATOR", "the wallet is no operator of the core contract")
	}
	o, rest, err := output.Parse(u.ProgramOutput)
	if err != nil {
		return nil, invalid("STARKNET_OUTPUT_TOO_SHORT", "%v", err)
	}
	if err := follows(o, u, s); err != nil {
		return nil, err
	}
	if o.Kzg == nil && len(u.Blobs) > 0 {
		return nil, invalid("UNEXPECTED_KZG_DA_FLAG", "the program output says no KZG, and there are %d blobs", len(u.Blobs))
	}
	if o.Kzg != nil && len(rest) > 0 {
		return nil, invalid("STARKNET_OUTPUT_TOO_LONG", "%d words follow the messages", len(rest))
	}
	var proofs [][]byte
	if o.Kzg != nil {
		if proofs, err = checkBlobs(o.Kzg, u); err != nil {
			return nil, err
		}
	}
	if err := fits(o, s, cfg); err != nil {
		return nil, err
	}
	words := bigs(u.ProgramOutput)
	var data []byte
	if o.Kzg != nil {
		data, err = coreABI.Pack("updateStateKzgDA", words, proofs)
	} else {
		data, err = coreABI.Pack("updateState", words, u.DataHash.Big(), new(big.Int).SetUint64(u.DataSize))
	}
	if err != nil {
		return nil, fmt.Errorf("encode the state update: %w", err)
	}
	return data, nil
}

// follows checks block numbers against the batch and the contract.
func follows(o output.Output, u settlement.Update, s settlement.State) error {
	prev := felt.MinusOne()
	if u.StartBlock > 0 {
		prev = felt.FromUint64(u.StartBlock - 1)
	}
	have := felt.MinusOne()
	if s.Settled {
		have = felt.FromUint64(s.Block)
	}
	switch {
	case o.PrevBlock != have:
		return invalid("INVALID_PREV_BLOCK_NUMBER", "the update starts after block %s, the contract is at %s", o.PrevBlock, have)
	case o.PrevBlock != prev || o.NewBlock != felt.FromUint64(u.EndBlock):
		return invalid("INVALID_BLOCK_NUMBER", "the program output is from after block %s to %s, the batch is %d to %d", o.PrevBlock, o.NewBlock, u.StartBlock, u.EndBlock)
	}
	return nil
}

// fits checks configuration, program, roots and hashes.
func fits(o output.Output, s settlement.State, cfg settlement.Config) error {
	switch {
	case o.ConfigHash != cfg.ConfigHash:
		return invalid("INVALID_CONFIG_HASH", "the program output has %s, the contract %s", o.ConfigHash, cfg.ConfigHash)
	case o.FullOutput:
		return invalid("FULL_OUTPUT_NOT_SUPPORTED", "the program output is a full one, which only the aggregator takes")
	case !o.OSProgramHash.IsZero() && o.OSProgramHash != cfg.ProgramHash:
		return invalid("AGGREGATOR_MODE_INVALID_OS_PROGRAM_HASH", "the aggregator ran over program %s, the contract takes %s", o.OSProgramHash, cfg.ProgramHash)
	case o.PrevHash != s.BlockHash:
		return invalid("INVALID_PREV_BLOCK_HASH", "the update starts from block hash %s, the contract holds %s", o.PrevHash, s.BlockHash)
	case o.PrevRoot != s.Root:
		return invalid("INVALID_PREVIOUS_ROOT", "the update starts from root %s, the contract holds %s", o.PrevRoot, s.Root)
	}
	return nil
}

// checkBlobs recomputes commitments, z and evaluations from the blobs, compares them with the program output, and returns
// the proofs at z.
func checkBlobs(k *output.Kzg, u settlement.Update) ([][]byte, error) {
	n := len(k.Commitments)
	if n != len(u.Blobs) {
		return nil, invalid("INVALID_NUMBER_OF_KZG_PROOFS", "the program output names %d blobs, there are %d", n, len(u.Blobs))
	}
	blobs, err := asBlobs(u.Blobs)
	if err != nil {
		return nil, invalid("INVALID_BLOB_HASH", "%v", err)
	}
	if err := checkZ(k, u, blobs); err != nil {
		return nil, err
	}
	proofs := make([][]byte, n)
	err = kzg.Parallel(n, func(i int) error {
		c, err := kzg.Commit(&blobs[i])
		if err != nil {
			return fmt.Errorf("commit to blob %d: %w", i, err)
		}
		if c != k.Commitments[i] {
			return invalid("INVALID_BLOB_HASH", "blob %d has commitment %x, the program output %x", i, c, k.Commitments[i])
		}
		p, y, err := kzg.ProofAt(&blobs[i], k.Z)
		if err != nil {
			return fmt.Errorf("prove blob %d: %w", i, err)
		}
		if y != k.Evaluations[i] {
			return invalid("POINT_EVALUATION_PRECOMPILE_CALL_FAILED", "blob %d has y %x at z, the program output %x", i, y, k.Evaluations[i])
		}
		proofs[i] = p[:]
		return nil
	})
	return proofs, err
}

// checkZ holds z against the DA segment. Without the segment it can't be told from the blobs, which are padded.
func checkZ(k *output.Kzg, u settlement.Update, blobs []blob.Blob) error {
	if len(u.Segment) == 0 {
		return nil
	}
	encoded, err := blob.FromWords(u.Segment)
	if err != nil {
		return invalid("INVALID_BLOB_HASH", "DA segment: %v", err)
	}
	if len(encoded) != len(blobs) {
		return invalid("INVALID_NUMBER_OF_KZG_PROOFS", "the DA segment fills %d blobs, there are %d", len(encoded), len(blobs))
	}
	if z := output.Z(u.Segment, k.Commitments); z != k.Z {
		return invalid("POINT_EVALUATION_PRECOMPILE_CALL_FAILED", "z of DA segment and commitments is %s, the program output has %s", z, k.Z)
	}
	return nil
}

func bigs(fs []felt.Felt) []*big.Int {
	out := make([]*big.Int, len(fs))
	for i, f := range fs {
		out[i] = f.Big()
	}
	return out
}
