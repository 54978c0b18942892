package starknet

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
)

// Constants of an invoke transaction of version 3 (Starknet documentation, "Transaction types"; SNIP-8).
var (
	invokePrefix = shortString("invoke")
	version3     = felt.FromUint64(3)
	// queryVersion is version 3 for estimates: a signature of it is none of a transaction.
	queryVersion = felt.MustHex("0x100000000000000000000000000000003")
)

func shortString(s string) felt.Felt {
	f, err := felt.FromShortString(s)
	if err != nil {
		panic(err) // constants only
	}
	return f
}

func selector(entrypoint string) felt.Felt { return hash.Selector(entrypoint) }

// bound is a limit of one resource.
type bound struct {
	Amount hexUint `json:"max_amount"`         // 64 bits
	Price  hexBig  `json:"max_price_per_unit"` // 128 bits, fri
}

// word packs a bound for the transaction hash: name, 64 bits of amount, 128 bits of price.
func (b bound) word(name string) felt.Felt {
	var f felt.Felt
	copy(f[8-len(name):], name)
	binary.BigEndian.PutUint64(f[8:], uint64(b.Amount))
	b.Price.big().FillBytes(f[16:])
	return f
}

type bounds struct {
	L1Gas     bound `json:"l1_gas"`
	L1DataGas bound `json:"l1_data_gas"`
	L2Gas     bound `json:"l2_gas"`
}

// invoke is an invoke transaction of version 3 as it is broadcast.
type invoke struct {
	Type              string      `json:"type"`
	Sender            felt.Felt   `json:"sender_address"`
	Calldata          []felt.Felt `json:"calldata"`
	Version           felt.Felt   `json:"version"`
	Signature         []felt.Felt `json:"signature"`
	Nonce             felt.Felt   `json:"nonce"`
	Bounds            bounds      `json:"resource_bounds"`
	Tip               hexUint     `json:"tip"`
	Paymaster         []felt.Felt `json:"paymaster_data"`
	AccountDeployment []felt.Felt `json:"account_deployment_data"`
	NonceDA           string      `json:"nonce_data_availability_mode"`
	FeeDA             string      `json:"fee_data_availability_mode"`
}

// newInvoke is an unsigned transaction.
func newInvoke(sender felt.Felt, nonce uint64, calldata []felt.Felt) invoke {
	return invoke{
		Type: "INVOKE", Sender: sender, Calldata: calldata, Version: version3, Signature: []felt.Felt{},
		Nonce:     felt.FromUint64(nonce),
		Paymaster: []felt.Felt{}, AccountDeployment: []felt.Felt{}, NonceDA: "L1", FeeDA: "L1",
	}
}

// hash is the transaction hash (SNIP-8, with the bound of L1 data gas that Starknet 0.13.4 added).
func (t *invoke) hash(chain felt.Felt) felt.Felt {
	resources := hash.PoseidonMany([]felt.Felt{
		felt.FromUint64(uint64(t.Tip)), t.Bounds.L1Gas.word("L1_GAS"), t.Bounds.L2Gas.word("L2_GAS"),
		t.Bounds.L1DataGas.word("L1_DATA"),
	})
	return hash.PoseidonMany([]felt.Felt{
		invokePrefix, t.Version, t.Sender, resources, hash.PoseidonMany(t.Paymaster), chain, t.Nonce,
		felt.Zero, // both data availability modes are L1
		hash.PoseidonMany(t.AccountDeployment), hash.PoseidonMany(t.Calldata),
	})
}

// maxCalldata is how many felts a transaction's calldata may have (Starknet documentation, "Chain info": limits).
const maxCalldata = 5000

// errCalldata says that calldata has more felts than a transaction may carry.
var errCalldata = errors.New("calldata is too long")

