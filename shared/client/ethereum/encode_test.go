package ethereum_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
)

// stateBefore is the contract's state that an output starts from, and configOf the configuration that fits it.
func stateBefore(o output.Output) settlement.State {
	s := settlement.State{Root: o.PrevRoot, BlockHash: o.PrevHash}
	s.Block, s.Settled = o.PrevBlock.Uint64()
	return s
}

func configOf(o output.Output) settlement.Config {
	return settlement.Config{ProgramHash: o.OSProgramHash, ConfigHash: o.ConfigHash, Operator: true}
}

// updateOf is the update of a recorded transaction.
func updateOf(t *testing.T, words []felt.Felt, blobs []blob.Blob) (settlement.Update, output.Output) {
	t.Helper()
	o, _, err := output.Parse(words)
	if err != nil {
		t.Fatal(err)
	}
	prev, _ := o.PrevBlock.Uint64()
	end, _ := o.NewBlock.Uint64()
	u := settlement.Update{StartBlock: prev + 1, EndBlock: end, ProgramOutput: words}
	for i := range blobs {
		u.Blobs = append(u.Blobs, blobs[i][:])
	}
	return u, o
}

// TestCalldata_Recorded compares with what settled Sepolia batch 8373665: two blobs, 18 messages, proofs at z.
func TestCalldata_Recorded(t *testing.T) {
	t.Parallel()
	archive := []string{"batch_8373665", "8373665.tar.gz"}
	var words []felt.Felt
	for _, line := range strings.Fields(string(starknettest.ReadTar(t, "program_output.txt", archive...))) {
		words = append(words, must(felt.FromHex(line))(t))
	}
	var blobs []blob.Blob
	for _, name := range []string{"1.txt", "2.txt"} {
		blobs = append(blobs, must(blob.ReadHex(bytes.NewReader(starknettest.ReadTar(t, name, archive...))))(t)...)
	}
	u, o := updateOf(t, words, blobs)
	starknettest.ReadTarJSON(t, "stateless_compressed_state_update.json", &u.Segment, archive...)
	got := must(ethereum.Calldata(u, stateBefore(o), configOf(o)))(t)
	want := strings.TrimPrefix(
		strings.TrimSpace(string(starknettest.Read(t, "batch_8373665", "updateStateKzgDA_calldata.hex"))), "0x")
	if hex.EncodeToString(got) != want {
		t.Errorf("calldata of %d bytes differs from the recorded %d", len(got), len(want)/2)
	}
}

// TestCalldata_Recorded6806848 has one blob; its proof at z is checked against commitment and y.
func TestCalldata_Recorded6806848(t *testing.T) {
	t.Parallel()
	var words []felt.Felt
	for _, line := range strings.Fields(string(starknettest.Read(t, "settlement_6806848", "program_output.txt"))) {
		n, ok := new(big.Int).SetString(line, 10)
		if !ok {
			t.Fatalf("word %q", line)
		}
		words = append(words, must(felt.FromBig(n))(t))
	}
	u, o := updateOf(t, words,
		must(blob.ReadHex(bytes.NewReader(starknettest.Read(t, "settlement_6806848", "blob.hex"))))(t))
	got := must(ethereum.Calldata(u, stateBefore(o), configOf(o)))(t)
	proof := kzg.Proof(got[len(got)-64 : len(got)-16]) // 48 bytes, padded to two words
	if ok, err := kzg.Verify(o.Kzg.Commitments[0], o.Kzg.Z, o.Kzg.Evaluations[0], proof); err != nil || !ok {
		t.Errorf("the proof at the end of the calldata does not hold: %v", err)
	}
}

// segment is a DA segment that fills n blobs.
func segment(n int) []felt.Felt {
	words := make([]felt.Felt, (n-1)*blob.Words+100)
	for i := range words {
		words[i] = felt.FromUint64(uint64(i*i + 7))
	}
	return words
}

