// Package protocol gives the services the protocol arithmetic that they must not import: sizes of state diffs for batching,
// encodings for settling.
package protocol

import (
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/service/batching"
	"github.com/madara-orchestrator/orchestrator/shared/service/settling"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// NewSizer returns the sizer of an open batch of a Starknet version: new for nil, else as it was saved.
func NewSizer(version string, saved []byte) (batching.Sizer, error) {
	if saved == nil {
		return statediff.NewAccumulator(version)
	}
	return statediff.LoadAccumulator(saved)
}

// Codec encodes state updates for Ethereum.
func Codec() settling.Codec { return settling.Codec{UpdateWords: output.UpdateWords, Blobs: blobs} }

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
