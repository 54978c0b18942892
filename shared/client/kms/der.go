package kms

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/crypto"
)

// maxDER bounds what is parsed, in bytes: keys and signatures have about 90 and 72.
const maxDER = 1024

// errDER says that a key or signature is not what KMS documents.
var errDER = errors.New("malformed answer")

// Object identifiers of an elliptic curve key (RFC 5480) and of the curve (SEC 2).
var (
	oidKey   = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidCurve = asn1.ObjectIdentifier{1, 3, 132, 0, 10}
)

// parsePublicKey reads a DER SubjectPublicKeyInfo and returns the uncompressed point. crypto/x509 does not know the
// curve.
func parsePublicKey(der []byte) ([]byte, error) {
	var info struct {
		Algorithm struct{ Key, Curve asn1.ObjectIdentifier }
		Point     asn1.BitString
	}
	if err := parse(der, &info); err != nil {
		return nil, err
	}
	if !info.Algorithm.Key.Equal(oidKey) || !info.Algorithm.Curve.Equal(oidCurve) {
		return nil, fmt.Errorf("not a secp256k1 key (%s, %s): %w", info.Algorithm.Key, info.Algorithm.Curve, ErrKey)
	}
	k, err := crypto.UnmarshalPubkey(info.Point.RightAlign())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDER, err)
	}
	return crypto.FromECDSAPub(k), nil
}

// parse reads one DER value with nothing after it.
func parse(der []byte, into any) error {
	if len(der) > maxDER {
		return fmt.Errorf("%w: %d bytes", errDER, len(der))
	}
	rest, err := asn1.Unmarshal(der, into)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes follow (%v)", errDER, len(rest), err)
	}
	return nil
}

// fromDER reads an ECDSA signature (RFC 3279) as r and s of 32 bytes each; the last byte is left 0. s is made the lower
// of the two values that are valid.
func fromDER(der []byte) (sig [65]byte, err error) {
	var v struct{ R, S *big.Int }
	if err := parse(der, &v); err != nil {
		return sig, err
	}
	order := crypto.S256().Params().N
	for _, n := range []*big.Int{v.R, v.S} {
		if n.Sign() <= 0 || n.Cmp(order) >= 0 {
			return sig, fmt.Errorf("%w: r or s is outside 1..n-1", errDER)
		}
	}
	if half := new(big.Int).Rsh(order, 1); v.S.Cmp(half) > 0 {
		v.S.Sub(order, v.S)
	}
	v.R.FillBytes(sig[:32])
	v.S.FillBytes(sig[32:64])
	return sig, nil
}
