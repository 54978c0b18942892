package batch_test

import (
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
)

var opened = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func candidate(change func(*batch.Candidate)) batch.Candidate {
	c := batch.Candidate{Header: block.Header{Number: 5, StarknetVersion: "0.14.1"},
		Weights: block.Weights{ProvingGas: 10}}
	if change != nil {
		change(&c)
	}
	return c
}

func span(change func(*batch.Span)) batch.Span {
	s := batch.Span{StartBlock: 1, EndBlock: 4, StarknetVersion: "0.14.1", OpenedAt: opened,
		Weights: block.Weights{ProvingGas: 40}}
	if change != nil {
		change(&s)
	}
	return s
}

func TestShouldCloseSnos(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limits batch.Limits
		span   batch.Span
		c      batch.Candidate
		want   batch.Reason
	}{
		"no limit": {batch.Limits{}, span(nil), candidate(nil), ""},
		"another version": {batch.Limits{}, span(nil),
			candidate(func(c *batch.Candidate) { c.Header.StarknetVersion = "0.14.2" }), batch.VersionChange},
		"room for a block": {batch.Limits{SnosBlocks: 5}, span(nil), candidate(nil), ""},
		"blocks":           {batch.Limits{SnosBlocks: 4}, span(nil), candidate(nil), batch.BlockCount},
		"weights fit":      {batch.Limits{SnosWeights: block.Weights{ProvingGas: 50}}, span(nil), candidate(nil), ""},
		"weights": {batch.Limits{SnosWeights: block.Weights{ProvingGas: 49}}, span(nil),
			candidate(nil), batch.WeightLimit},
		"weights overflow": {batch.Limits{}, span(func(s *batch.Span) { s.Weights.NTxs = 1 << 63 }),
			candidate(func(c *batch.Candidate) { c.Weights.NTxs = 1 << 63 }), batch.WeightLimit},
		"DA words fit": {batch.Limits{DAWords: 9}, span(nil), candidate(func(c *batch.Candidate) { c.DAWords = 9 }),
			""},
		"DA words": {batch.Limits{DAWords: 9}, span(nil),
			candidate(func(c *batch.Candidate) { c.DAWords = 10 }), batch.DACapacity},
		"version first": {batch.Limits{SnosBlocks: 4, SnosWeights: block.Weights{ProvingGas: 1}}, span(nil),
			candidate(func(c *batch.Candidate) { c.Header.StarknetVersion = "0.14.2" }), batch.VersionChange},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, closes := tt.limits.ShouldCloseSnos(tt.span, tt.c); got != tt.want || closes != (tt.want != "") {
				t.Errorf("%q, %t; want %q", got, closes, tt.want)
			}
		})
	}
}

func TestShouldCloseAggregator(t *testing.T) {
	t.Parallel()
	closedSpan, openSpan := span(func(s *batch.Span) { s.Reason = batch.Age }), span(nil)
	for name, tt := range map[string]struct {
		limits batch.Limits
		snos   []batch.Span
		c      batch.Candidate
		want   batch.Reason
	}{
		"no limit": {batch.Limits{}, []batch.Span{openSpan}, candidate(nil), ""},
		"another version": {batch.Limits{}, []batch.Span{openSpan},
			candidate(func(c *batch.Candidate) { c.Header.StarknetVersion = "0.14.2" }), batch.VersionChange},
		"blocks": {batch.Limits{Blocks: 4}, []batch.Span{openSpan}, candidate(nil), batch.BlockCount},
		"weights": {batch.Limits{Weights: block.Weights{ProvingGas: 49}}, []batch.Span{openSpan},
			candidate(nil), batch.WeightLimit},
		"blobs fit": {batch.Limits{Blobs: 1, BlobBuffer: 10}, []batch.Span{openSpan},
			candidate(func(c *batch.Candidate) { c.DAWords = 4086 }), ""},
		"blobs": {batch.Limits{Blobs: 1, BlobBuffer: 10}, []batch.Span{openSpan},
			candidate(func(c *batch.Candidate) { c.DAWords = 4087 }), batch.BlobCapacity},
		"input": {batch.Limits{InputSize: 9}, []batch.Span{openSpan},
			candidate(func(c *batch.Candidate) { c.InputSize = 10 }), batch.InputSize},
		"joins the last SNOS one": {batch.Limits{SnosBatches: 1}, []batch.Span{openSpan}, candidate(nil), ""},
		"no more SNOS batches": {batch.Limits{SnosBatches: 1}, []batch.Span{closedSpan},
			candidate(nil), batch.SnosCount},
		"last SNOS one is full": {batch.Limits{SnosBatches: 1, SnosBlocks: 4}, []batch.Span{openSpan},
			candidate(nil), batch.SnosCount},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := batch.AggregatorBatch{Span: span(nil), Snos: tt.snos}
			if got, closes := tt.limits.ShouldCloseAggregator(a, tt.c); got != tt.want || closes != (tt.want != "") {
				t.Errorf("%q, %t; want %q", got, closes, tt.want)
			}
		})
	}
}

