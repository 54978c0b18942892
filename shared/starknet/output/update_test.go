package output_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

func felts(ns ...uint64) []felt.Felt {
	out := make([]felt.Felt, len(ns))
	for i, n := range ns {
		out[i] = felt.FromUint64(n)
	}
	return out
}

var root = felt.MustHex("0x4144e4de3d45cef44ceee18809070526bfda8fe320b398eb181021996853745")

func sample(kzg bool) output.Output {
	o := output.Output{PrevRoot: root, NewRoot: root, NewBlock: felts(7)[0], Messages: block.Messages{
		ToL1: []block.MessageToL1{{From: felts(1)[0], To: felts(2)[0], Payload: felts(3, 4)}},
		ToL2: []block.MessageToL2{{From: felts(1)[0], To: felts(2)[0], Nonce: felts(3)[0], Selector: felts(4)[0]}},
	}}
	if kzg {
		o.Kzg = &output.Kzg{Z: root, Commitments: make([][48]byte, 2), Evaluations: make([][32]byte, 2)}
	}
	return o
}

func TestUpdateWords(t *testing.T) {
	t.Parallel()
	first := output.Output{PrevBlock: felt.MinusOne(), NewRoot: root, Kzg: &output.Kzg{}} // prevRoot 0
	for name, o := range map[string]output.Output{"KZG": sample(true), "calldata": sample(false), "first": first} {
		words := o.Words()
		for inputs, whole := range map[string][]felt.Felt{
			"none":  words,
			"one":   output.WithInputs([][]felt.Felt{sample(true).Words()}, words),
			"two":   output.WithInputs([][]felt.Felt{sample(false).Words(), sample(false).Words()}, words),
			"empty": output.WithInputs([][]felt.Felt{nil, nil}, words),
			// As an update it has small roots, no flags and no messages.
			"like an update": output.WithInputs([][]felt.Felt{make([]felt.Felt, 11)}, words),
		} {
			if name == "calldata" && inputs == "like an update" {
				whole = append(slices.Clone(whole), felts(9)...) // data after the messages
				words = append(slices.Clone(words), felts(9)...)
			}
			got, err := output.UpdateWords(whole)
			if err != nil || !slices.Equal(got, words) {
				t.Errorf("%s, inputs: %s: %d words, want %d; %v", name, inputs, len(got), len(words), err)
			}
			if o.Kzg == nil {
				words = o.Words()
				continue
			}
			if got, err := output.UpdateWords(append(slices.Clone(whole), make([]felt.Felt, 3)...)); err != nil ||
				!slices.Equal(got, words) {
				t.Errorf("%s, inputs: %s, with zeros after it: %d words, want %d; %v",
					name, inputs, len(got), len(words), err)
			}
			if inputs == "two" || inputs == "like an update" {
				continue // with a faulty end they are updates in calldata mode themselves
			}
			if _, err := output.UpdateWords(append(slices.Clone(whole), felts(0, 1)...)); !errors.Is(err,
				output.ErrMalformed) {
				t.Errorf("%s, inputs: %s, with a word after it: %v", name, inputs, err)
			}
		}
	}
	for _, words := range [][]felt.Felt{nil, felts(1), felts(1, 5, 2), felts(0), make([]felt.Felt, 5)} {
		if _, err := output.UpdateWords(words); !errors.Is(err, output.ErrMalformed) {
			t.Errorf("%v: %v", words, err)
		}
	}
}

// A message must end within its segment, also where it has no payload.
func TestMessageBeyondSegment(t *testing.T) {
	t.Parallel()
	head := sample(false).Words()[:output.HeaderWords]
	for name, messages := range map[string][]felt.Felt{
		"to L1, short head":    felts(2, 1, 2, 0, 0),
		"to L1, one word":      felts(1, 1, 2, 0, 0),
		"to L1, long payload":  felts(3, 1, 2, 1, 9, 0),
		"to L2, short head":    felts(0, 3, 1, 2, 3, 4, 0),
		"to L2, long payload":  felts(0, 5, 1, 2, 3, 4, 1, 9),
		"to L1, beyond output": felts(9, 1, 2, 0, 0),
	} {
		if _, _, err := output.Parse(append(slices.Clone(head), messages...)); !errors.Is(err, output.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, messages := range [][]felt.Felt{felts(3, 1, 2, 0, 0), felts(4, 1, 2, 1, 9, 0), felts(0, 5, 1, 2, 3, 4, 0)} {
		if _, _, err := output.Parse(append(slices.Clone(head), messages...)); err != nil {
			t.Errorf("%v: %v", messages, err)
		}
	}
}

// What is parsed is written again as it was.
func FuzzParse(f *testing.F) {
	for _, kzg := range []bool{false, true} {
		f.Add(felt.Concat(sample(kzg).Words()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		words, err := felt.Split(b[:len(b)/felt.Bytes*felt.Bytes])
		if err != nil {
			return
		}
		if _, err := output.UpdateWords(words); err != nil && !errors.Is(err, output.ErrMalformed) {
			t.Fatalf("error of no kind: %v", err)
		}
		o, rest, err := output.Parse(words)
		if err != nil {
			return
		}
		again := o.Words()
		if o.Kzg != nil {
			again = append(again, rest...)
		}
		if !slices.Equal(again, words) {
			t.Fatalf("written again it is %v, was %v", again, words)
		}
	})
}