// made is an update of blocks 11 to 20 with n blobs that the contract takes in the state and configuration with it.
func made(t testing.TB, n int) (settlement.Update, settlement.State, settlement.Config) {
	t.Helper()
	o := output.Output{
		PrevRoot: felt.FromUint64(101), NewRoot: felt.FromUint64(102), PrevBlock: felt.FromUint64(10),
		NewBlock: felt.FromUint64(20),
		PrevHash: felt.FromUint64(103), NewHash: felt.FromUint64(104), OSProgramHash: felt.FromUint64(105),
		ConfigHash: felt.FromUint64(106),
		Messages: block.Messages{ToL1: []block.MessageToL1{
			{From: felt.FromUint64(1), To: felt.FromUint64(2), Payload: []felt.Felt{felt.FromUint64(3)}}}},
	}
	u := settlement.Update{Batch: 1, StartBlock: 11, EndBlock: 20}
	if n > 0 {
		u.Segment = segment(n)
		blobs := must(blob.FromWords(u.Segment))(t)
		o.Kzg = &output.Kzg{Commitments: must(kzg.CommitAll(blobs))(t)}
		o.Kzg.Z = output.Z(u.Segment, o.Kzg.Commitments)
		for i := range blobs {
			o.Kzg.Evaluations = append(o.Kzg.Evaluations, must(kzg.Evaluate(&blobs[i], o.Kzg.Z))(t))
			u.Blobs = append(u.Blobs, blobs[i][:])
		}
	}
	u.ProgramOutput = o.Words()
	s := settlement.State{Settled: true, Block: 10, Root: o.PrevRoot, BlockHash: o.PrevHash}
	c := settlement.Config{ProgramHash: o.OSProgramHash, AggregatorProgramHash: felt.FromUint64(9),
		ConfigHash: o.ConfigHash, Operator: true}
	return u, s, c
}

// fault breaks an update with two blobs, and code is what the contract would say.
type fault struct {
	name, code string
	change     func(*settlement.Update, *settlement.State, *settlement.Config)
}

// Words of an output with two blobs.
const (
	wordZ          = output.HeaderWords
	wordBlobs      = output.HeaderWords + 1
	wordCommitment = output.HeaderWords + 2
	wordY          = wordCommitment + 4
	wordMessages   = wordY + 4
)

func word(i int, v felt.Felt) func(*settlement.Update, *settlement.State, *settlement.Config) {
	return func(u *settlement.Update, _ *settlement.State, _ *settlement.Config) { u.ProgramOutput[i] = v }
}

