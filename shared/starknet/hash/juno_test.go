package hash_test

import (
	"math/rand/v2"
	"testing"

	"github.com/NethermindEth/juno/core/crypto"
	junofelt "github.com/NethermindEth/juno/core/felt"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
)

// Pedersen and Poseidon are those of juno, a Starknet node: for the edges of the field and for random felts.
func TestJuno(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	fs := []felt.Felt{felt.Zero, felt.FromUint64(1), felt.FromUint64(2), felt.MinusOne(), felt.FromUint64(1 << 63),
		felt.MustHex("0x7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
		felt.MustHex("0x0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")}
	for range 40 {
		var f felt.Felt
		for i := 1; i < len(f); i++ {
			f[i] = byte(r.Uint32())
		}
		f[0] = byte(r.Uint32N(8))
		fs = append(fs, f)
	}
	theirs := func(f felt.Felt) *junofelt.Felt { return new(junofelt.Felt).SetBytes(f[:]) }
	same := func(what string, got felt.Felt, want junofelt.Felt) {
		t.Helper()
		if got != felt.Felt(want.Bytes()) {
			t.Errorf("%s is %s, juno's %s", what, got, want.String())
		}
	}
	for i, a := range fs {
		b := fs[(i*7+3)%len(fs)]
		same("Pedersen of "+a.String()+", "+b.String(), hash.Pedersen(a, b), crypto.Pedersen(theirs(a), theirs(b)))
		same("PedersenOften of "+a.String()+", "+b.String(), hash.PedersenOften(a, b),
			crypto.Pedersen(theirs(a), theirs(b)))
		same("Poseidon of "+a.String()+", "+b.String(), hash.Poseidon(a, b), crypto.Poseidon(theirs(a), theirs(b)))
	}
	for n := range 12 {
		var list []*junofelt.Felt
		for _, f := range fs[:n] {
			list = append(list, theirs(f))
		}
		same("PedersenArray", hash.PedersenArray(fs[:n]), crypto.PedersenArray(list...))
		same("PoseidonMany", hash.PoseidonMany(fs[:n]), crypto.PoseidonArray(list...))
	}
}

func BenchmarkPedersen(b *testing.B) {
	x := felt.MinusOne()
	for b.Loop() {
		x = hash.Pedersen(x, x)
	}
}

func BenchmarkPedersenOften(b *testing.B) {
	x := felt.MinusOne()
	for b.Loop() {
		x = hash.PedersenOften(x, x)
	}
}

func BenchmarkPoseidon(b *testing.B) {
	x := felt.MinusOne()
	for b.Loop() {
		x = hash.Poseidon(x, x)
	}
}

// The same with juno's, to compare with.
func BenchmarkJunoPedersen(b *testing.B) {
	x := junofelt.One
	for b.Loop() {
		x = crypto.Pedersen(&x, &x)
	}
}
