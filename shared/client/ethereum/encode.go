package ethereum

import (
	"context"
	"fmt"
	"math/big"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/stateupdate"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// Encode implements settlement.Contract.
func (c *Core) Encode(_ context.Context, u settlement.Update, s settlement.State,
	cfg settlement.Config) (tx.Payload, error) {
	data, err := Calldata(u, s, cfg)
	if err != nil {
		return tx.Payload{}, err
	}
	return tx.Payload{To: c.contract.Hex(), Data: data, Blobs: u.Blobs}, nil
}

func invalid(code, format string, args ...any) error {
	return &settlement.InvalidError{Refusal: refusals[code], Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Calldata checks an update as the contract would, what costs little first, and returns the call: updateStateKzgDA in
// KZG mode, else updateState. A fault is a *settlement.InvalidError with the contract's own word. What only the chain
// knows, whether the fact is proven and the consumed messages exist, is left to simulation.
func Calldata(u settlement.Update, s settlement.State, cfg settlement.Config) ([]byte, error) {
	if !cfg.Operator {
		return nil, invalid("ONLY_OPERATOR", "the wallet is not an operator of the core contract")
	}
	c := stateupdate.Check{Update: u, State: s, Config: cfg, Name: "program output", Invalid: invalid}
	if err := header(c); err != nil {
		return nil, err
	}
	o, rest, err := output.Parse(u.ProgramOutput)
	if err != nil { // all before the messages is checked
		return nil, invalid("INVALID_MESSAGE_SEGMENT_SIZE", "%v", err)
	}
	if err := fits(c, o); err != nil {
		return nil, err
	}
	if o.Kzg == nil {
		return updateState(u, rest)
	}
	if len(rest) > 0 {
		return nil, invalid("STARKNET_OUTPUT_TOO_LONG", "%d words follow the messages", len(rest))
	}
	proofs, err := checkBlobs(o.Kzg, u)
	if err != nil {
		return nil, err
	}
	return pack("updateStateKzgDA", bigs(u.ProgramOutput), proofs)
}

func pack(name string, args ...any) ([]byte, error) {
	data, err := coreABI.Pack(name, args...)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", name, err)
	}
	return data, nil
}

// updateState encodes an update without blobs. State diff words that follow the messages are not sent: they are the
// second page of the proof's output, which the contract takes by hash and size (OnchainDataFactTreeEncoder.sol).
func updateState(u settlement.Update, diff []felt.Felt) ([]byte, error) {
	hashed, size := u.DataHash.Big(), u.DataSize
	words := u.ProgramOutput[:len(u.ProgramOutput)-len(diff)]
	if len(diff) > 0 {
		if size != 0 {
			return nil, invalid("STARKNET_OUTPUT_TOO_LONG",
				"%d words follow the messages, and other data of %d words is named", len(diff), size)
		}
		h := hash.Keccak256(felt.Concat(diff))
		hashed, size = new(big.Int).SetBytes(h[:]), uint64(len(diff))
	}
	return pack("updateState", bigs(words), hashed, new(big.Int).SetUint64(size))
}

// Widths of the halves in the program output, in bytes.
const (
	commitmentHalf = 24
	evaluationHalf = 16
)

// header checks the words before the messages: length, range, block numbers, flags, and the shape of the KZG part.
func header(c stateupdate.Check) error {
	u := c.Update
	w := u.ProgramOutput
	if err := c.Words(w); err != nil {
		return err
	}
	one := felt.FromUint64(1)
	kzgMode := w[output.UseKzgAt] == one
	switch {
	case !kzgMode && (!w[output.UseKzgAt].IsZero() || len(u.Blobs) > 0):
		return invalid("UNEXPECTED_KZG_DA_FLAG", "the program output's flag is %s, and there are %d blobs",
			w[output.UseKzgAt], len(u.Blobs))
	case !w[output.FullOutputAt].IsZero():
		return invalid("FULL_OUTPUT_NOT_SUPPORTED", "the program output is a full one, which only the aggregator takes")
	case !kzgMode:
		return nil
	}
	first := output.HeaderWords + 2
	n, ok := w[output.HeaderWords+1].Uint64()
	switch {
	case !ok || n != uint64(len(u.Blobs)):
		return invalid("INVALID_NUMBER_OF_KZG_PROOFS", "the program output names %s blobs, there are %d",
			w[output.HeaderWords+1].Big(), len(u.Blobs))
	case n > output.MaxBlobs:
		return invalid("INVALID_NUMBER_OF_KZG_PROOFS", "%d blobs, at most %d can be", n, output.MaxBlobs)
	case len(w) < first+4*int(n):
		return invalid("STARKNET_OUTPUT_TOO_SHORT", "the program output ends within commitments and evaluations")
	}
	return halves(w[first:first+4*int(n)], int(n))
}

// halves checks the ranges of commitments and evaluations.
func halves(w []felt.Felt, n int) error {
	for i := range w {
		if i < 2*n && !narrow(w[i], commitmentHalf) {
			return invalid("INVALID_KZG_COMMITMENT", "a half of commitment %d is %s: more than 192 bits", i/2, w[i])
		}
		if i >= 2*n && !narrow(w[i], evaluationHalf) {
			return invalid("INVALID_Y_VALUE", "a half of evaluation %d is %s: more than 128 bits", i/2-n, w[i])
		}
	}
	return nil
}

// narrow says whether f has at most n bytes.
func narrow(f felt.Felt, n int) bool {
	for _, b := range f[:felt.Bytes-n] {
		if b != 0 {
			return false
		}
	}
	return true
}

// fits checks configuration, program, roots and hashes.
func fits(c stateupdate.Check, o output.Output) error {
	if err := c.Settings(o); err != nil {
		return err
	}
	if !o.OSProgramHash.IsZero() && o.OSProgramHash != c.Config.ProgramHash {
		return invalid("AGGREGATOR_MODE_INVALID_OS_PROGRAM_HASH",
			"the aggregator ran over program %s, the contract takes %s", o.OSProgramHash, c.Config.ProgramHash)
	}
	return c.Start(o)
}

// checkBlobs recomputes commitments, z and evaluations from the blobs, compares them with the program output, and
// returns the proofs at z.
func checkBlobs(k *output.Kzg, u settlement.Update) ([][]byte, error) {
	blobs, err := asBlobs(u.Blobs)
	if err != nil {
		return nil, invalid("INVALID_BLOB_HASH", "%v", err)
	}
	cs, err := commitAll(blobs)
	if err != nil {
		return nil, invalid("INVALID_BLOB_HASH", "%v", err)
	}
	for i := range cs {
		if cs[i] != k.Commitments[i] {
			return nil, invalid("INVALID_BLOB_HASH", "blob %d has commitment %x, the program output %x",
				i, cs[i], k.Commitments[i])
		}
	}
	if err := checkSegment(k, u, blobs); err != nil {
		return nil, err
	}
	proofs := make([][]byte, len(blobs))
	err = kzg.Parallel(len(blobs), func(i int) error {
		p, y, err := kzg.ProofAt(&blobs[i], k.Z)
		if err != nil {
			return fmt.Errorf("prove: %w", err)
		}
		if y != k.Evaluations[i] {
			return invalid("POINT_EVALUATION_PRECOMPILE_CALL_FAILED", "it has y %x at z, the program output %x",
				y, k.Evaluations[i])
		}
		proofs[i] = p[:]
		return nil
	})
	return proofs, err
}

// checkSegment compares blobs and z with the DA segment. Without the segment z can't be computed, as the blobs are
// padded; that the evaluations are right is checked in any case.
func checkSegment(k *output.Kzg, u settlement.Update, blobs []blob.Blob) error {
	if len(u.Segment) == 0 {
		return nil
	}
	encoded, err := blob.FromWords(u.Segment)
	switch {
	case err != nil:
		return invalid("INVALID_BLOB_HASH", "DA segment: %v", err)
	case len(encoded) != len(blobs):
		return invalid("INVALID_NUMBER_OF_KZG_PROOFS", "the DA segment fills %d blobs, there are %d",
			len(encoded), len(blobs))
	}
	for i := range encoded {
		if encoded[i] != blobs[i] {
			return invalid("INVALID_BLOB_HASH", "blob %d does not encode its part of the DA segment", i)
		}
	}
	if z := output.Z(u.Segment, k.Commitments); z != k.Z {
		return invalid("POINT_EVALUATION_PRECOMPILE_CALL_FAILED",
			"z of DA segment and commitments is %s, the program output has %s", z, k.Z)
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
