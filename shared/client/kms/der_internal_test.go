package kms

import (
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

// FuzzDER feeds signatures and keys, which come from outside.
func FuzzDER(f *testing.F) {
	der, err := asn1.Marshal(
		struct{ R, S *big.Int }{big.NewInt(5), new(big.Int).Sub(crypto.S256().Params().N, big.NewInt(9))})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add([]byte{0x30, 6, 2, 1, 1, 2, 1, 0})
	half := new(big.Int).Rsh(crypto.S256().Params().N, 1)
	f.Fuzz(func(t *testing.T, der []byte) {
		if sig, err := fromDER(der); err == nil {
			s := new(big.Int).SetBytes(sig[32:64])
			if s.Sign() == 0 || s.Cmp(half) > 0 || sig[64] != 0 {
				t.Errorf("signature %x", sig)
			}
		}
		if p, err := parsePublicKey(der); err == nil && (len(p) != 65 || p[0] != 4) {
			t.Errorf("point %x", p)
		}
	})
}
