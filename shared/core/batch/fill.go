package batch

import "github.com/madara-orchestrator/orchestrator/shared/core/block"

// SnosFill is the largest part that a SNOS batch has of one of its limits: 1 where it is full, more where one block
// alone is larger. daWords is its length in DA words; 0 where it has no limit.
func (l Limits) SnosFill(s Span, daWords int) float64 {
	return max(part(s.Blocks(), l.SnosBlocks), part(daWords, l.DAWords), weightsFill(s.Weights, l.SnosWeights))
}

// AggregatorFill is the largest part that an aggregator batch has of one of its limits.
func (l Limits) AggregatorFill(a AggregatorBatch) float64 {
	words := 0
	if l.Blobs != 0 {
		words = l.Capacity()
	}
	return max(part(a.Blocks(), l.Blocks), part(a.DAWords, words), part(a.InputSize, l.InputSize),
		part(len(a.Snos), l.SnosBatches), weightsFill(a.Weights, l.Weights))
}

func weightsFill(w, most block.Weights) float64 {
	return max(part(w.L1Gas, most.L1Gas), part(w.MessageSegmentLength, most.MessageSegmentLength),
		part(w.NEvents, most.NEvents), part(w.StateDiffSize, most.StateDiffSize), part(w.SierraGas, most.SierraGas),
		part(w.NTxs, most.NTxs), part(w.ProvingGas, most.ProvingGas), part(w.ReceiptL2Gas, most.ReceiptL2Gas))
}

// part is n of most; 0 where there is no limit.
func part[N int | uint64](n, most N) float64 {
	if most == 0 {
		return 0
	}
	return float64(n) / float64(most)
}