func TestIsFull(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limits           batch.Limits
		age              time.Duration
		snos, aggregator batch.Reason
	}{
		"no limit":       {batch.Limits{}, 1000 * time.Hour, "", ""},
		"blocks":         {batch.Limits{SnosBlocks: 4, Blocks: 4}, 0, batch.BlockCount, batch.BlockCount},
		"young":          {batch.Limits{SnosAge: time.Minute, Age: time.Hour}, time.Minute - 1, "", ""},
		"SNOS age":       {batch.Limits{SnosAge: time.Minute, Age: time.Hour}, time.Minute, batch.Age, ""},
		"age":            {batch.Limits{SnosAge: time.Minute, Age: time.Hour}, time.Hour, batch.Age, batch.Age},
		"before the end": {batch.Limits{HasMaxBlock: true, MaxBlock: 5}, 0, "", ""},
		"at the end":     {batch.Limits{HasMaxBlock: true, MaxBlock: 4}, 0, batch.EndOfRecording, batch.EndOfRecording},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := opened.Add(tt.age)
			if got, full := tt.limits.IsSnosFull(span(nil), now); got != tt.snos || full != (tt.snos != "") {
				t.Errorf("SNOS batch: %q, %t; want %q", got, full, tt.snos)
			}
			if got, full := tt.limits.IsAggregatorFull(batch.AggregatorBatch{Span: span(nil)},
				now); got != tt.aggregator || full != (tt.aggregator != "") {
				t.Errorf("aggregator batch: %q, %t; want %q", got, full, tt.aggregator)
			}
		})
	}
}

// Case W1: whatever blocks of messages come, no state update takes more gas than a transaction may have. 450 messages
// in one update took 13,367,403 on the core contract, so one takes up to 29,705; its weight is at least 23,548 (20,000,
// 3 words of 512, an event). 450 messages of one block still fit, 600 can't be settled and are refused.
func TestMessagesFitInATransaction(t *testing.T) {
	t.Parallel()
	const gasOfOne, weightOfOne, limit, rest = 29_705, 20_000 + 3*512 + 4*375 + 2*256, 16_777_216, 1_000_000
	messages := func(n uint64) batch.Candidate {
		return candidate(
			func(c *batch.Candidate) { c.Weights.L1Gas, c.Weights.MessageSegmentLength = n*weightOfOne, 3*n })
	}
	l := batch.DefaultLimits()
	for _, perBlock := range []uint64{1, 3, 7, 50, 170, 186, 187, 188, 300, 450} {
		first := messages(perBlock)
		if err := l.Fits(first); err != nil {
			t.Fatalf("%d messages in a block: %v", perBlock, err)
		}
		a := batch.AggregatorBatch{}.Add(l, first, opened)
		total := perBlock
		for {
			c := messages(perBlock)
			c.Header.Number = a.EndBlock + 1
			if _, closes := l.ShouldCloseAggregator(a, c); closes {
				break
			}
			a = a.Add(l, c, opened)
			total += perBlock
		}
		if gas := total*gasOfOne + rest; gas > limit {
			t.Errorf("blocks of %d messages make a batch of %d, whose update takes %d gas", perBlock, total, gas)
		}
	}
	if err := l.Fits(messages(600)); err == nil {
		t.Error("600 messages in a block are taken, and no transaction can settle them")
	}
}

// The error of a block that no batch can hold says what helps, and names no setting where none does.
func TestFitsSaysWhatHelps(t *testing.T) {
	t.Parallel()
	l := batch.DefaultLimits()
	for want, set := range map[string]func(*batch.Candidate){
		"raise BATCH_BLOBS":      func(c *batch.Candidate) { c.DAWords = l.Capacity() + 1 },
		"raise BATCH_INPUT_SIZE": func(c *batch.Candidate) { c.InputSize = l.InputSize + 1 },
		"no setting changes":     func(c *batch.Candidate) { c.Weights.L1Gas = batch.MaxL1Gas + 1 },
	} {
		err := l.Fits(candidate(set))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
