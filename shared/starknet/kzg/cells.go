package kzg

import (
	"fmt"
	"math/big"
	"math/bits"

	"github.com/consensys/gnark-crypto/ecc"
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"

	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
)

// rows is how many coefficients each offset has.
const rows = degree / cellSize

// CellProofs returns the proofs of a version 1 sidecar (EIP-7594): one for each of the Cells cells of the extended
// blob.
//
// All are computed together after Feist and Khovratovich ("Fast amortized KZG proofs"): the quotients' commitments are
// a sum of products of Toeplitz matrices with points of the set-up. Each becomes a product by components after a
// Fourier transform, that of the points being embedded, and one more transform turns the commitments into the proofs.
func CellProofs(b *blob.Blob) ([]Proof, error) {
	f, err := coefficients(b)
	if err != nil {
		return nil, fmt.Errorf("prove the cells of a blob: %w", err)
	}
	scalars := make([][]fr.Element, Cells) // by component, then by offset
	for j := range scalars {
		scalars[j] = make([]fr.Element, cellSize)
	}
	for offset := range cellSize {
		for j, e := range toeplitz(f, offset) {
			scalars[j][offset] = e
		}
	}
	h := make([]bls12381.G1Jac, Cells)
	cols := columns()
	for j := range h {
		ps := make([]bls12381.G1Affine, cellSize)
		for offset := range ps {
			ps[offset] = cols[offset*Cells+j]
		}
		if _, err := h[j].MultiExp(ps, scalars[j], ecc.MultiExpConfig{}); err != nil {
			return nil, fmt.Errorf("multiply points: %w", err)
		}
	}
	d := cellDomain()
	transform(h, d.GeneratorInv)
	n := d.CardinalityInv.BigInt(new(big.Int))
	for j := range h {
		if j < rows {
			h[j].ScalarMultiplication(&h[j], n)
		} else {
			h[j] = bls12381.G1Jac{}
		}
	}
	transform(h, d.Generator)
	affine := bls12381.BatchJacobianToAffineG1(h)
	proofs := make([]Proof, Cells)
	for i := range affine {
		proofs[bits.Reverse8(uint8(i))>>1] = affine[i].Bytes() // 128 cells: 7 bits
	}
	return proofs, nil
}

// toeplitz is the transform of the first column of the circulant matrix that holds the offset's Toeplitz matrix.
func toeplitz(f []fr.Element, offset int) []fr.Element {
	v := make([]fr.Element, Cells)
	v[0] = f[degree-1-offset]
	for k, i := rows+2, 2*cellSize-offset-1; i < degree-offset-1; k, i = k+1, i+cellSize {
		v[k] = f[i]
	}
	d := cellDomain()
	d.FFT(v, fft.DIF)
	fft.BitReverse(v)
	return v
}

// transform is the discrete Fourier transform of points in place, with w a root of unity of the length's order.
func transform(v []bls12381.G1Jac, w fr.Element) {
	n := len(v)
	shift := 64 - bits.Len(uint(n-1))
	for i := range v {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			v[i], v[j] = v[j], v[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		step := root(w, n/size)
		factors := make([]*big.Int, size/2)
		f := fr.One()
		for k := range factors {
			factors[k] = f.BigInt(new(big.Int))
			f.Mul(&f, &step)
		}
		for start := 0; start < n; start += size {
			for k := range size / 2 {
				a, b := &v[start+k], &v[start+k+size/2]
				t := *b
				if k != 0 {
					t.ScalarMultiplication(b, factors[k])
				}
				*b = *a
				b.SubAssign(&t)
				a.AddAssign(&t)
			}
		}
	}
}

// root is w to the power of a small n.
func root(w fr.Element, n int) fr.Element {
	var r fr.Element
	r.Exp(w, big.NewInt(int64(n)))
	return r
}
