// Package output reads and builds the program output of the Starknet OS and of its aggregator: the words that the core
// contract checks and hashes into the fact. The layout is that of cairo-lang's os/output.cairo and StarknetState.sol.
package output

import (
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
)

// Offsets of the header's words.
const (
	PrevRootAt    = 0
	NewRootAt     = 1
	PrevBlockAt   = 2
	NewBlockAt    = 3
	PrevHashAt    = 4
	NewHashAt     = 5
	OSProgramAt   = 6 // 0 when no aggregator ran
	ConfigHashAt  = 7
	UseKzgAt      = 8
	FullOutputAt  = 9
	HeaderWords   = 10
	kzgHeadWords  = 2 // z, number of blobs
	commitWords   = 2 // low 192 bits, high 192 bits
	evalWords     = 2 // low 128 bits, high 128 bits
	toL1HeadWords = 3 // from, to, payload's length
	toL2HeadWords = 5 // from, to, nonce, selector, payload's length
)

// MaxBlobs bounds the number of blobs that a program output may name.
const MaxBlobs = 64

// ErrMalformed says that words are not a program output; the wrapping text says where.
var ErrMalformed = errors.New("malformed program output")

// Output is a state update's program output.
type Output struct {
	PrevRoot, NewRoot   felt.Felt
	PrevBlock, NewBlock felt.Felt // PrevBlock is P-1 for the first update
	PrevHash, NewHash   felt.Felt
	OSProgramHash       felt.Felt // 0 when no aggregator ran
	ConfigHash          felt.Felt
	FullOutput          bool
	Kzg                 *Kzg // nil in calldata mode
	Messages            block.Messages
	// Data is the state diff's words that follow the messages in calldata mode; nil in KZG mode.
	Data []felt.Felt
}

// Kzg is the data-availability part in KZG mode. Commitments and Evaluations have one entry a blob.
type Kzg struct {
	Z           felt.Felt
	Commitments [][48]byte
	Evaluations [][32]byte // y = p(z), an integer below the BLS12-381 scalar order
}

// Words returns the program output's words.
func (o Output) Words() []felt.Felt {
	w := []felt.Felt{o.PrevRoot, o.NewRoot, o.PrevBlock, o.NewBlock, o.PrevHash, o.NewHash, o.OSProgramHash,
		o.ConfigHash, boolean(o.Kzg != nil), boolean(o.FullOutput)}
	if o.Kzg != nil {
		w = append(w, o.Kzg.Z, felt.FromUint64(uint64(len(o.Kzg.Commitments))))
		for _, c := range o.Kzg.Commitments {
			low, high := SplitCommitment(c)
			w = append(w, low, high)
		}
		for _, y := range o.Kzg.Evaluations {
			low, high := SplitEvaluation(y)
			w = append(w, low, high)
		}
	}
	w = append(w, messageWords(o.Messages)...)
	return append(w, o.Data...)
}

func boolean(b bool) felt.Felt {
	if b {
		return felt.FromUint64(1)
	}
	return felt.Zero
}

func messageWords(m block.Messages) []felt.Felt {
	var toL1, toL2 []felt.Felt
	for _, x := range m.ToL1 {
		toL1 = append(toL1, x.From, x.To, felt.FromUint64(uint64(len(x.Payload))))
		toL1 = append(toL1, x.Payload...)
	}
	for _, x := range m.ToL2 {
		toL2 = append(toL2, x.From, x.To, x.Nonce, x.Selector, felt.FromUint64(uint64(len(x.Payload))))
		toL2 = append(toL2, x.Payload...)
	}
	w := append([]felt.Felt{felt.FromUint64(uint64(len(toL1)))}, toL1...)
	w = append(w, felt.FromUint64(uint64(len(toL2))))
	return append(w, toL2...)
}

// SplitCommitment returns a commitment as the program output has it: the low and the high 192 bits of its 48 bytes.
func SplitCommitment(c [48]byte) (low, high felt.Felt) {
	copy(low[8:], c[24:])
	copy(high[8:], c[:24])
	return low, high
}

// SplitEvaluation returns an evaluation as the program output has it: its low and its high 128 bits.
func SplitEvaluation(y [32]byte) (low, high felt.Felt) {
	copy(low[16:], y[16:])
	copy(high[16:], y[:16])
	return low, high
}