// calldataOf is the account's calldata for one call, as accounts in Cairo 1 read it: a list of calls, each contract,
// selector and arguments.
func calldataOf(p tx.Payload) ([]felt.Felt, error) {
	to, err := parseAddress("called contract", p.To)
	if err != nil {
		return nil, err
	}
	if p.Entrypoint == "" || len(p.Blobs) > 0 {
		return nil, errors.New("payload is none for Starknet: it wants an entrypoint and no blobs")
	}
	args, err := felt.Split(p.Data)
	if err != nil {
		return nil, fmt.Errorf("arguments of %s: %w", p.Entrypoint, err)
	}
	out := append(make([]felt.Felt, 0, len(args)+4), felt.FromUint64(1), to, selector(p.Entrypoint),
		felt.FromUint64(uint64(len(args))))
	if out = append(out, args...); len(out) > maxCalldata {
		return nil, fmt.Errorf("%d felts, a transaction takes %d: %w", len(out), maxCalldata, errCalldata)
	}
	return out, nil
}

// unusedPrice is the price limit of L1 gas, of which no unit may be used: nodes compare it with the market's price all
// the same, so it lies above any (1 STRK). It adds nothing to what the transaction may cost.
var unusedPrice = hexBig(*big.NewInt(1e18))

// boundsOf are the limits of fees. The tip comes on top of the price limit of L2 gas.
func boundsOf(f tx.Fees) (b bounds, tip hexUint, err error) {
	price, tipPrice, data := orZero(f.GasPrice), orZero(f.Tip), orZero(f.DataGasPrice)
	switch {
	case tipPrice.Sign() < 0 || !tipPrice.IsUint64():
		return b, 0, fmt.Errorf("tip %s is not an amount of 64 bits", tipPrice)
	case price.Cmp(tipPrice) < 0:
		return b, 0, fmt.Errorf("gas price %s lies below its part that is the tip, %s", price, tipPrice)
	case price.BitLen() > 128 || data.Sign() < 0 || data.BitLen() > 128:
		return b, 0, fmt.Errorf("prices %s and %s: want amounts of 128 bits", price, data)
	}
	b = bounds{
		L1Gas:     bound{Price: unusedPrice},
		L1DataGas: bound{Amount: hexUint(f.DataGas), Price: hexBig(*data)},
		L2Gas:     bound{Amount: hexUint(f.Gas), Price: hexBig(*new(big.Int).Sub(price, tipPrice))},
	}
	return b, hexUint(tipPrice.Uint64()), nil
}

func orZero(n *big.Int) *big.Int {
	if n == nil {
		return new(big.Int)
	}
	return n
}

// decodeInvoke reads a stored transaction and takes only what encode writes.
func decodeInvoke(raw []byte) (*invoke, error) {
	t := new(invoke)
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(t); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if t.Type != "INVOKE" || t.Version != version3 || t.NonceDA != "L1" || t.FeeDA != "L1" || len(t.Signature) == 0 {
		return nil, errors.New("it is not a signed invoke transaction of version 3")
	}
	return t, nil
}

// hexUint is an integer of 64 bits, in hex in JSON.
type hexUint uint64

// MarshalText writes hex with 0x.
func (n hexUint) MarshalText() ([]byte, error) {
	return []byte("0x" + strconv.FormatUint(uint64(n), 16)), nil
}

// UnmarshalText reads hex with 0x.
func (n *hexUint) UnmarshalText(b []byte) error {
	digits, ok := strings.CutPrefix(string(b), "0x")
	v, err := strconv.ParseUint(digits, 16, 64)
	if !ok || err != nil {
		return fmt.Errorf("%.40q is not a hex integer of 64 bits", b)
	}
	*n = hexUint(v)
	return nil
}

// hexBig is an integer of at most 128 bits, in hex in JSON.
type hexBig big.Int

func (n *hexBig) big() *big.Int { return (*big.Int)(n) }

// MarshalText writes hex with 0x.
func (n hexBig) MarshalText() ([]byte, error) { return []byte("0x" + n.big().Text(16)), nil }

// UnmarshalText reads hex with 0x.
func (n *hexBig) UnmarshalText(b []byte) error {
	f, err := felt.FromHex(string(b))
	if err != nil || !strings.HasPrefix(string(b), "0x") || f.Big().BitLen() > 128 {
		return fmt.Errorf("%.40q is not a hex integer of 128 bits", b)
	}
	*n = hexBig(*f.Big())
	return nil
}
