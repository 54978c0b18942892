package ethereum

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// said is a node's answer with an error code.
type said struct{ text string }

func (s said) Error() string  { return s.text }
func (s said) ErrorCode() int { return -32000 }

// passing stands for an error that is none of the port's.
var passing = errors.New("passing")

// texts are what nodes say, with values as they fill them in.
var texts = map[string]struct {
	node, text string
	want       error
}{
	"GethKnown":        {"geth", "already known", nil},
	"AnvilKnown":       {"anvil", "transaction already imported", nil},
	"NethermindKnown":  {"nethermind", "AlreadyKnown", nil},
	"BesuKnown":        {"besu", "Known transaction", nil},
	"ErigonKnown":      {"erigon", "INTERNAL_ERROR: existing tx with same hash", nil},
	"AnvilUnknownType": {"anvil", "Unknown transaction type not supported", tx.ErrRefused},
	"GethNonce":        {"geth", "nonce too low: next nonce 4, tx nonce 3", tx.ErrNonceTooLow},
	"AnvilNonce":       {"anvil", "nonce too low", tx.ErrNonceTooLow},
	"NethermindNonce":  {"nethermind", "OldNonce, current nonce: 7, nonce of rejected tx: 5", tx.ErrNonceTooLow},
	"BesuNonce":        {"besu", "Nonce too low", tx.ErrNonceTooLow},
	"GethReplacement":  {"geth", "replacement transaction underpriced", tx.ErrUnderpriced},
	"GethBlobReplacement": {"geth", "replacement transaction underpriced: new tx blob gas fee cap 1 < 2 queued + " +
		"100% replacement penalty", tx.ErrUnderpriced},
	"GethUnderpriced": {"geth", "transaction underpriced: gas tip cap 0, minimum needed 1", tx.ErrUnderpriced},
	"GethFloor": {"geth", "transaction gas price below minimum: gas tip cap 0, minimum needed 1",
		tx.ErrUnderpriced},
	"GethBlobFloor": {"geth", "transaction gas price below minimum: blob fee cap 0, minimum needed 1",
		tx.ErrUnderpriced},
	"GethBaseFee": {"geth",
		"max fee per gas less than block base fee: address 0xab, maxFeePerGas: 1, baseFee: 7", tx.ErrUnderpriced},
	"GethBlobFee": {"geth", "max fee per blob gas less than block blob gas fee: address 0xab " +
		"blobGasFeeCap: 1, blobBaseFee: 7", tx.ErrUnderpriced},
	"AnvilBlobFee": {"anvil", "Block `blob_gas_price` is greater than tx-specified `max_fee_per_blob_gas`",
		tx.ErrUnderpriced},
	"AnvilReplacement": {"anvil", "Tx: [0xab] insufficient gas price to replace existing transaction",
		tx.ErrUnderpriced},
	"NethermindFee": {"nethermind", "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 7",
		tx.ErrUnderpriced},
	"NethermindReplacement": {"nethermind", "ReplacementNotAllowed", tx.ErrUnderpriced},
	"BesuFloor":             {"besu", "Gas price below configured minimum gas price", tx.ErrUnderpriced},
	"GethFunds": {"geth", "insufficient funds for gas * price + value: balance 1, tx cost 2, overshot 1",
		tx.ErrInsufficientFunds},
	"AnvilFunds": {"anvil", "Insufficient funds for gas * price + value", tx.ErrInsufficientFunds},
	"NethermindFunds": {"nethermind", "InsufficientFunds, Account balance: 1, cumulative cost: 2",
		tx.ErrInsufficientFunds},
	"BesuFunds":        {"besu", "Upfront cost exceeds account balance", tx.ErrInsufficientFunds},
	"GethGap":          {"geth", "nonce too high: tx nonce 9, gapped nonce 7", passing},
	"AnvilGap":         {"anvil", "Nonce too high", passing},
	"NethermindGap":    {"nethermind", "NonceGap, Future nonce. Expected nonce: 1", passing},
	"GethFull":         {"geth", "txpool is full", passing},
	"GethReserved":     {"geth", "address already reserved", passing},
	"GethAccountLimit": {"geth", "account limit exceeded: pooled 16 txs", passing},
	"RethFull":         {"reth", "transaction discarded outright due to pool size constraints", passing},
	"ProviderLimit":    {"provider", "Too Many Requests: rate limit of 10 requests a second", passing},
	"Internal":         {"provider", "internal error", passing},
	"GethFeeCap":       {"geth", "tx fee (2.00 ether) exceeds the configured cap (1.00 ether)", tx.ErrRefused},
	"GethChain":        {"geth", "invalid sender: invalid chain id for signer: have 1 want 2", tx.ErrRefused},
	"GethBlockGas":     {"geth", "exceeds block gas limit", tx.ErrRefused},
	"GethTxGas":        {"geth", "transaction gas limit too high (cap: 16777216, tx: 30000000)", tx.ErrRefused},
	"GethIntrinsic":    {"geth", "intrinsic gas too low: gas 1, minimum needed 21000", tx.ErrRefused},
	"GethFloorGas": {"geth", "insufficient gas for floor data gas cost: gas 21000, minimum needed 40000",
		tx.ErrRefused},
	"GethOversized": {"geth", "oversized data: transaction size 200000, limit 131072", tx.ErrRefused},
	"GethBlobs":     {"geth", "transaction blob limit exceeded: blob count 7, limit 6", tx.ErrRefused},
	"GethType": {"geth", "transaction type not supported: type 3 rejected, pool not yet in Cancun",
		tx.ErrRefused},
	"GethKZG": {"geth", "KZG verification error: can't verify opening proof", tx.ErrRefused},
	"GethTip": {"geth", "max priority fee per gas higher than max fee per gas: address 0xab, " +
		"maxPriorityFeePerGas: 2, maxFeePerGas: 1", tx.ErrRefused},
	"AnvilBlobs":     {"anvil", "too many blobs in one transaction, have: 7, max: 6", tx.ErrRefused},
	"GethSidecar":    {"geth", "Wrong sidecar format: unexpected sidecar version, want: 1, got: 0", errSidecar},
	"GethOldSidecar": {"geth", "unexpected sidecar version, want: 1, got: 0", errSidecar},
	"GethOldNode":    {"geth", "rlp: expected input list for types.blobTxWithBlobs", errSidecar},
	"RethSidecar":    {"reth", "unexpected eip-4844 sidecar after osaka", errSidecar},
	"RethOldSidecar": {"reth", "unexpected eip-7594 sidecar before osaka", errSidecar},
	"AnvilDecode":    {"anvil", "Failed to decode transaction", errSidecar},
	"NethermindSidecar": {"nethermind", "InvalidTxProofVersion: Version of network wrapper is not supported.",
		errSidecar},
}

