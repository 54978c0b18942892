// Command gen writes setup.bin: the points of Ethereum's KZG ceremony that package kzg needs, uncompressed, so that a
// program has them without decompressing or checking them. Run it by go generate; a test checks the result against the
// ceremony's file as go-ethereum carries it.
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"
)

const (
	points   = 4096
	cellSize = 64
	cells    = 128
)

func main() {
	if err := run("setup.bin"); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ethereum/go-ethereum").Output()
	if err != nil {
		return fmt.Errorf("find go-ethereum: %w", err)
	}
	raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "crypto", "kzg4844", "trusted_setup.json"))
	if err != nil {
		return fmt.Errorf("read the ceremony's file: %w", err)
	}
	var setup struct {
		G1 []string `json:"g1_monomial"`
		G2 []string `json:"g2_monomial"`
	}
	if err := json.Unmarshal(raw, &setup); err != nil {
		return fmt.Errorf("decode the ceremony's file: %w", err)
	}
	g1 := make([]bls12381.G1Affine, points)
	for i := range g1 {
		b, err := hex.DecodeString(strings.TrimPrefix(setup.G1[i], "0x"))
		if err != nil {
			return fmt.Errorf("point %d: %w", i, err)
		}
		if _, err := g1[i].SetBytes(b); err != nil { // on the curve and in the subgroup
			return fmt.Errorf("point %d: %w", i, err)
		}
	}
	var tau bls12381.G2Affine
	b, err := hex.DecodeString(strings.TrimPrefix(setup.G2[1], "0x"))
	if err != nil {
		return fmt.Errorf("second point of G2: %w", err)
	}
	if _, err := tau.SetBytes(b); err != nil {
		return fmt.Errorf("second point of G2: %w", err)
	}
	var file []byte
	for i := range g1 {
		file = appendPoint(file, &g1[i])
	}
	for offset := range cellSize {
		for _, p := range column(g1, offset) {
			file = appendPoint(file, &p)
		}
	}
	x := tau.RawBytes()
	return os.WriteFile(out, append(file, x[:]...), 0o644)
}

// appendPoint appends X and Y, 48 bytes each; the point at infinity is all zeros.
func appendPoint(to []byte, p *bls12381.G1Affine) []byte {
	x, y := p.X.Bytes(), p.Y.Bytes()
	return append(append(to, x[:]...), y[:]...)
}

// column is the transform of the points that FK20 multiplies the coefficients of one offset with.
func column(g1 []bls12381.G1Affine, offset int) []bls12381.G1Affine {
	v := make([]bls12381.G1Jac, cells)
	for k, i := 0, points-cellSize-1-offset; i >= 0; k, i = k+1, i-cellSize {
		v[k].FromAffine(&g1[i])
	}
	transform(v, fft.NewDomain(cells).Generator)
	return bls12381.BatchJacobianToAffineG1(v)
}

// transform is the discrete Fourier transform of points, straight from its definition by halves.
func transform(v []bls12381.G1Jac, w fr.Element) {
	n := len(v)
	if n == 1 {
		return
	}
	even, odd := make([]bls12381.G1Jac, n/2), make([]bls12381.G1Jac, n/2)
	for i := range n / 2 {
		even[i], odd[i] = v[2*i], v[2*i+1]
	}
	var w2 fr.Element
	w2.Square(&w)
	transform(even, w2)
	transform(odd, w2)
	f := fr.One()
	for i := range n / 2 {
		var t bls12381.G1Jac
		t.ScalarMultiplication(&odd[i], f.BigInt(new(big.Int)))
		v[i] = even[i]
		v[i].AddAssign(&t)
		v[i+n/2] = even[i]
		v[i+n/2].SubAssign(&t)
		f.Mul(&f, &w)
	}
}
