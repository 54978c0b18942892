package blob_test

import (
	"math/big"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
)

// modulus is the order of the BLS12-381 scalar field (EIP-4844: BLS_MODULUS).
var modulus = fr.Modulus()

// generator is a primitive root of unity of order 4096: 7 generates the field's units (EIP-4844:
// PRIMITIVE_ROOT_OF_UNITY).
var generator = new(big.Int).Exp(big.NewInt(7),
	new(big.Int).Div(new(big.Int).Sub(modulus, big.NewInt(1)), big.NewInt(blob.Words)), modulus)

// naive is element i of the blob of words as the definition has it: the polynomial at w^bitrev12(i), a term at a time.
// The whole blob is a double loop over it.
func naive(words []felt.Felt, i int) *big.Int {
	x := new(big.Int).Exp(generator, big.NewInt(int64(bits.Reverse16(uint16(i))>>4)), modulus)
	sum, power := new(big.Int), big.NewInt(1)
	for _, w := range words {
		term := new(big.Int).SetBytes(w[:])
		sum.Add(sum, term.Mul(term, power))
		sum.Mod(sum, modulus)
		power.Mul(power, x)
		power.Mod(power, modulus)
	}
	return sum
}

func randomWords(seed uint64, n int) []felt.Felt {
	r := rand.New(rand.NewPCG(seed, seed))
	words := make([]felt.Felt, n)
	for i := range words {
		for k := 1; k < 32; k++ { // below the Stark prime
			words[i][k] = byte(r.Uint32())
		}
	}
	return words
}

// The FFT gives what the definition does.
func TestDefinition(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 15, blob.Words} {
		words := randomWords(uint64(n), n)
		bs, err := blob.FromWords(words)
		if err != nil || len(bs) != 1 {
			t.Fatal(err)
		}
		for _, i := range []int{0, 1, 2, 3, 1000, 4094, 4095} {
			if got, want := new(big.Int).SetBytes(bs[0][i*32:(i+1)*32]), naive(words, i); got.Cmp(want) != 0 {
				t.Errorf("%d words, element %d is %x, want %x", n, i, got, want)
			}
		}
	}
}

// sample is how many elements of the naive blob are computed: each takes the same time, so the whole takes
// blob.Words/sample times it.
const sample = 16

// BenchmarkEncode compares the FFT with the double loop over big integers in one run.
func BenchmarkEncode(b *testing.B) {
	words := randomWords(1, blob.Words)
	if _, err := blob.FromWords(words); err != nil { // the domain is made once a process
		b.Fatal(err)
	}
	began := time.Now()
	for i := range sample {
		naive(words, i*blob.Words/sample)
	}
	loop := float64(time.Since(began).Nanoseconds()) * blob.Words / sample
	began = time.Now()
	n := 0
	for b.Loop() {
		if _, err := blob.FromWords(words); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(loop/(float64(time.Since(began).Nanoseconds())/float64(n)), "double-loop/fft")
}
