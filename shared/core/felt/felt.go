// Package felt holds the field element that every Starknet value is made of.
//
// It is a plain 32-byte value: comparable, usable as a map key, without arithmetic. Arithmetic in the field lives in
// shared/starknet, so that packages which only carry felts link no cryptography.
package felt

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Felt is an element of the Stark field: 32 bytes, big-endian, below the prime P. The zero value is the element 0.
type Felt [32]byte

// Bytes is the length of a felt's big-endian encoding.
const Bytes = 32

// Zero is the element 0.
var Zero Felt

// prime is P = 2^251 + 17*2^192 + 1 (Starknet documentation, "STARK curve").
var prime = func() Felt {
	var f Felt
	f[0], f[7], f[31] = 0x08, 0x11, 0x01
	return f
}()

// ErrInvalid says that a text or a byte string is not an element of the Stark field.
var ErrInvalid = errors.New("not a field element")

// Prime returns the order P of the Stark field as a new integer.
func Prime() *big.Int { return new(big.Int).SetBytes(prime[:]) }

// MinusOne is P-1, the value that stands for "no block yet" in a program output's previous block number.
func MinusOne() Felt {
	f := prime
	f[31] = 0
	return f
}

// FromUint64 returns n as a felt.
func FromUint64(n uint64) Felt {
	var f Felt
	binary.BigEndian.PutUint64(f[24:], n)
	return f
}

// FromBytes reads a big-endian integer of at most 32 bytes. It fails with ErrInvalid when the value is not below P.
func FromBytes(b []byte) (Felt, error) {
	var f Felt
	if len(b) > Bytes {
		return f, fmt.Errorf("%d bytes where at most %d fit: %w", len(b), Bytes, ErrInvalid)
	}
	copy(f[Bytes-len(b):], b)
	if f.Cmp(prime) >= 0 {
		return Felt{}, fmt.Errorf("0x%x is not below the Stark prime: %w", b, ErrInvalid)
	}
	return f, nil
}

// FromBig returns n as a felt. It fails with ErrInvalid when n is negative or not below P.
func FromBig(n *big.Int) (Felt, error) {
	if n.Sign() < 0 || n.BitLen() > 8*Bytes {
		return Felt{}, fmt.Errorf("%s is outside 0..P-1: %w", n, ErrInvalid)
	}
	return FromBytes(n.Bytes())
}

// FromHex reads hexadecimal digits with or without the prefix 0x, of any length up to 64 digits.
func FromHex(s string) (Felt, error) {
	digits := strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	if digits == "" || len(digits) > 2*Bytes {
		return Felt{}, fmt.Errorf("%.80q has %d hex digits, want 1 to 64: %w", s, len(digits), ErrInvalid)
	}
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return Felt{}, fmt.Errorf("%.80q: %w", s, ErrInvalid)
	}
	return FromBytes(b)
}

// MustHex is FromHex for constants; it panics where FromHex fails.
func MustHex(s string) Felt {
	f, err := FromHex(s)
	if err != nil {
		panic(err)
	}
	return f
}

// FromShortString packs up to 31 ASCII characters into a felt, as Starknet does for chain ids and version names.
func FromShortString(s string) (Felt, error) {
	if len(s) > 31 {
		return Felt{}, fmt.Errorf("%.80q has %d characters, a short string at most 31: %w", s, len(s), ErrInvalid)
	}
	return FromBytes([]byte(s))
}

// Big returns f as a new integer.
func (f Felt) Big() *big.Int { return new(big.Int).SetBytes(f[:]) }

// IsZero says whether f is the element 0.
func (f Felt) IsZero() bool { return f == Zero }

// Uint64 returns f as an integer; ok is false when it does not fit in 64 bits.
func (f Felt) Uint64() (n uint64, ok bool) {
	for _, b := range f[:24] {
		if b != 0 {
			return 0, false
		}
	}
	return binary.BigEndian.Uint64(f[24:]), true
}

// Cmp compares as integers: -1, 0 or 1.
func (f Felt) Cmp(g Felt) int {
	for i := range f {
		switch {
		case f[i] < g[i]:
			return -1
		case f[i] > g[i]:
			return 1
		}
	}
	return 0
}

// String returns f in hexadecimal with the prefix 0x and no leading zeros, as Starknet's JSON-RPC writes it.
func (f Felt) String() string {
	s := strings.TrimLeft(hex.EncodeToString(f[:]), "0")
	if s == "" {
		return "0x0"
	}
	return "0x" + s
}

// MarshalText makes a felt a hex string in JSON, also as an object's key.
func (f Felt) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what MarshalText writes, with leading zeros allowed.
func (f *Felt) UnmarshalText(b []byte) error {
	v, err := FromHex(string(b))
	if err != nil {
		return err
	}
	*f = v
	return nil
}

// Concat returns the 32-byte big-endian words of fs in a row.
func Concat(fs []Felt) []byte {
	out := make([]byte, 0, len(fs)*Bytes)
	for i := range fs {
		out = append(out, fs[i][:]...)
	}
	return out
}

// Split reads 32-byte big-endian words. It fails with ErrInvalid on a length that is not a multiple of 32 or a word not
// below P.
func Split(b []byte) ([]Felt, error) {
	if len(b)%Bytes != 0 {
		return nil, fmt.Errorf("%d bytes are not a whole number of 32-byte words: %w", len(b), ErrInvalid)
	}
	out := make([]Felt, len(b)/Bytes)
	for i := range out {
		f, err := FromBytes(b[i*Bytes : (i+1)*Bytes])
		if err != nil {
			return nil, fmt.Errorf("word %d: %w", i, err)
		}
		out[i] = f
	}
	return out, nil
}