// Z is the point at which the blobs' polynomials are evaluated:
// Poseidon(PoseidonMany(segment), PoseidonMany(low and high of each commitment)).
func Z(segment []felt.Felt, commitments [][48]byte) felt.Felt {
	halves := make([]felt.Felt, 0, 2*len(commitments))
	for _, c := range commitments {
		low, high := SplitCommitment(c)
		halves = append(halves, low, high)
	}
	return hash.Poseidon(hash.PoseidonMany(segment), hash.PoseidonMany(halves))
}

// Parse reads a state update's words. rest is what follows the messages: trailing zeros in KZG mode, the state diff in
// calldata mode (then also in Data).
func Parse(words []felt.Felt) (o Output, rest []felt.Felt, err error) {
	r := felt.NewReader(words, ErrMalformed)
	if len(words) < HeaderWords+2 {
		return o, nil, fmt.Errorf("%w: %d words, at least %d", ErrMalformed, len(words), HeaderWords+2)
	}
	for _, to := range []*felt.Felt{&o.PrevRoot, &o.NewRoot, &o.PrevBlock, &o.NewBlock, &o.PrevHash, &o.NewHash,
		&o.OSProgramHash, &o.ConfigHash} {
		*to = r.Next("header")
	}
	useKzg := r.Flag("use KZG")
	o.FullOutput = r.Flag("full output")
	if useKzg {
		o.Kzg = readKzg(r)
	}
	o.Messages = readMessages(r)
	if r.Err() != nil {
		return Output{}, nil, r.Err()
	}
	rest = r.Rest()
	if !useKzg {
		o.Data = rest
	}
	return o, rest, nil
}

func readKzg(r *felt.Reader) *Kzg {
	k := &Kzg{Z: r.Next("z")}
	n := r.Number("number of blobs", MaxBlobs)
	for i := range n {
		low, high := r.Next("commitment"), r.Next("commitment")
		if r.Err() == nil && (!fits(low, 24) || !fits(high, 24)) {
			r.Fail("commitment %d has a half of more than 192 bits", i)
		}
		var c [48]byte
		copy(c[:24], high[8:])
		copy(c[24:], low[8:])
		k.Commitments = append(k.Commitments, c)
	}
	for i := range n {
		low, high := r.Next("evaluation"), r.Next("evaluation")
		if r.Err() == nil && (!fits(low, 16) || !fits(high, 16)) {
			r.Fail("evaluation %d has a half of more than 128 bits", i)
		}
		var y [32]byte
		copy(y[:16], high[16:])
		copy(y[16:], low[16:])
		k.Evaluations = append(k.Evaluations, y)
	}
	return k
}

// fits says whether f has at most n bytes.
func fits(f felt.Felt, n int) bool {
	for _, b := range f[:felt.Bytes-n] {
		if b != 0 {
			return false
		}
	}
	return true
}

func readMessages(r *felt.Reader) block.Messages {
	var m block.Messages
	end := readSegment(r, "messages to L1")
	for r.Err() == nil && r.At() < end {
		x := block.MessageToL1{From: r.Next("message"), To: r.Next("message")}
		x.Payload = readPayload(r, end)
		m.ToL1 = append(m.ToL1, x)
	}
	end = readSegment(r, "messages to L2")
	for r.Err() == nil && r.At() < end {
		x := block.MessageToL2{From: r.Next("message"), To: r.Next("message"),
			Nonce: r.Next("message"), Selector: r.Next("message")}
		x.Payload = readPayload(r, end)
		m.ToL2 = append(m.ToL2, x)
	}
	if r.Err() != nil {
		return block.Messages{}
	}
	return m
}

// readSegment reads a message segment's size in words and returns where it ends.
func readSegment(r *felt.Reader, what string) int {
	n := r.Number("size of the "+what, r.Left()-1)
	return r.At() + n
}

// readPayload reads a length and that many words, which must end within the segment.
func readPayload(r *felt.Reader, end int) []felt.Felt {
	if r.Err() == nil && r.At() >= end {
		r.Fail("a message goes beyond its segment")
	}
	n := r.Number("length of a payload", end-r.At()-1)
	return append([]felt.Felt(nil), r.Take("a payload", n)...)
}
