package starknet

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/NethermindEth/juno/core/crypto"
	junofelt "github.com/NethermindEth/juno/core/felt"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

type resource struct {
	Amount string `json:"max_amount"`
	Price  string `json:"max_price_per_unit"`
}

// wire is an invoke transaction as it comes.
type wire struct {
	Type      string      `json:"type"`
	Sender    *felt.Felt  `json:"sender_address"`
	Calldata  []felt.Felt `json:"calldata"`
	Version   *felt.Felt  `json:"version"`
	Signature []felt.Felt `json:"signature"`
	Nonce     *felt.Felt  `json:"nonce"`
	Bounds    struct {
		L1   resource `json:"l1_gas"`
		L2   resource `json:"l2_gas"`
		Data resource `json:"l1_data_gas"`
	} `json:"resource_bounds"`
	Tip         string      `json:"tip"`
	Paymaster   []felt.Felt `json:"paymaster_data"`
	Deployment  []felt.Felt `json:"account_deployment_data"`
	NonceDAMode string      `json:"nonce_data_availability_mode"`
	FeeDAMode   string      `json:"fee_data_availability_mode"`
}

type limit struct {
	amount uint64
	price  *big.Int
}

// transaction is a checked one.
type transaction struct {
	hash         felt.Felt
	sender       felt.Felt
	nonce        uint64
	calldata     []felt.Felt
	signature    []felt.Felt
	l1, l2, data limit
	tip          *big.Int
	query        bool
}

var queryBit = new(big.Int).Lsh(big.NewInt(1), 128)

// parseTransaction reads what the API calls BROADCASTED_INVOKE_TXN.
func parseTransaction(raw json.RawMessage, chain felt.Felt) (*transaction, error) {
	var w wire
	if err := json.Unmarshal(raw, &w); err != nil {
		return nil, err
	}
	switch {
	case w.Type != "INVOKE" || w.Sender == nil || w.Version == nil || w.Nonce == nil ||
		w.Calldata == nil || w.Signature == nil:
		return nil, errors.New("missing field of an invoke transaction")
	case w.NonceDAMode != "L1" || w.FeeDAMode != "L1" || len(w.Paymaster) > 0 || len(w.Deployment) > 0 ||
		w.Paymaster == nil || w.Deployment == nil:
		return nil, errors.New("data availability modes must be L1, paymaster and account deployment data empty lists")
	}
	t := &transaction{sender: *w.Sender, calldata: w.Calldata, signature: w.Signature}
	version := w.Version.Big()
	if t.query = version.Cmp(queryBit) > 0; t.query {
		version.Sub(version, queryBit)
	}
	if version.Cmp(big.NewInt(3)) != 0 {
		return nil, errVersion
	}
	var ok bool
	if t.nonce, ok = w.Nonce.Uint64(); !ok {
		return nil, errors.New("nonce has more than 64 bits")
	}
	for _, r := range []struct {
		from resource
		to   *limit
	}{{w.Bounds.L1, &t.l1}, {w.Bounds.L2, &t.l2}, {w.Bounds.Data, &t.data}} {
		amount, err := number(r.from.Amount, 64)
		if err != nil {
			return nil, err
		}
		if r.to.price, err = number(r.from.Price, 128); err != nil {
			return nil, err
		}
		r.to.amount = amount.Uint64()
	}
	var err error
	if t.tip, err = number(w.Tip, 64); err != nil {
		return nil, err
	}
	t.hash = t.hashOn(chain, *w.Version)
	return t, nil
}

var errVersion = errors.New("the transaction version is not supported")

// number reads hex with 0x of at most some bits and without leading zeros, as the API's NUM_AS_HEX.
func number(s string, bits int) (*big.Int, error) {
	digits, ok := strings.CutPrefix(s, "0x")
	n, read := new(big.Int).SetString(digits, 16)
	if !ok || !read || n.Sign() < 0 || n.BitLen() > bits || (digits != "0" && strings.HasPrefix(digits, "0")) {
		return nil, fmt.Errorf("%.40q is not a number of %d bits in hex", s, bits)
	}
	return n, nil
}

// hashOn is the transaction hash, with juno's arithmetic.
func (t *transaction) hashOn(chain, version felt.Felt) felt.Felt {
	bound := func(name string, l limit) *junofelt.Felt {
		n := new(big.Int).SetBytes([]byte(name))
		n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(l.amount))
		n.Lsh(n, 128).Or(n, l.price)
		return new(junofelt.Felt).SetBytes(n.Bytes())
	}
	list := func(fs []felt.Felt) *junofelt.Felt {
		var in []*junofelt.Felt
		for _, f := range fs {
			in = append(in, juno(f))
		}
		h := crypto.PoseidonArray(in...)
		return &h
	}
	tip := new(junofelt.Felt).SetBytes(t.tip.Bytes())
	fees := crypto.PoseidonArray(tip, bound("L1_GAS", t.l1), bound("L2_GAS", t.l2), bound("L1_DATA", t.data))
	invoke := new(junofelt.Felt).SetBytes([]byte("invoke"))
	h := crypto.PoseidonArray(invoke, juno(version), juno(t.sender), &fees, list(nil), juno(chain),
		juno(felt.FromUint64(t.nonce)),
		new(junofelt.Felt), list(nil), list(t.calldata))
	return h.Bytes()
}

func juno(f felt.Felt) *junofelt.Felt { return new(junofelt.Felt).SetBytes(f[:]) }

// signedBy says whether the transaction is signed by a public key.
func (t *transaction) signedBy(public felt.Felt) bool {
	if len(t.signature) != 2 {
		return false
	}
	key := crypto.NewPublicKey(juno(public))
	ok, err := key.Verify(&crypto.Signature{R: *juno(t.signature[0]), S: *juno(t.signature[1])}, juno(t.hash))
	return err == nil && ok
}

// most is what the transaction may cost.
func (t *transaction) most() *big.Int {
	cost := func(l limit, price *big.Int) *big.Int {
		return new(big.Int).Mul(new(big.Int).SetUint64(l.amount), price)
	}
	sum := cost(t.l1, t.l1.price)
	sum.Add(sum, cost(t.data, t.data.price))
	return sum.Add(sum, cost(t.l2, new(big.Int).Add(t.l2.price, t.tip)))
}

// call is one call of an account's calldata.
type call struct {
	to, selector felt.Felt
	args         []felt.Felt
}

// calls reads calldata as accounts in Cairo 1 do.
func (t *transaction) calls() ([]call, bool) {
	w := t.calldata
	take := func() (felt.Felt, bool) {
		if len(w) == 0 {
			return felt.Zero, false
		}
		f := w[0]
		w = w[1:]
		return f, true
	}
	count := func() (int, bool) {
		f, ok := take()
		n, fits := f.Uint64()
		return int(n), ok && fits && n <= uint64(len(w))
	}
	n, ok := count()
	if !ok {
		return nil, false
	}
	var out []call
	for range n {
		to, ok1 := take()
		sel, ok2 := take()
		size, ok3 := count()
		if !ok1 || !ok2 || !ok3 {
			return nil, false
		}
		out = append(out, call{to, sel, w[:size]})
		w = w[size:]
	}
	return out, len(w) == 0
}