// faults are all that protocol.md lists and that can be known without the chain.
func faults() []fault {
	type (
		update = settlement.Update
		state  = settlement.State
		config = settlement.Config
	)
	tooLarge := felt.Felt{0: 0xff}
	wide192, wide128 := felt.Felt{7: 1}, felt.Felt{15: 1}
	return []fault{
		{"NoOperator", "ONLY_OPERATOR", func(_ *update, _ *state, c *config) { c.Operator = false }},
		{"NoWords", "STARKNET_OUTPUT_TOO_SHORT", func(u *update, _ *state, _ *config) { u.ProgramOutput = nil }},
		{"HeaderOnly", "STARKNET_OUTPUT_TOO_SHORT",
			func(u *update, _ *state, _ *config) { u.ProgramOutput = u.ProgramOutput[:output.HeaderWords] }},
		{"CutInEvaluations", "STARKNET_OUTPUT_TOO_SHORT",
			func(u *update, _ *state, _ *config) { u.ProgramOutput = u.ProgramOutput[:wordY+1] }},
		{"LaterThanNext", "INVALID_PREV_BLOCK_NUMBER", func(_ *update, s *state, _ *config) { s.Block = 9 }},
		{"SettledAlready", "INVALID_PREV_BLOCK_NUMBER", func(_ *update, s *state, _ *config) { s.Block = 20 }},
		{"FirstUpdateOfLaterBlocks", "INVALID_PREV_BLOCK_NUMBER",
			func(_ *update, s *state, _ *config) { s.Settled = false }},
		{"AnotherBatch", "INVALID_BLOCK_NUMBER", func(u *update, _ *state, _ *config) { u.EndBlock = 21 }},
		{"Backwards", "INVALID_BLOCK_NUMBER", func(u *update, _ *state, _ *config) {
			u.EndBlock, u.ProgramOutput[output.NewBlockAt] = 10, felt.FromUint64(10)
		}},
		{"NoKzgFlag", "UNEXPECTED_KZG_DA_FLAG", word(output.UseKzgAt, felt.Zero)},
		{"OddKzgFlag", "UNEXPECTED_KZG_DA_FLAG", word(output.UseKzgAt, felt.FromUint64(2))},
		{"BlobMissing", "INVALID_NUMBER_OF_KZG_PROOFS",
			func(u *update, _ *state, _ *config) { u.Blobs, u.Segment = u.Blobs[:1], nil }},
		{"BlobTooMany", "INVALID_NUMBER_OF_KZG_PROOFS",
			func(u *update, _ *state, _ *config) { u.Blobs = append(u.Blobs, u.Blobs[0]) }},
		{"NumberOfBlobs", "INVALID_NUMBER_OF_KZG_PROOFS", word(wordBlobs, felt.MinusOne())},
		{"SegmentOfOtherLength", "INVALID_NUMBER_OF_KZG_PROOFS",
			func(u *update, _ *state, _ *config) { u.Segment = u.Segment[:blob.Words] }},
		{"CommitmentTooWide", "INVALID_KZG_COMMITMENT", word(wordCommitment+3, wide192)},
		{"EvaluationTooWide", "INVALID_Y_VALUE", word(wordY+1, wide128)},
		{"OtherCommitment", "INVALID_BLOB_HASH", word(wordCommitment, felt.FromUint64(1))},
		{"BlobsSwapped", "INVALID_BLOB_HASH", func(u *update, _ *state, _ *config) {
			u.Blobs, u.Segment = [][]byte{u.Blobs[1], u.Blobs[0]}, nil
		}},
		{"BlobOfOtherSegment", "INVALID_BLOB_HASH", func(u *update, _ *state, _ *config) { u.Segment[5] = felt.Zero }},
		{"BlobCutOff", "INVALID_BLOB_HASH", func(u *update, _ *state, _ *config) { u.Blobs[1] = u.Blobs[1][1:] }},
		{"BlobAboveField", "INVALID_BLOB_HASH", func(u *update, _ *state, _ *config) {
			b := bytes.Clone(u.Blobs[0])
			b[0] = 0xff
			u.Blobs, u.Segment = [][]byte{b, u.Blobs[1]}, nil
		}},
		{"OtherEvaluation", "POINT_EVALUATION_PRECOMPILE_CALL_FAILED", word(wordY, felt.FromUint64(1))},
		{"OtherZ", "POINT_EVALUATION_PRECOMPILE_CALL_FAILED", word(wordZ, felt.FromUint64(1))},
		{"OtherZWithoutSegment", "POINT_EVALUATION_PRECOMPILE_CALL_FAILED", func(u *update, _ *state, _ *config) {
			u.ProgramOutput[wordZ], u.Segment = felt.FromUint64(1), nil
		}},
		{"WordOutOfRange", "PROGRAM_OUTPUT_VALUE_OUT_OF_RANGE", word(output.NewRootAt, tooLarge)},
		{"OtherConfig", "INVALID_CONFIG_HASH", word(output.ConfigHashAt, felt.Zero)},
		{"FullOutput", "FULL_OUTPUT_NOT_SUPPORTED", word(output.FullOutputAt, felt.FromUint64(1))},
		{"OtherProgram", "AGGREGATOR_MODE_INVALID_OS_PROGRAM_HASH", word(output.OSProgramAt, felt.FromUint64(1))},
		{"OtherPreviousHash", "INVALID_PREV_BLOCK_HASH", word(output.PrevHashAt, felt.Zero)},
		{"OtherPreviousRoot", "INVALID_PREVIOUS_ROOT", word(output.PrevRootAt, felt.Zero)},
		{"MessagesTooLong", "INVALID_MESSAGE_SEGMENT_SIZE", word(wordMessages, felt.FromUint64(1000))},
		{"PayloadTooLong", "INVALID_MESSAGE_SEGMENT_SIZE", word(wordMessages+3, felt.FromUint64(2))},
		{"WordsAfterMessages", "STARKNET_OUTPUT_TOO_LONG",
			func(u *update, _ *state, _ *config) { u.ProgramOutput = append(u.ProgramOutput, felt.Zero) }},
	}
}

