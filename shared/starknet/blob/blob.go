// Package blob turns DA words into EIP-4844 blobs and back.
//
// The words of a blob are the coefficients of a polynomial of degree 4095, and the blob holds its values at the roots
// of unity in bit-reversed order: blob[i] = p(w^bitrev12(i)). That is what an FFT with decimation in frequency leaves.
package blob

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Words is how many words a blob holds (EIP-4844: FIELD_ELEMENTS_PER_BLOB).
const Words = 4096

// Size is a blob's length in bytes.
const Size = Words * 32

// MaxBlobs bounds how many blobs one call takes: more than any block of Ethereum carries.
const MaxBlobs = 64

// Blob is 4096 elements of the BLS12-381 scalar field, 32 bytes big-endian each.
type Blob [Size]byte

var (
	// ErrTooMany says that the words need more than MaxBlobs blobs.
	ErrTooMany = errors.New("too many words for one batch of blobs")
	// ErrInvalid says that a blob is malformed: wrong length, or an element that is not below its field's order.
	ErrInvalid = errors.New("malformed blob")
)

// domain is built at first use: programs that encode nothing don't pay for it.
var domain = sync.OnceValue(func() *fft.Domain { return fft.NewDomain(Words) })

// FromWords encodes words, 4096 to a blob; the last blob is filled up with zeros. No words make no blob.
func FromWords(words []felt.Felt) ([]Blob, error) {
	n := (len(words) + Words - 1) / Words
	if n > MaxBlobs {
		return nil, fmt.Errorf("%d words need %d blobs, at most %d: %w", len(words), n, MaxBlobs, ErrTooMany)
	}
	blobs := make([]Blob, n)
	for i := range blobs {
		chunk := words[i*Words : min((i+1)*Words, len(words))]
		v := make([]fr.Element, Words)
		for k := range chunk {
			v[k].SetBytes(chunk[k][:]) // the Stark prime is below the BLS one
		}
		domain().FFT(v, fft.DIF)
		for k := range v {
			b := v[k].Bytes()
			copy(blobs[i][k*32:], b[:])
		}
	}
	return blobs, nil
}

// ToWords decodes blobs into their 4096 words each, trailing zeros of the last blob included: only the encoding of the
// state diff shows how many words were meant. An element that is not a word, because the coefficient is not below the
// Stark prime, is ErrInvalid.
func ToWords(blobs []Blob) ([]felt.Felt, error) {
	words := make([]felt.Felt, 0, len(blobs)*Words)
	for i := range blobs {
		v, err := Elements(&blobs[i])
		if err != nil {
			return nil, fmt.Errorf("blob %d: %w", i, err)
		}
		domain().FFTInverse(v, fft.DIT)
		for k := range v {
			b := v[k].Bytes()
			w, err := felt.FromBytes(b[:])
			if err != nil {
				return nil, fmt.Errorf("blob %d, word %d: %w: %w", i, k, ErrInvalid, err)
			}
			words = append(words, w)
		}
	}
	return words, nil
}

// Elements reads a blob's field elements in its own (bit-reversed) order.
func Elements(b *Blob) ([]fr.Element, error) {
	v := make([]fr.Element, Words)
	for k := range v {
		if err := v[k].SetBytesCanonical(b[k*32 : (k+1)*32]); err != nil {
			return nil, fmt.Errorf("element %d is not below the BLS12-381 scalar order: %w", k, ErrInvalid)
		}
	}
	return v, nil
}

// ReadHex reads blobs written one a line in hex, 0x optional.
func ReadHex(r io.Reader) ([]Blob, error) {
	var blobs []Blob
	s := bufio.NewScanner(r)
	s.Buffer(nil, 2*Size+64)
	for s.Scan() {
		line := strings.TrimPrefix(strings.TrimSpace(s.Text()), "0x")
		if line == "" {
			continue
		}
		if len(blobs) == MaxBlobs {
			return nil, ErrTooMany
		}
		var b Blob
		if n, err := hex.Decode(b[:], []byte(line[:min(len(line), 2*Size)])); err != nil ||
			n != Size || len(line) != 2*Size {
			return nil, fmt.Errorf("line %d is not %d hex digits: %w", len(blobs)+1, 2*Size, ErrInvalid)
		}
		blobs = append(blobs, b)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read blobs: %w: %w", ErrInvalid, err)
	}
	return blobs, nil
}

// WriteHex writes blobs one a line in hex.
func WriteHex(w io.Writer, blobs []Blob) error {
	for i := range blobs {
		if _, err := fmt.Fprintln(w, "0x"+hex.EncodeToString(blobs[i][:])); err != nil {
			return fmt.Errorf("write blob %d: %w", i, err)
		}
	}
	return nil
}
