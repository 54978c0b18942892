package starknet

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// real are transactions of public networks, with the hash under which each network has them.
var real = []struct {
	chain, hash, raw string
}{
	{"SN_SEPOLIA", "0x6035477af07a1b0a0186bec85287a6f629791b2f34b6e90eec9815c7a964f64", `{"type":"INVOKE",
"version":"0x3","nonce":"0x42",
		"sender_address":"0x36d67ab362562a97f9fba8a1051cf8e37ff1a1449530fb9f1f0e32ac2da7d06",
		"signature":["0x33a831e9428920f71c1df9248d4dbf9101fb5ee2bd100c0ad0d10c94c28dfe3",
"0x3fa865114ae29b2a49469401e11eb0db953a7d854916512c2ed400320405c8a"],
		"calldata":["0x1","0x669e24364ce0ae7ec2864fb03eedbe60cfbc9d1c74438d10fa4b86552907d54",
"0x2f0b3c5710379609eb5495f1ecd348cb28167711b73609fe565a72734550354","0x2","0xffffffff","0x0"],
		"resource_bounds":{"l1_data_gas":{"max_amount":"0x1e0","max_price_per_unit":"0x922"},
"l1_gas":{"max_amount":"0x0","max_price_per_unit":"0xfbfdefe2186"},
		"l2_gas":{"max_amount":"0x16eea0","max_price_per_unit":"0x1830e58f7"}},
		"tip":"0x0","paymaster_data":[],"account_deployment_data":[],"nonce_data_availability_mode":"L1",
"fee_data_availability_mode":"L1"}`},
	{"SN_INTEGRATION_SEPOLIA", "0x38f7c9972f2b6f6d92d474cf605a077d154d58de938125180e7c87f22c5b019",
		`{"type":"INVOKE","version":"0x3","nonce":"0x48c11d",
		"sender_address":"0x352057331d5ad77465315d30b98135ddb815b86aa485d659dfeef59a904f88d",
		"signature":["0x6d15723ad818320e63e06c5579a40bf15f9e7dd2e39a79524738336574f4a03",
"0x3c623cec5f149ec9a785e43e716073db55239216e1408d44be338587cd0be90"],
		"calldata":["0x1","0x5c1c7eca392fa7c8ff79bbd7559f45f9693278ddc62edf335e374648d17cbb",
"0x5df99ae77df976b4f0e5cf28c7dcfe09bd6e81aab787b19ac0c08e03d928cf","0x1","0x157"],
		"resource_bounds":{"l1_gas":{"max_amount":"0x11170","max_price_per_unit":"0x2d79883d20000"},
"l2_gas":{"max_amount":"0x5f5e100","max_price_per_unit":"0xba43b7400"},
		"l1_data_gas":{"max_amount":"0x2710","max_price_per_unit":"0x2d79883d20000"}},
		"tip":"0x5f5e100","paymaster_data":[],"account_deployment_data":[],"nonce_data_availability_mode":"L1",
"fee_data_availability_mode":"L1"}`},
}

