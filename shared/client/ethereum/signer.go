package ethereum

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"
)

// Signer signs with one secp256k1 key: KeySigner, or a key service (package kms). Safe for concurrent use.
type Signer interface {
	// Address is the key's account.
	Address(ctx context.Context) ([20]byte, error)
	// SignDigest signs a 32-byte digest: r, s (the lower of the two) and the recovery id 0 or 1 in its last byte.
	SignDigest(ctx context.Context, digest [32]byte) ([65]byte, error)
}

// ErrWatched says that a wallet only watches an account: it has no key.
var ErrWatched = errors.New("this wallet only watches the account: it can't sign")

// Watched is an account without its key, for programs that only look at it: a Signer that never signs.
type Watched [20]byte

// NewWatched reads an account's address.
func NewWatched(address string) (Watched, error) {
	a, err := parseAddress("watched account", address)
	return Watched(a), err
}

// Address implements Signer.
func (w Watched) Address(context.Context) ([20]byte, error) { return w, nil }

// SignDigest implements Signer: it returns ErrWatched.
func (Watched) SignDigest(context.Context, [32]byte) (sig [65]byte, err error) {
	return sig, ErrWatched
}

// KeySigner signs with a key in memory.
type KeySigner struct{ key *ecdsa.PrivateKey }

// NewKeySigner reads a private key of 64 hex digits, with or without 0x. The error never shows it.
func NewKeySigner(secret string) (*KeySigner, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(secret), "0x"))
	if err != nil || len(raw) != 32 {
		return nil, errors.New("private key: want 64 hex digits")
	}
	k, err := crypto.ToECDSA(raw)
	if err != nil {
		return nil, errors.New("private key: it is not a secp256k1 key")
	}
	return &KeySigner{key: k}, nil
}

// Address implements Signer.
func (s *KeySigner) Address(context.Context) ([20]byte, error) {
	return crypto.PubkeyToAddress(s.key.PublicKey), nil
}

// SignDigest implements Signer.
func (s *KeySigner) SignDigest(_ context.Context, digest [32]byte) (sig [65]byte, err error) {
	b, err := crypto.Sign(digest[:], s.key)
	if err != nil {
		return sig, errors.New("sign: the key can't sign this digest")
	}
	copy(sig[:], b)
	return sig, nil
}

// String hides the key.
func (s *KeySigner) String() string { return "key in memory" }

// GoString hides the key.
func (s *KeySigner) GoString() string { return s.String() }
