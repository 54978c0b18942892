// Package kzg computes EIP-4844 commitments and proofs: what a blob transaction and the core contract want of a blob.
//
// The trusted set-up's points are embedded uncompressed and taken as they are (a test checks them against Ethereum's
// ceremony), so a process is ready in milliseconds without cgo, where libraries need seconds to decompress, check and
// precompute. Functions that need no points never load them.
package kzg

import (
	_ "embed"
	"sync"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"
)

//go:generate go run ./gen

//go:embed setup.bin
var setupFile []byte

const (
	degree   = 4096 // coefficients of a blob's polynomial
	cellSize = 64   // field elements of a cell (EIP-7594: FIELD_ELEMENTS_PER_CELL)
	// Cells is how many cell proofs a blob has (EIP-7594: CELLS_PER_EXT_BLOB).
	Cells     = 128
	pointSize = 96 // X and Y
)

// once is a value that is made when it is asked for first. sync.OnceValue would do, but a variable that is set to a
// function keeps the linker from leaving out what only that function uses: the embedded points, in every program that
// links this package and proves nothing.
type once[T any] struct {
	done  sync.Once
	value T
}

func (o *once[T]) get(make func() T) T {
	o.done.Do(func() { o.value = make() })
	return o.value
}

var (
	madePowers, madeColumns        once[[]bls12381.G1Affine]
	madeTauG2                      once[bls12381.G2Affine]
	madeBlobDomain, madeCellDomain once[*fft.Domain]
)

// powers are the points tau^i of the first group, i from 0.
func powers() []bls12381.G1Affine {
	return madePowers.get(func() []bls12381.G1Affine { return points(0, degree) })
}

// columns are the transformed points of FK20: Cells points for each of cellSize offsets.
func columns() []bls12381.G1Affine {
	return madeColumns.get(func() []bls12381.G1Affine { return points(degree, cellSize*Cells) })
}

// tauG2 is the point tau of the second group.
func tauG2() bls12381.G2Affine {
	return madeTauG2.get(func() bls12381.G2Affine {
		var p bls12381.G2Affine
		raw := setupFile[(degree+cellSize*Cells)*pointSize:]
		if _, err := p.SetBytes(raw); err != nil {
			panic("kzg: embedded set-up is damaged: " + err.Error()) // excluded by TestSetup
		}
		return p
	})
}

func blobDomain() *fft.Domain {
	return madeBlobDomain.get(func() *fft.Domain { return fft.NewDomain(degree) })
}

func cellDomain() *fft.Domain {
	return madeCellDomain.get(func() *fft.Domain { return fft.NewDomain(Cells) })
}

func points(first, n int) []bls12381.G1Affine {
	ps := make([]bls12381.G1Affine, n)
	for i := range ps {
		raw := setupFile[(first+i)*pointSize:][:pointSize]
		ps[i].X.SetBytes(raw[:48])
		ps[i].Y.SetBytes(raw[48:])
	}
	return ps
}