func TestSendError(t *testing.T) {
	t.Parallel()
	port := []error{tx.ErrNonceTooLow, tx.ErrUnderpriced, tx.ErrInsufficientFunds, tx.ErrRefused}
	for name, c := range texts {
		got := sendError(said{c.text})
		switch {
		case c.want == nil && got == nil:
			continue
		case c.want == nil || got == nil:
			t.Errorf("%s (%s): %v, want %v", name, c.node, got, c.want)
			continue
		case c.want != passing && !errors.Is(got, c.want), c.want == errSidecar && !errors.Is(got, tx.ErrRefused):
			t.Errorf("%s (%s): %v, want %v", name, c.node, got, c.want)
		}
		for _, p := range port {
			if p != c.want && errors.Is(got, p) && !(c.want == errSidecar && p == tx.ErrRefused) {
				t.Errorf("%s (%s): %v is also %v", name, c.node, got, p)
			}
		}
		if !strings.Contains(got.Error(), c.text) {
			t.Errorf("%s: %v does not show what the node said", name, got)
		}
	}
}

// TestSendError_OnTheWay: what did not come from the node says nothing about the transaction, whatever its words.
func TestSendError_OnTheWay(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"already known", "nonce too low", "proxy: blob limit exceeded"} {
		cause := errors.New(text)
		if got := sendError(fmt.Errorf("proxy: %w", cause)); !errors.Is(got, cause) || errors.Is(got, tx.ErrRefused) ||
			errors.Is(got, tx.ErrNonceTooLow) {
			t.Errorf("sendError(%q) = %v", text, got)
		}
	}
	if sendError(nil) != nil {
		t.Error("no error became one")
	}
}

