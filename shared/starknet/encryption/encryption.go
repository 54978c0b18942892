// Package encryption reads DA segments that are encrypted for a data availability committee, as the Starknet OS and the
// aggregator write them since 0.14.1 where the chain has public keys and the output is not a full one: [n, n public
// keys, n encrypted symmetric keys, encrypted words]. Each member's key opens the symmetric key by a Diffie-Hellman
// exchange on the Stark curve. Words are masked by adding Blake2s(symmetric key, index), and the symmetric key by
// adding Blake2s(shared x), with felts as 32 bytes little-endian.
package encryption

import (
	"errors"
	"fmt"
	"math/big"

	starkcurve "github.com/consensys/gnark-crypto/ecc/stark-curve"
	"github.com/consensys/gnark-crypto/ecc/stark-curve/fp"
	"github.com/consensys/gnark-crypto/ecc/stark-curve/fr"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/stateless"
)

// MaxKeys bounds the committee. The first word of a segment that is not encrypted is far above it: a header whose
// lowest 20 bits are 0.
const MaxKeys = 1 << 10

// ErrMalformed says that words are not an encrypted segment; the wrapping text says why.
var ErrMalformed = errors.New("malformed encrypted segment")

// ErrKey says that a private key does not open a segment.
var ErrKey = errors.New("the private key does not open the segment")

// Segment is an encrypted DA segment.
type Segment struct {
	PublicKeys    []felt.Felt // x coordinates of the keys of the exchange, one a member
	SymmetricKeys []felt.Felt // the symmetric key, encrypted for each member
	Words         []felt.Felt // encrypted
}

// Encrypted says whether a DA segment of Starknet 0.13.5 or later begins as an encrypted one: its first word is the
// number of keys.
func Encrypted(segment []felt.Felt) bool {
	if len(segment) == 0 {
		return false
	}
	n, ok := segment[0].Uint64()
	return ok && n >= 1 && n <= MaxKeys
}

// Parse reads an encrypted segment. ErrMalformed where it is not one: too short, or with a public key that is not on
// the curve.
func Parse(segment []felt.Felt) (Segment, error) {
	if !Encrypted(segment) {
		return Segment{}, fmt.Errorf("%w: it does not begin with a number of keys from 1 to %d", ErrMalformed, MaxKeys)
	}
	count, _ := segment[0].Uint64()
	n := int(count)
	if len(segment) < 1+2*n+1 {
		return Segment{}, fmt.Errorf("%w: %d words, %d keys and one encrypted word take %d",
			ErrMalformed, len(segment), n, 2*n+2)
	}
	s := Segment{PublicKeys: segment[1 : 1+n], SymmetricKeys: segment[1+n : 1+2*n], Words: segment[1+2*n:]}
	for i, x := range s.PublicKeys {
		if _, ok := point(x); !ok || small(x) || small(s.SymmetricKeys[i]) {
			return Segment{}, fmt.Errorf("%w: public key %d is %s, its symmetric key %s: the one is not on the Stark "+
				"curve, or they are not random",
				ErrMalformed, i, x, s.SymmetricKeys[i])
		}
	}
	return s, nil
}

// small says whether a word is below 2^192, which random ones are not: so that a plain state diff, whose first word may
// also be a small number, is not taken for an encrypted segment. DA words and aliases are below it.
func small(f felt.Felt) bool {
	for _, b := range f[:8] {
		if b != 0 {
			return false
		}
	}
	return true
}

// Open decrypts the words with a member's private key. Which member's it is need not be known: the words that come out
// must be compressed state diffs. ErrKey where no member's are.
func (s Segment) Open(private felt.Felt) ([]felt.Felt, error) {
	k := private.Big()
	if k.Sign() == 0 || k.Cmp(fr.Modulus()) >= 0 {
		return nil, fmt.Errorf("%w: a private key is from 1 to the curve's order", ErrKey)
	}
	for i, x := range s.PublicKeys {
		words, ok := s.openFor(k, i, x)
		if !ok {
			continue
		}
		if _, _, err := stateless.Decompress(words, stateless.MaxWords); err == nil {
			return words, nil
		}
	}
	return nil, fmt.Errorf("%w: it belongs to none of the %d members", ErrKey, len(s.PublicKeys))
}

// openFor decrypts the words with what the private key makes of the exchange with member i's part.
func (s Segment) openFor(k *big.Int, i int, x felt.Felt) ([]felt.Felt, bool) {
	p, ok := point(x)
	if !ok {
		return nil, false
	}
	var secret starkcurve.G1Affine
	secret.ScalarMultiplication(&p, k)
	shared := secret.X.Bytes()
	key := minus(s.SymmetricKeys[i], hash.Blake2sPlain([]felt.Felt{shared}))
	words := make([]felt.Felt, len(s.Words))
	for w, c := range s.Words {
		words[w] = minus(c, hash.Blake2sPlain([]felt.Felt{key, felt.FromUint64(uint64(w))}))
	}
	return words, true
}

// beta is the constant of the Stark curve y^2 = x^3 + x + beta (Starknet documentation, "STARK curve").
var beta = func() fp.Element {
	var b fp.Element
	if _, err := b.SetString(
		"3141592653589793238462643383279502884197169399375105820974944592307816406665"); err != nil {
		panic(err) // fixed input
	}
	return b
}()

// point is one of the two points of the curve with an x coordinate. Which one does not matter: they give the same x in
// an exchange.
func point(x felt.Felt) (starkcurve.G1Affine, bool) {
	var p starkcurve.G1Affine
	p.X.SetBytes(x[:])
	var right fp.Element
	right.Square(&p.X)
	right.Mul(&right, &p.X)
	right.Add(&right, &p.X)
	right.Add(&right, &beta)
	return p, p.Y.Sqrt(&right) != nil && !x.IsZero()
}

// minus is a - b in the field.
func minus(a, b felt.Felt) felt.Felt {
	var x, y fp.Element
	x.SetBytes(a[:])
	y.SetBytes(b[:])
	x.Sub(&x, &y)
	return x.Bytes()
}
