package kzg

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"runtime"

	"github.com/consensys/gnark-crypto/ecc"
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"
	"golang.org/x/sync/errgroup"

	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
)

// Commitment is a compressed point of BLS12-381's first group.
type Commitment = [48]byte

// Proof is a compressed point of BLS12-381's first group.
type Proof = [48]byte

// versionKzg is the first byte of a versioned hash (EIP-4844: VERSIONED_HASH_VERSION_KZG).
const versionKzg = 0x01

// VersionedHash is what a transaction names a blob by: 0x01 and the last 31 bytes of SHA-256 of its commitment.
func VersionedHash(c Commitment) [32]byte {
	h := sha256.Sum256(c[:])
	h[0] = versionKzg
	return h
}

// coefficients returns the coefficients of the polynomial that the blob holds the values of.
func coefficients(b *blob.Blob) ([]fr.Element, error) {
	v, err := blob.Elements(b)
	if err != nil {
		return nil, err
	}
	blobDomain().FFTInverse(v, fft.DIT)
	return v, nil
}

// commit is the sum of coefficients times powers of tau.
func commit(coeffs []fr.Element) (Commitment, error) {
	var p bls12381.G1Affine
	if _, err := p.MultiExp(powers()[:len(coeffs)], coeffs, ecc.MultiExpConfig{}); err != nil {
		return Commitment{}, fmt.Errorf("multiply points: %w", err)
	}
	return p.Bytes(), nil
}

// Commit returns a blob's commitment.
func Commit(b *blob.Blob) (Commitment, error) {
	c, err := coefficients(b)
	if err != nil {
		return Commitment{}, fmt.Errorf("commit to blob: %w", err)
	}
	return commit(c)
}

// ProofAt returns the proof that the blob's polynomial has the value y at z. z is an integer below the scalar field's
// order, 32 bytes big-endian, and so is y.
func ProofAt(b *blob.Blob, z [32]byte) (proof Proof, y [32]byte, err error) {
	point, err := scalar(z)
	if err != nil {
		return proof, y, fmt.Errorf("point: %w", err)
	}
	c, err := coefficients(b)
	if err != nil {
		return proof, y, fmt.Errorf("prove blob at a point: %w", err)
	}
	quotient, value := divide(c, point)
	if proof, err = commit(quotient); err != nil {
		return proof, y, err
	}
	return proof, value.Bytes(), nil
}

// divide returns the quotient of p by (X - z), by Horner's scheme, and the remainder, which is p(z).
func divide(p []fr.Element, z fr.Element) (quotient []fr.Element, value fr.Element) {
	quotient = make([]fr.Element, len(p)-1)
	acc := p[len(p)-1]
	for i := len(p) - 2; i >= 0; i-- {
		quotient[i] = acc
		acc.Mul(&acc, &z).Add(&acc, &p[i])
	}
	return quotient, acc
}

// Evaluate returns the value of the blob's polynomial at z. It needs no set-up.
func Evaluate(b *blob.Blob, z [32]byte) (y [32]byte, err error) {
	point, err := scalar(z)
	if err != nil {
		return y, fmt.Errorf("point: %w", err)
	}
	c, err := coefficients(b)
	if err != nil {
		return y, fmt.Errorf("evaluate blob: %w", err)
	}
	_, value := divide(c, point)
	return value.Bytes(), nil
}

func scalar(b [32]byte) (fr.Element, error) {
	var e fr.Element
	if err := e.SetBytesCanonical(b[:]); err != nil {
		return e, fmt.Errorf("0x%x is not below the BLS12-381 scalar order: %w", b, err)
	}
	return e, nil
}

// challengeDomain begins what a blob proof's point is hashed from (EIP-4844: FIAT_SHAMIR_PROTOCOL_DOMAIN).
const challengeDomain = "FSBLOBVERIFY_V1_"

// BlobProof returns the proof of a version 0 sidecar: at a point that is hashed from the blob and its commitment.
func BlobProof(b *blob.Blob, c Commitment) (Proof, error) {
	h := sha256.New()
	h.Write([]byte(challengeDomain))
	var n [16]byte
	binary.BigEndian.PutUint64(n[8:], degree)
	h.Write(n[:])
	h.Write(b[:])
	h.Write(c[:])
	var z fr.Element
	z.SetBytes(h.Sum(nil)) // reduced, as the specification's hash_to_bls_field does
	p, _, err := ProofAt(b, z.Bytes())
	return p, err
}

// Verify says whether a proof shows that the committed polynomial has the value y at z. An error means that one of the
// inputs is not a point or not a scalar.
func Verify(c Commitment, z, y [32]byte, proof Proof) (bool, error) {
	var commitment, pi bls12381.G1Affine
	if _, err := commitment.SetBytes(c[:]); err != nil {
		return false, fmt.Errorf("commitment: %w", err)
	}
	if _, err := pi.SetBytes(proof[:]); err != nil {
		return false, fmt.Errorf("proof: %w", err)
	}
	zs, err := scalar(z)
	if err != nil {
		return false, fmt.Errorf("point: %w", err)
	}
	ys, err := scalar(y)
	if err != nil {
		return false, fmt.Errorf("value: %w", err)
	}
	_, _, g1, g2 := bls12381.Generators()
	// e(C - y*G1 + z*proof, G2) = e(proof, tau*G2)
	var left, t bls12381.G1Jac
	left.FromAffine(&commitment)
	t.FromAffine(&g1)
	t.ScalarMultiplication(&t, ys.BigInt(new(big.Int)))
	left.SubAssign(&t)
	t.FromAffine(&pi)
	t.ScalarMultiplication(&t, zs.BigInt(new(big.Int)))
	left.AddAssign(&t)
	var l, minusPi bls12381.G1Affine
	l.FromJacobian(&left)
	minusPi.Neg(&pi)
	return bls12381.PairingCheck([]bls12381.G1Affine{l, minusPi}, []bls12381.G2Affine{g2, tauG2()})
}

// CommitAll commits to blobs, several at a time.
func CommitAll(blobs []blob.Blob) ([]Commitment, error) {
	out := make([]Commitment, len(blobs))
	err := Parallel(len(blobs), func(i int) (err error) { out[i], err = Commit(&blobs[i]); return err })
	return out, err
}

// Parallel calls f for 0..n-1, as many at a time as there are processors, and returns the first error.
func Parallel(n int, f func(i int) error) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		g.Go(func() error {
			if err := f(i); err != nil {
				return fmt.Errorf("blob %d: %w", i, err)
			}
			return nil
		})
	}
	return g.Wait()
}
