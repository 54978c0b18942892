package hash

import (
	"crypto/sha256"
	"strconv"
	"sync"

	"github.com/consensys/gnark-crypto/ecc/stark-curve/fp"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Rounds of the Hades permutation as Starknet has it: half of the full ones come before the partial ones, half after.
const (
	fullRounds    = 8
	partialRounds = 83
	rounds        = fullRounds + partialRounds
)

// state is what the permutation works on.
type state [3]fp.Element

// roundKeys are added in each round: the hashes of "Hades0", "Hades1" and so on (starkware-industries/poseidon,
// generate_constants.py).
var roundKeys = sync.OnceValue(func() *[rounds]state {
	var out [rounds]state
	for i := range out {
		for k := range out[i] {
			sum := sha256.Sum256([]byte("Hades" + strconv.Itoa(len(out[i])*i+k)))
			out[i][k].SetBytes(sum[:]) // modulo the prime
		}
	}
	return &out
})

// permute is the Hades permutation.
func (s *state) permute() {
	keys := roundKeys()
	for i := range rounds {
		for k := range s {
			s[k].Add(&s[k], &keys[i][k])
		}
		cube(&s[2])
		if i < fullRounds/2 || i >= rounds-fullRounds/2 {
			cube(&s[0])
			cube(&s[1])
		}
		s.mix()
	}
}

func cube(x *fp.Element) {
	var squared fp.Element
	squared.Square(x)
	x.Mul(x, &squared)
}

// mix multiplies with the matrix ((3,1,1), (1,-1,1), (1,1,-2)).
func (s *state) mix() {
	var sum, part fp.Element
	sum.Add(&s[0], &s[1])
	sum.Add(&sum, &s[2])
	part.Double(&s[0])
	s[0].Add(&sum, &part)
	part.Double(&s[1])
	s[1].Sub(&sum, &part)
	part.Double(&s[2])
	part.Add(&part, &s[2])
	s[2].Sub(&sum, &part)
}

// add adds a felt to a part of the state.
func (s *state) add(i int, f felt.Felt) {
	var x fp.Element
	x.SetBytes(f[:])
	s[i].Add(&s[i], &x)
}

// Poseidon is the Poseidon (Hades) hash of two felts.
func Poseidon(a, b felt.Felt) felt.Felt {
	var s state
	s.add(0, a)
	s.add(1, b)
	s.add(2, felt.FromUint64(2))
	s.permute()
	return s[0].Bytes()
}

// PoseidonMany is the Poseidon hash of a list.
func PoseidonMany(fs []felt.Felt) felt.Felt {
	var s state
	for ; len(fs) >= 2; fs = fs[2:] {
		s.add(0, fs[0])
		s.add(1, fs[1])
		s.permute()
	}
	if len(fs) == 1 {
		s.add(0, fs[0])
	}
	s.add(len(fs), felt.FromUint64(1)) // the end of the list
	s.permute()
	return s[0].Bytes()
}
