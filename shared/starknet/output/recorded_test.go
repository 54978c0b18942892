package output_test

import (
	"slices"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/encryption"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/stateless"
)

// Every recorded output of the OS and the aggregator of Starknet 0.14.4 is read, written again word by word, its KZG
// part computed from its DA segment, and the segment encoded again from the state diff that it holds.
func TestRecorded0144(t *testing.T) {
	t.Parallel()
	var parsed, committed, encoded int
	for _, r := range append(starknettest.OSRuns(t), starknettest.Aggregations(t)...) {
		o := roundTrip(t, r)
		parsed++
		segment := r.Segment
		if o.Kzg != nil {
			sameKzg(t, r.Name, *o.Kzg, segment)
			committed++
		} else {
			segment = o.Data
		}
		if o.FullOutput || encryption.Encrypted(segment) {
			continue
		}
		sameSegment(t, r.Name, segment)
		encoded++
	}
	if parsed != 63 || committed != 23 || encoded != 41 {
		t.Errorf("%d outputs read, %d KZG parts computed, %d segments encoded; want 63, 23 and 41",
			parsed, committed, encoded)
	}
}

// roundTrip reads an output and writes it again.
func roundTrip(t *testing.T, r starknettest.Run) output.Output {
	t.Helper()
	var inputs int
	if r.Aggregator {
		var err error
		if inputs, err = output.SkipInputs(r.Output); err != nil || inputs < 12 {
			t.Fatalf("%s: %d words of inputs, %v", r.Name, inputs, err)
		}
	}
	words, err := output.UpdateWords(r.Output)
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	o, rest, err := output.Parse(words)
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	if again := slices.Concat(r.Output[:inputs], o.Words()); !slices.Equal(again, r.Output) {
		t.Errorf("%s: %d words become %d", r.Name, len(r.Output), len(again))
	}
	if o.Kzg != nil && len(rest) > 0 || r.Aggregator == o.OSProgramHash.IsZero() {
		t.Errorf("%s: %d words after it, OS program hash %s", r.Name, len(rest), o.OSProgramHash)
	}
	return o
}

// sameKzg computes commitments, z and evaluations from a segment.
func sameKzg(t *testing.T, name string, want output.Kzg, segment []felt.Felt) {
	t.Helper()
	blobs, err := blob.FromWords(segment)
	if err != nil || len(blobs) != len(want.Commitments) {
		t.Fatalf("%s: %d blobs, %v, want %d", name, len(blobs), err, len(want.Commitments))
	}
	if z := output.Z(segment, want.Commitments); z != want.Z {
		t.Errorf("%s: z %s, want %s", name, z, want.Z)
	}
	for i := range blobs {
		c, err := kzg.Commit(&blobs[i])
		if err != nil || c != want.Commitments[i] {
			t.Errorf("%s: commitment %d is %x, %v, want %x", name, i, c, err, want.Commitments[i])
		}
		if y, err := kzg.Evaluate(&blobs[i], want.Z); err != nil || y != want.Evaluations[i] {
			t.Errorf("%s: evaluation %d is %x, %v, want %x", name, i, y, err, want.Evaluations[i])
		}
	}
}

// sameSegment compresses a segment's words again, and encodes the state diff that it holds.
func sameSegment(t *testing.T, name string, segment []felt.Felt) {
	t.Helper()
	format, err := statediff.FormatOf("0.14.4")
	if err != nil {
		t.Fatal(err)
	}
	plain, rest, err := stateless.Decompress(segment, stateless.MaxWords)
	if err != nil || len(rest) > 0 {
		t.Fatalf("%s: %d words after it, %v", name, len(rest), err)
	}
	if again, err := stateless.Compress(plain); err != nil || !slices.Equal(again, segment) {
		t.Errorf("%s: %d words become %d, %v", name, len(segment), len(again), err)
	}
	d, err := statediff.Decode(segment, format)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	words, err := statediff.Words(d, format, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	// Contracts stand in the order of their addresses, which a segment with aliases does not show: the words are the
	// same, their order may differ.
	slices.SortFunc(words, felt.Felt.Cmp)
	slices.SortFunc(plain, felt.Felt.Cmp)
	if !slices.Equal(words, plain) {
		t.Errorf("%s: its %d words are encoded as other %d", name, len(plain), len(words))
	}
}
