package ethereum_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
)

// fakeNode answers one text to blob transactions whose sidecar it does not want, and takes the others.
type fakeNode struct {
	wants   byte
	refusal string // of the other form
	always  string // of every transaction, when set

	mu  sync.Mutex
	got []*types.Transaction
}

func (f *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params []hexutil.Bytes `json:"params"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	refuse := func(text string) {
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":%q}}`, q.ID, text)
	}
	if q.Method == "eth_chainId" {
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":"0x7"}`, q.ID)
		return
	}
	t := new(types.Transaction)
	if err := t.UnmarshalBinary(q.Params[0]); err != nil {
		refuse(err.Error())
		return
	}
	f.mu.Lock()
	f.got = append(f.got, t)
	f.mu.Unlock()
	switch {
	case f.always != "":
		refuse(f.always)
	case t.BlobTxSidecar() != nil && t.BlobTxSidecar().Version != f.wants:
		refuse(f.refusal)
	default:
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%q}`, q.ID, t.Hash().Hex())
	}
}

// versions are those of the sidecars that came.
func (f *fakeNode) versions() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []byte{}
	for _, t := range f.got {
		out = append(out, t.BlobTxSidecar().Version)
	}
	return out
}

func (f *fakeNode) wallet(t *testing.T, form ethereum.Sidecar) *ethereum.Wallet {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	n := must(ethereum.DialHTTP(s.URL, "7", s.Client()))(t)
	t.Cleanup(n.Close)
	return ethereum.NewWallet(n, must(ethereum.NewKeySigner(devethereum.Keys[operator]))(t), form)
}

// blobPayload is a payload with one blob.
func blobPayload() tx.Payload {
	b := make([]byte, 131_072)
	b[31] = 3
	return tx.Payload{To: sink, Blobs: [][]byte{b}}
}

func blobFees() tx.Fees {
	return tx.Fees{Gas: 21_000, GasPrice: big.NewInt(10), Tip: big.NewInt(1),
		DataGas: tx.BlobGas, DataGasPrice: big.NewInt(5)}
}

func TestBroadcast_SidecarForms(t *testing.T) {
	t.Parallel()
	const v0, v1 = types.BlobSidecarVersion0, types.BlobSidecarVersion1
	for name, c := range map[string]struct {
		form    ethereum.Sidecar
		node    *fakeNode
		refused bool
		want    []byte // forms of two broadcasts
	}{
		"AutoOnOsaka": {ethereum.SidecarAuto,
			&fakeNode{wants: v1, refusal: "unexpected eip-4844 sidecar after osaka"}, false, []byte{v1, v1}},
		"AutoBeforeOsaka": {ethereum.SidecarAuto,
			&fakeNode{wants: v0, refusal: "unexpected eip-7594 sidecar before osaka"}, false, []byte{v1, v0, v0}},
		"AutoOldNode": {"", &fakeNode{wants: v0, refusal: "rlp: expected input list for types.blobTxWithBlobs"},
			false, []byte{v1, v0, v0}},
		"AutoNeither": {ethereum.SidecarAuto, &fakeNode{always: "unexpected sidecar version"},
			true, []byte{v1, v0, v1, v0}},
		"AutoOtherFault": {ethereum.SidecarAuto,
			&fakeNode{always: "transaction blob limit exceeded: blob count 7, limit 6"}, true, []byte{v1, v1}},
		"V0": {ethereum.SidecarV0, &fakeNode{wants: v0}, false, []byte{v0, v0}},
		"V1": {ethereum.SidecarV1, &fakeNode{wants: v1}, false, []byte{v1, v1}},
		"V0OnOsaka": {ethereum.SidecarV0,
			&fakeNode{wants: v1, refusal: "unexpected sidecar version, want: 1, got: 0"}, true, []byte{v0, v0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := c.node.wallet(t, c.form)
			p := blobPayload()
			signed := must(w.Sign(t.Context(), p, 4, blobFees()))(t)
			for range 2 {
				if err := w.Broadcast(t.Context(), signed, p); errors.Is(err, tx.ErrRefused) != c.refused ||
					(err != nil) != c.refused {
					t.Errorf("Broadcast: %v", err)
				}
			}
			if got := c.node.versions(); !slices.Equal(got, c.want) {
				t.Errorf("forms %v, want %v", got, c.want)
			}
			for _, sent := range c.node.got {
				checkSidecar(t, sent, signed.Hash)
			}
		})
	}
}

// checkSidecar verifies a sidecar with the library of Ethereum's nodes.
func checkSidecar(t *testing.T, sent *types.Transaction, hash string) {
	t.Helper()
	s := sent.BlobTxSidecar()
	if sent.Hash().Hex() != hash {
		t.Errorf("hash %s depends on the sidecar, signed was %s", sent.Hash(), hash)
	}
	var err error
	if s.Version == types.BlobSidecarVersion0 {
		err = kzg4844.VerifyBlobProof(&s.Blobs[0], s.Commitments[0], s.Proofs[0])
	} else {
		err = kzg4844.VerifyCellProofs(s.Blobs, s.Commitments, s.Proofs)
	}
	if err != nil {
		t.Errorf("sidecar of version %d with %d proofs: %v", s.Version, len(s.Proofs), err)
	}
}

func TestBroadcast_AlreadyKnown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"already known": nil, "transaction already imported": nil,
		"replacement transaction underpriced":        tx.ErrUnderpriced,
		"insufficient funds for gas * price + value": tx.ErrInsufficientFunds,
	} {
		w := (&fakeNode{always: text}).wallet(t, ethereum.SidecarV1)
		p := tx.Payload{To: sink}
		signed := must(w.Sign(t.Context(), p, 0, tx.Fees{Gas: 21_000}))(t)
		if err := w.Broadcast(t.Context(), signed, p); want == nil && err != nil || !errors.Is(err, want) {
			t.Errorf("the node says %q: %v, want %v", text, err, want)
		}
	}
}

func TestSign_RefusesFaults(t *testing.T) {
	t.Parallel()
	w := (&fakeNode{}).wallet(t, ethereum.SidecarAuto)
	huge := new(big.Int).Lsh(big.NewInt(1), 256)
	for name, c := range map[string]struct {
		p tx.Payload
		f tx.Fees
	}{
		"Address":      {tx.Payload{To: "0x12"}, tx.Fees{}},
		"BlobLength":   {tx.Payload{To: sink, Blobs: [][]byte{{1}}}, blobFees()},
		"TooManyBlobs": {tx.Payload{To: sink, Blobs: make([][]byte, 65)}, blobFees()},
		"HugePrice":    {blobPayload(), tx.Fees{GasPrice: huge}},
		"Negative":     {blobPayload(), tx.Fees{Tip: big.NewInt(-1)}},
		"HugeNoBlobs":  {tx.Payload{To: sink}, tx.Fees{GasPrice: huge}},
		"MinusNoBlobs": {tx.Payload{To: sink}, tx.Fees{GasPrice: big.NewInt(-1)}},
	} {
		if s, err := w.Sign(t.Context(), c.p, 0, c.f); err == nil {
			t.Errorf("%s was signed as %s", name, s.Hash)
		}
	}
}

func TestKeySigner(t *testing.T) {
	t.Parallel()
	key := devethereum.Keys[0]
	s := must(ethereum.NewKeySigner(" 0x" + key + "\n"))(t)
	if a := must(s.Address(t.Context()))(t); a != devethereum.Address(key) {
		t.Errorf("address %x", a)
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s)} {
		if strings.Contains(text, key[:16]) {
			t.Errorf("the key is printed: %s", text)
		}
	}
	for _, bad := range []string{"", "0x", key[1:], key + "00", strings.Repeat("0", 64),
		strings.Repeat("f", 64), "zz" + key[2:]} {
		if _, err := ethereum.NewKeySigner(bad); err == nil || len(bad) > 8 && strings.Contains(err.Error(), bad[2:8]) {
			t.Errorf("NewKeySigner(%q): %v", bad, err)
		}
	}
	for s, want := range map[string]ethereum.Sidecar{"": ethereum.SidecarAuto, "auto": ethereum.SidecarAuto,
		"v0": ethereum.SidecarV0, "v1": ethereum.SidecarV1, "v2": ""} {
		if got, err := ethereum.ParseSidecar(s); got != want || (err != nil) != (want == "") {
			t.Errorf("ParseSidecar(%q) = %q, %v", s, got, err)
		}
	}
}