var nodeErrorsHideSecretsCases = map[string]http.HandlerFunc{
	"Status": func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no such key: "+r.URL.String()+" "+
			r.Header.Get("Authorization")+strings.Repeat("<html>", 10_000), http.StatusForbidden)
	},
	"Answer": func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"unknown project %s"}}`,
			r.URL.EscapedPath()+"?"+r.URL.RawQuery)
	},
	"Garbage": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.String()) },
	"Redirect": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.String()+"/x", http.StatusFound)
	},
	"Close": func(w http.ResponseWriter, _ *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
		}
	},
	"Endless": func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":"`))
		for range maxResponse/(1<<20) + 1 {
			w.Write(make([]byte, 1<<20))
		}
	},
}

// TestNode_ErrorsHideSecrets makes nodes whose URL carries a key somewhere fail in every way.
func TestNode_ErrorsHideSecrets(t *testing.T) {
	t.Parallel()
	const key = "sekretkey/0123 456789"
	for name, answer := range nodeErrorsHideSecretsCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(answer)
			t.Cleanup(s.Close)
			u, err := url.Parse(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			for _, with := range []url.URL{
				{Scheme: "http", Host: u.Host, Path: "/v3/" + key},
				{Scheme: "http", Host: u.Host, RawQuery: "apikey=" + url.QueryEscape(key)},
				{Scheme: "http", Host: u.Host, User: url.UserPassword("me", key)},
				{Scheme: "http", Host: u.Host, User: url.User(key)},
			} {
				n, err := Dial(with.String(), "1")
				if err != nil {
					t.Fatal(err)
				}
				err = n.Ping(t.Context())
				if err == nil {
					t.Fatal("a failure without an error")
				}
				for e := err; e != nil; e = errors.Unwrap(e) {
					for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e)} {
						if strings.Contains(text, "Basic ") && !strings.Contains(text, "Basic [hidden]") {
							t.Errorf("the error shows the header: %s", text)
						}
						if strings.Contains(text, "sekretkey") || strings.Contains(text, "456789") {
							t.Errorf("the error shows the key of %s: %s", with.Redacted(), text)
						}
						if len(text) > maxText+200 {
							t.Errorf("the error has %d bytes", len(text))
						}
					}
				}
				n.Close()
			}
		})
	}
}

func TestNode_ContextIsReported(t *testing.T) {
	t.Parallel()
	n, err := Dial("http://127.0.0.1:1", "1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Ping in an ended context: %v", err)
	}
	var ue *url.Error
	if err := n.Ping(t.Context()); err == nil || errors.As(err, &ue) {
		t.Errorf("Ping of nobody: %v", err)
	}
}

func TestDial_RefusesFaults(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{"", "1"}, {"ws://h", "1"}, {"http://", "1"}, {"http://user:pass@ho st", "1"},
		{"http://h", ""}, {"http://h", "0x1"}, {"http://h", "-1"}} {
		if _, err := Dial(c[0], c[1]); err == nil || strings.Contains(err.Error(), "pass") {
			t.Errorf("Dial(%q, %q): %v", c[0], c[1], err)
		}
	}
}