func TestHashOfRealTransactions(t *testing.T) {
	t.Parallel()
	for _, r := range real {
		x, err := decodeInvoke([]byte(r.raw))
		if err != nil {
			t.Fatal(err)
		}
		if got := x.hash(shortString(r.chain)).String(); got != r.hash {
			t.Errorf("hash %s, the network says %s", got, r.hash)
		}
		again, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := errorsOf(json.Unmarshal([]byte(r.raw), &want), json.Unmarshal(again, &got)); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("encoded again: %s", d)
		}
		x.Nonce = felt.FromUint64(1)
		if x.hash(shortString(r.chain)).String() == r.hash {
			t.Error("another nonce has the same hash")
		}
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestSigner(t *testing.T) {
	t.Parallel()
	// Key and public key of starknet-devnet's first account with seed 0.
	s, err := NewKeySigner(" 0x0000000000000000000000000000000071d7bb07b9a64f6f78ac4c816aff4da9\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := felt.MustHex(
		"0x39d9e6ce352ad4530a0ef5d5a18fd3303c3606a7fa6ac5b620020ad681cc33b"); s.PublicKey() != want {
		t.Errorf("public key %s, want %s", s.PublicKey(), want)
	}
	for i := range 40 {
		hash := felt.FromUint64(uint64(i) * 1e15)
		hash[0] = byte(i % 8)
		sig, err := s.Sign(hash)
		if err != nil {
			t.Fatal(err)
		}
		other := slices.Clone(sig)
		other[1] = felt.FromUint64(uint64(i + 1))
		if !Verify(s.PublicKey(), hash, sig) || Verify(s.PublicKey(), felt.FromUint64(7), sig) ||
			Verify(felt.FromUint64(3), hash, sig) || Verify(s.PublicKey(), hash, other) {
			t.Fatalf("signature %v of %s", sig, hash)
		}
		if sig[0].Big().BitLen() > 251 || sig[1].Big().BitLen() > 251 {
			t.Errorf("signature %v is out of range", sig)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s); len(text) > 100 {
		t.Errorf("printed it is %s", text)
	}
	for _, bad := range []string{"", "0x", "0x0", "key",
		"0x800000000000010ffffffffffffffffb781126dcae7b2321e66a241adc64d2f"} {
		if _, err := NewKeySigner(bad); err == nil {
			t.Errorf("%q is taken for a key", bad)
		}
	}
	if k, err := NewKey(); err != nil {
		t.Error(err)
	} else if _, err := NewKeySigner(k); err != nil {
		t.Error(err)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	f := tx.Fees{Gas: 10, GasPrice: big.NewInt(100), Tip: big.NewInt(7), DataGas: 3, DataGasPrice: big.NewInt(5)}
	b, tip, err := boundsOf(f)
	if err != nil || tip != 7 || b.L2Gas.Price.big().Int64() != 93 || b.L2Gas.Amount != 10 || b.L1DataGas.Amount != 3 ||
		b.L1DataGas.Price.big().Int64() != 5 || b.L1Gas.Amount != 0 {
		t.Errorf("bounds %+v, tip %d, %v", b, tip, err)
	}
	// What the chain may take at most is what was compared with the policy's cap.
	most := new(big.Int)
	for _, r := range []bound{b.L1Gas, b.L1DataGas, b.L2Gas} {
		most.Add(most, new(big.Int).Mul(new(big.Int).SetUint64(uint64(r.Amount)), r.Price.big()))
	}
	most.Add(most, new(big.Int).Mul(big.NewInt(7), big.NewInt(10)))
	if most.Cmp(f.Total()) != 0 {
		t.Errorf("the bounds allow %s, the fees %s", most, f.Total())
	}
	for name, bad := range map[string]tx.Fees{
		"tip above price": {GasPrice: big.NewInt(1), Tip: big.NewInt(2)},
		"tip of 65 bits":  {GasPrice: new(big.Int).Lsh(big.NewInt(1), 70), Tip: new(big.Int).Lsh(big.NewInt(1), 64)},
		"price":           {GasPrice: new(big.Int).Lsh(big.NewInt(1), 128)},
		"data price":      {GasPrice: big.NewInt(1), DataGasPrice: big.NewInt(-1)},
	} {
		if _, _, err := boundsOf(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCalldata(t *testing.T) {
	t.Parallel()
	p := tx.Payload{To: "0x10", Entrypoint: "f", Data: felt.Concat([]felt.Felt{felt.FromUint64(5), felt.FromUint64(6)})}
	got, err := calldataOf(p)
	want := []felt.Felt{felt.FromUint64(1), felt.FromUint64(0x10), selector("f"), felt.FromUint64(2),
		felt.FromUint64(5), felt.FromUint64(6)}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for name, bad := range map[string]tx.Payload{
		"no entrypoint": {To: "0x10"}, "no address": {To: "x", Entrypoint: "f"},
		"address 1": {To: "0x1", Entrypoint: "f"}, "bytes": {To: "0x10", Entrypoint: "f", Data: []byte("abc")},
		"blobs":    {To: "0x10", Entrypoint: "f", Blobs: [][]byte{nil}},
		"too long": {To: "0x10", Entrypoint: "f", Data: make([]byte, 32*maxCalldata)},
	} {
		if _, err := calldataOf(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzDecodeInvoke(f *testing.F) {
	for _, r := range real {
		f.Add([]byte(r.raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		x, err := decodeInvoke(raw)
		if err != nil {
			return
		}
		again, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		y, err := decodeInvoke(again)
		if err != nil || x.hash(felt.Zero) != y.hash(felt.Zero) || !slices.Equal(x.Signature, y.Signature) {
			t.Errorf("%s is written %s, %v", raw, again, err)
		}
	})
}
