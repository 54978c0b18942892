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

// Validate decodes what a state update of an L2 is about to publish.
func Validate(starknetVersion string, words []felt.Felt, blobs [][]byte) error {
	bs := make([]blob.Blob, len(blobs))
	for i, b := range blobs {
		if len(b) != blob.Size {
			return fmt.Errorf("blob %d has %d bytes, want %d", i, len(b), blob.Size)
		}
		bs[i] = blob.Blob(b)
	}
	read, err := blob.ToWords(bs)
	if err != nil {
		return fmt.Errorf("decode the blobs: %w", err)
	}
	for i, w := range read {
		if i < len(words) && w != words[i] || i >= len(words) && !w.IsZero() {
			return fmt.Errorf("word %d of the blobs differs from the segment's", i)
		}
	}
	if len(read) < len(words) {
		return fmt.Errorf("the blobs hold %d words, the segment has %d", len(read), len(words))
	}
	f, err := statediff.FormatOf(starknetVersion)
	if err != nil {
		return err
	}
	if _, err := statediff.Decode(words, f); err != nil {
		return fmt.Errorf("decode the state diff: %w", err)
	}
	return nil
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