func TestCalldata_RefusesFaults(t *testing.T) {
	t.Parallel()
	u, s, c := made(t, 2)
	if _, err := ethereum.Calldata(u, s, c); err != nil {
		t.Fatalf("the update without a fault: %v", err)
	}
	for _, f := range faults() {
		u, s, c := made(t, 2)
		f.change(&u, &s, &c)
		_, err := ethereum.Calldata(u, s, c)
		var invalid *settlement.InvalidError
		if !errors.As(err, &invalid) || invalid.Code != f.code || invalid.Detail == "" {
			t.Errorf("%s: %v, want %s", f.name, err, f.code)
		}
	}
}

// TestCalldata_WithoutBlobs: words after the messages are the second page of the output, sent by hash and size.
func TestCalldata_WithoutBlobs(t *testing.T) {
	t.Parallel()
	u, s, c := made(t, 0)
	plain := must(ethereum.Calldata(u, s, c))(t)
	if len(plain) != 4+32*(4+len(u.ProgramOutput)) {
		t.Errorf("%d bytes of calldata for %d words", len(plain), len(u.ProgramOutput))
	}
	u.DataHash, u.DataSize = felt.FromUint64(5), 6
	named := must(ethereum.Calldata(u, s, c))(t)
	if !bytes.Equal(named[4+32:4+96], felt.Concat([]felt.Felt{u.DataHash, felt.FromUint64(6)})) {
		t.Errorf("data hash and size are %x", named[4+32:4+96])
	}
	diff := []felt.Felt{felt.FromUint64(1), felt.FromUint64(2)}
	u.ProgramOutput = append(u.ProgramOutput, diff...)
	var invalid *settlement.InvalidError
	if _, err := ethereum.Calldata(u, s, c); !errors.As(err, &invalid) || invalid.Code != "STARKNET_OUTPUT_TOO_LONG" {
		t.Errorf("two kinds of data: %v", err)
	}
	u.DataHash, u.DataSize = felt.Zero, 0
	h := hash.Keccak256(felt.Concat(diff))
	got := must(ethereum.Calldata(u, s, c))(t)
	if len(got) != len(plain) || !bytes.Equal(got[4+32:4+64], h[:]) || got[4+95] != 2 {
		t.Errorf("the state diff is named as %x", got[4+32:4+96])
	}
}

func TestCalldata_FirstUpdate(t *testing.T) {
	t.Parallel()
	u, s, c := made(t, 1)
	s.Settled, s.Block, u.StartBlock = false, 0, 0
	u.ProgramOutput[output.PrevBlockAt] = felt.MinusOne()
	if _, err := ethereum.Calldata(u, s, c); err != nil {
		t.Errorf("the first update: %v", err)
	}
}

// FuzzCalldata feeds words that come from outside: whatever they are, they are taken or refused with the contract's
// word.
func FuzzCalldata(f *testing.F) {
	u, s, c := made(f, 0)
	f.Add(felt.Concat(u.ProgramOutput))
	o, _, _ := output.Parse(u.ProgramOutput)
	o.Kzg = &output.Kzg{Commitments: make([][48]byte, 2), Evaluations: make([][32]byte, 2)}
	f.Add(felt.Concat(o.Words()))
	f.Fuzz(func(t *testing.T, raw []byte) {
		x := u
		x.ProgramOutput = make([]felt.Felt, len(raw)/felt.Bytes)
		for i := range x.ProgramOutput {
			copy(x.ProgramOutput[i][:], raw[i*felt.Bytes:])
		}
		data, err := ethereum.Calldata(x, s, c)
		var invalid *settlement.InvalidError
		if err != nil && (!errors.As(err, &invalid) || invalid.Code == "") || err == nil && len(data) < 4 {
			t.Errorf("Calldata = %d bytes, %v", len(data), err)
		}
	})
}
