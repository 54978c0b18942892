package starknet

import (
	"crypto/rand"
	"errors"
	"math/big"

	starkcurve "github.com/consensys/gnark-crypto/ecc/stark-curve"
	"github.com/consensys/gnark-crypto/ecc/stark-curve/ecdsa"
	"github.com/consensys/gnark-crypto/ecc/stark-curve/fp"
	"github.com/consensys/gnark-crypto/ecc/stark-curve/fr"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// KeySigner signs with a key of the STARK curve in memory. No key service holds such keys.
type KeySigner struct {
	key ecdsa.PrivateKey
	pub felt.Felt
}

// NewKeySigner reads a private key in hex. The error never shows it.
func NewKeySigner(secret string) (*KeySigner, error) {
	raw, err := felt.FromHex(trimSpace(secret))
	if err != nil || raw.IsZero() || raw.Big().Cmp(fr.Modulus()) >= 0 {
		return nil, errors.New("private key: want a key of the STARK curve in hex")
	}
	var public starkcurve.G1Affine
	public.ScalarMultiplicationBase(raw.Big())
	point := public.Bytes()
	s := &KeySigner{pub: public.X.Bytes()}
	if _, err := s.key.SetBytes(append(point[:], raw[:]...)); err != nil {
		return nil, errors.New("private key: want a key of the STARK curve in hex")
	}
	return s, nil
}

// NewKey makes a private key in hex: for tests and development.
func NewKey() (string, error) {
	k, err := ecdsa.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	raw := k.Bytes() // compressed public key, then the scalar
	f, err := felt.FromBytes(raw[len(raw)-felt.Bytes:])
	return f.String(), err
}

// PublicKey is the key's public key: the point's x coordinate, which account contracts hold.
func (s *KeySigner) PublicKey() felt.Felt { return s.pub }

// maxSignature bounds s and its inverse: some verifiers take 251 bits only (cairo-lang, signature.py).
const maxSignature = 251

// Sign signs a transaction hash: r and s.
func (s *KeySigner) Sign(hash felt.Felt) ([]felt.Felt, error) {
	for range 64 { // a try fails in about one of 16 cases
		_, r, v, err := s.key.SignForRecover(hash[:], nil)
		if err != nil {
			return nil, errors.New("sign: no randomness")
		}
		inverse := new(big.Int).ModInverse(v, fr.Modulus())
		if r.BitLen() > maxSignature || v.BitLen() > maxSignature || inverse == nil || inverse.BitLen() > maxSignature {
			continue
		}
		var out [2]felt.Felt
		r.FillBytes(out[0][:])
		v.FillBytes(out[1][:])
		return out[:], nil
	}
	return nil, errors.New("sign: no signature within range")
}

// Verify says whether a signature of a hash is the public key's.
func Verify(public, hash felt.Felt, signature []felt.Felt) bool {
	if len(signature) != 2 {
		return false
	}
	var x, y2 fp.Element
	x.SetBytes(public[:])
	a, b := starkcurve.CurveCoefficients()
	y2.Square(&x)
	y2.Add(&y2, &a).Mul(&y2, &x).Add(&y2, &b) // x^3 + ax + b
	y := new(fp.Element).Sqrt(&y2)
	if y == nil {
		return false
	}
	raw := append(append([]byte(nil), signature[0][:]...), signature[1][:]...)
	for range 2 { // the x coordinate has two points
		k := ecdsa.PublicKey{A: starkcurve.G1Affine{X: x, Y: *y}}
		if ok, err := k.Verify(raw, hash[:], nil); err == nil && ok {
			return true
		}
		y.Neg(y)
	}
	return false
}

// String hides the key.
func (s *KeySigner) String() string { return "key in memory" }

// GoString hides the key.
func (s *KeySigner) GoString() string { return s.String() }
