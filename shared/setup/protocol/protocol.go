// Package protocol gives the services the protocol arithmetic that they must not import: sizes of state diffs for
// batching, encodings for settling.
package protocol

import (
	"errors"
	"fmt"
	"io"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/service/batching"
	"github.com/madara-orchestrator/orchestrator/shared/service/statetransition"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/stone"
)

// NewSizer returns the sizer of an open batch of a Starknet version: new for nil, else as it was saved.
func NewSizer(version string, saved []byte) (batching.Sizer, error) {
	if saved == nil {
		return statediff.NewAccumulator(version)
	}
	return statediff.LoadAccumulator(saved)
}

// Codec encodes state updates for Ethereum.
func Codec() statetransition.Codec {
	return statetransition.Codec{UpdateWords: output.UpdateWords, Blobs: blobs,
		Fact: func(program felt.Felt, words []felt.Felt) string {
			return pie.PageFact(program, words).String()
		}}
}

// StarknetCodec encodes state updates for Starknet, which takes no blobs.
func StarknetCodec() statetransition.Codec {
	return statetransition.Codec{UpdateWords: starknetWords, ProofOutput: proofOutput,
		Blobs: func([]felt.Felt) ([][]byte, error) {
			return nil, errors.New("a state update on Starknet carries no blobs")
		}}
}

// proofOutput is the output that a proof names; none where it is not a proof of Stone's form.
func proofOutput(r io.Reader) ([]felt.Felt, error) {
	words, err := stone.Output(r)
	switch {
	case errors.Is(err, stone.ErrNoPublicInput):
		return nil, nil
	case errors.Is(err, stone.ErrMalformed):
		return nil, fmt.Errorf("%w: %w", artifact.ErrCorrupt, err)
	}
	return words, err
}

// starknetWords takes the bootloader's words off too, which the outputs of proofs have.
func starknetWords(whole []felt.Felt) ([]felt.Felt, error) {
	_, words, _ := output.SkipBootloader(whole)
	return output.UpdateWords(words)
}

func blobs(segment []felt.Felt) ([][]byte, error) {
	bs, err := blob.FromWords(segment)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(bs))
	for i := range bs {
		out[i] = bs[i][:]
	}
	return out, nil
}
