package starknet_test

import (
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
)

// portErrors are what Broadcast may say of a transaction.
var portErrors = []error{tx.ErrNonceTooLow, tx.ErrUnderpriced, tx.ErrInsufficientFunds, tx.ErrRefused}

// TestBroadcast_Answers: what nodes say of a sent transaction, and what it means. want nil is a transient failure.
func TestBroadcast_Answers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.wallet(t, thirdParty)
	p := take("answers")
	signed := b.prepare(t, w, p)
	for _, a := range []struct {
		code int
		data any
		want error
	}{
		{53, nil, tx.ErrUnderpriced}, {54, nil, tx.ErrInsufficientFunds},
		{64, nil, tx.ErrUnderpriced}, {65, nil, tx.ErrUnderpriced},
		{58, nil, tx.ErrRefused}, {61, nil, tx.ErrRefused}, {-32602, "missing field", tx.ErrRefused},
		{55, "Account: invalid signature", tx.ErrRefused}, {55, "something else", tx.ErrRefused},
		{55, "Resource bounds were not satisfied: Max L2Gas price", tx.ErrUnderpriced},
		{55, "Resources bounds (..) exceed balance (1).", tx.ErrInsufficientFunds},
		{63, "max gas price is lower than the actual gas price", tx.ErrUnderpriced},
		{63, "mempool is full", nil}, {52, "Invalid transaction nonce: expected 7, got 0", nil}, {1, nil, nil},
		{-32603, "internal", nil}, {-32005, nil, nil}, {429, nil, nil},
	} {
		b.Answer("starknet_addInvokeTransaction", a.code, "message", a.data)
		err := w.Broadcast(t.Context(), signed, p)
		if err == nil {
			t.Errorf("%d %v: no error", a.code, a.data)
		}
		for _, e := range portErrors {
			if errors.Is(err, e) != (e == a.want) {
				t.Errorf("%d %v: %v, want %v", a.code, a.data, err, a.want)
			}
		}
	}
	b.Answer("starknet_addInvokeTransaction", 59, "A transaction with the same hash already exists in the mempool", nil)
	if err := w.Broadcast(t.Context(), signed, p); err != nil {
		t.Errorf("a transaction that is known: %v", err)
	}
}

// A transaction surely did not reach a node that did not even say its chain.
func TestBroadcast_Unreached(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := take("unreached")
	signed := b.prepare(t, b.wallet(t, thirdParty), p)
	for method, unreached := range map[string]bool{"starknet_chainId": true, "starknet_addInvokeTransaction": false} {
		n := must(starknet.Dial(b.URL(), b.ChainID()))(t)
		w := must(starknet.NewWallet(n, b.keys[thirdParty], thirdParty.String(), starknet.STRK))(t)
		b.Inject(fake.Strike{Fault: fake.Unavailable, Op: method, Times: 3})
		err := w.Broadcast(t.Context(), signed, p)
		if !errors.Is(err, look.ErrUnanswered) || errors.Is(err, look.ErrUnreached) != unreached {
			t.Errorf("%s: %v, unreached %t", method, err, !unreached)
		}
	}
}

// TestBroadcast_LostAnswer: the node takes the transaction and its answer is lost; it is found, and sent again it
// counts as taken.
func TestBroadcast_LostAnswer(t *testing.T) {
	t.Parallel()
	for _, f := range []fake.Fault{fake.LostResponse, fake.CutResponse, fake.RateLimited, fake.Unavailable,
		fake.BadGateway, fake.Refused, fake.Garbage, fake.Internal} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			w := b.wallet(t, thirdParty)
			p := take("lost")
			signed := b.prepare(t, w, p)
			b.Inject(fake.Strike{Fault: f, Op: "starknet_addInvokeTransaction"})
			err := w.Broadcast(t.Context(), signed, p)
			if err == nil {
				t.Fatal("no error")
			}
			for _, e := range portErrors {
				if errors.Is(err, e) {
					t.Errorf("it counts as final: %v", err)
				}
			}
			taken := f == fake.LostResponse || f == fake.CutResponse
			if s := must(w.Lookup(t.Context(), signed.Hash))(t); (s.Phase == tx.Pending) != taken {
				t.Errorf("phase %s", s.Phase)
			}
			if err := w.Broadcast(t.Context(), signed, p); err != nil {
				t.Errorf("sent again: %v", err)
			}
			b.Mine(1)
			if s := must(w.Lookup(t.Context(), signed.Hash))(t); s.Phase != tx.Included || !s.Success {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// TestLifecycle_Rejected: a transaction that the node takes and then rejects is replaced at higher prices with its
// nonce.
func TestLifecycle_Rejected(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.wallet(t, thirdParty)
	ctx := t.Context()
	p := take("rejected")
	b.Reject("Max L2Gas price is too low")
	signed := b.prepare(t, w, p)
	if err := w.Broadcast(ctx, signed, p); err != nil {
		t.Fatal(err)
	}
	if s := must(w.Lookup(ctx, signed.Hash))(t); s.Phase != tx.Unknown {
		t.Errorf("phase %s", s.Phase)
	}
	if err := w.Broadcast(ctx, signed, p); !errors.Is(err, tx.ErrUnderpriced) ||
		!strings.Contains(err.Error(), "Max L2Gas price is too low") {
		t.Errorf("sent again: %v", err)
	}
	fees := tx.Fees{Gas: 10_000_000, GasPrice: big.NewInt(6e9), Tip: big.NewInt(1), DataGas: 1000,
		DataGasPrice: big.NewInt(20_000)}
	j := tx.Journal{Records: []tx.Record{{Hash: signed.Hash, Fees: fees}}, Underpriced: true}
	v := tx.View{Head: must(w.Head(ctx))(t), Account: must(w.Account(ctx, 1))(t),
		Statuses: map[string]tx.Status{}, Gas: 2_000_000, DataGas: 300}
	d := tx.Decide(j, v, tx.StarknetPolicy())
	if d.Step != tx.Sign || d.Nonce != 0 || d.Replaces != signed.Hash || d.Fees.GasPrice.Cmp(big.NewInt(9e9)) < 0 ||
		d.Fees.DataGas != 1000 {
		t.Fatalf("decision %+v", d)
	}
	again := must(w.Sign(ctx, p, d.Nonce, d.Fees))(t)
	if err := w.Broadcast(ctx, again, p); err != nil {
		t.Fatal(err)
	}
	b.Mine(1)
	if s := must(w.Lookup(ctx, again.Hash))(t); s.Phase != tx.Included {
		t.Errorf("phase %s", s.Phase)
	}
}

// TestLifecycle_Lag: a node behind the others shows an included transaction as unknown and its nonce as free; a
// reorganisation takes it away.
func TestLifecycle_LagAndReorg(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.wallet(t, thirdParty)
	ctx := t.Context()
	p := take("lag")
	signed := b.prepare(t, w, p)
	if err := w.Broadcast(ctx, signed, p); err != nil {
		t.Fatal(err)
	}
	b.Mine(2)
	b.Lag(2)
	if s, a := must(w.Lookup(ctx, signed.Hash))(t), must(w.Account(ctx, 1))(t); s.Phase != tx.Unknown ||
		a.Pending != 0 || a.Latest != 0 {
		t.Errorf("with a node that lags: %s, %+v", s.Phase, a)
	}
	if err := w.Broadcast(ctx, signed, p); err != nil {
		t.Errorf("sent again to a node that lags: %v", err)
	}
	b.Lag(0)
	b.AcceptOnL1()
	if h := must(w.Head(ctx))(t); h.Number != 2 || h.Finalized != 2 {
		t.Errorf("head %+v", h)
	}
	b.Reorg(2)
	if s, a := must(w.Lookup(ctx, signed.Hash))(t), must(w.Account(ctx, 1))(t); s.Phase != tx.Unknown || a.Latest != 0 {
		t.Errorf("after a reorganisation: %s, %+v", s.Phase, a)
	}
	if err := w.Broadcast(ctx, signed, p); err != nil {
		t.Errorf("sent again after a reorganisation: %v", err)
	}
	b.Drop()
	if s := must(w.Lookup(ctx, signed.Hash))(t); s.Phase != tx.Unknown {
		t.Errorf("dropped from the pool: %s", s.Phase)
	}
}

// TestPriceRises: a transaction below the market waits in the pool until it is replaced.
func TestPriceRises(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.wallet(t, thirdParty)
	ctx := t.Context()
	p := take("cheap")
	signed := b.prepare(t, w, p)
	if err := w.Broadcast(ctx, signed, p); err != nil {
		t.Fatal(err)
	}
	b.SetPrices(big.NewInt(50_000_000_000), big.NewInt(10_000))
	b.Mine(1)
	if s := must(w.Lookup(ctx, signed.Hash))(t); s.Phase != tx.Pending {
		t.Errorf("phase %s", s.Phase)
	}
	fees := tx.Fees{Gas: 3_000_000, GasPrice: big.NewInt(60_000_000_000), Tip: big.NewInt(2), DataGas: 1000,
		DataGasPrice: big.NewInt(20_000)}
	again := must(w.Sign(ctx, p, 0, fees))(t)
	if err := w.Broadcast(ctx, again, p); err != nil {
		t.Fatal(err)
	}
	b.Mine(1)
	if s := must(w.Lookup(ctx, again.Hash))(t); s.Phase != tx.Included ||
		s.GasPrice.Cmp(big.NewInt(50_000_000_002)) != 0 {
		t.Errorf("status %+v", s)
	}
	if err := w.Broadcast(ctx, signed, p); !errors.Is(err, tx.ErrNonceTooLow) {
		t.Errorf("the first one: %v", err)
	}
}

func TestNode_WrongChain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := setup(t, func(o *fakestarknet.Options) { o.APIVersion = "0.8.1" })
	for want, n := range map[error]*starknet.Node{starknet.ErrWrongChain: must(starknet.Dial(b.URL(), "SN_MAIN"))(t),
		starknet.ErrVersion: old.node} {
		w := must(starknet.NewWallet(n, b.keys[operator], operator.String(), starknet.STRK))(t)
		_, head := w.Head(t.Context())
		_, sign := w.Sign(t.Context(), take("x"), 0, tx.Fees{})
		_, state := must(starknet.NewCore(n, fakestarknet.CoreAddress.String(), nil))(t).State(t.Context(), false)
		for name, err := range map[string]error{"Ping": n.Ping(t.Context()), "Head": head,
			"Sign": sign, "State": state} {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
	}
	if err := b.node.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

func TestDial_Faults(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "localhost", "ws://x", "http://", "http://user:hunter2@h\x7f/"} {
		if _, err := starknet.Dial(bad, "SN_MAIN"); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", 32)} {
		if _, err := starknet.Dial("http://x", bad); err == nil {
			t.Errorf("chain id %q was taken", bad)
		}
	}
}

// TestErrors_ShowNoSecret: whatever a node says, and however it fails, keys in its URL are in no error.
func TestErrors_ShowNoSecret(t *testing.T) {
	t.Parallel()
	const key, password = "topsecretapikey42", "hunter2"
	for name, h := range map[string]http.HandlerFunc{
		"echo": func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "no route "+r.URL.String()+" for "+key, http.StatusNotFound)
		},
		"error": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"key %s","data":"%s"}}`, key, password)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/"+key, http.StatusFound)
		},
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"large": func(w http.ResponseWriter, _ *http.Request) {
			for range 17 {
				_, _ = w.Write([]byte(strings.Repeat(" ", 1<<20)))
			}
		},
	} {
		srv := httptest.NewServer(h)
		url := strings.Replace(srv.URL, "http://", "http://user:"+password+"@", 1) + "/v1/" + key + "?apikey=" + key
		n := must(starknet.Dial(url, "SN_MAIN"))(t)
		err := n.Ping(t.Context())
		if err == nil || strings.Contains(err.Error(), key) || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", name, err)
		}
		srv.Close()
	}
}

// TestReads_Retried: a read is repeated while a node does not answer, a sent transaction never.
func TestReads_Retried(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.wallet(t, thirdParty)
	signed := b.prepare(t, w, take("x"))
	b.Inject(fake.Strike{Fault: fake.RateLimited, Times: 2})
	if _, err := w.Head(t.Context()); err != nil || b.Struck() != 2 {
		t.Errorf("a read that fails twice: %v, struck %d", err, b.Struck())
	}
	b.Inject(fake.Strike{Fault: fake.LostResponse, Op: "starknet_addInvokeTransaction", Times: 2})
	if err := w.Broadcast(t.Context(), signed, take("x")); err == nil || b.Struck() != 3 {
		t.Errorf("a sent transaction: %v, struck %d", err, b.Struck())
	}
	b.Clear()
	b.Inject(fake.Strike{Fault: fake.Unavailable, Times: 3})
	if _, err := w.Head(t.Context()); err == nil {
		t.Error("a node that never answers returned nil")
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	facts := must(starknet.NewFacts(b.node, fakestarknet.RegistryAddress.String(), nil))(t)
	known := felt.FromUint64(77)
	b.RegisterFact(known)
	got := must(facts.Valid(t.Context(), []string{fmt.Sprintf("0x%x", known[:]), "0x" + strings.Repeat("0", 62) + "4d",
		"0x" + strings.Repeat("0", 63) + "1"}))(t)
	if !got[0] || !got[1] || got[2] {
		t.Errorf("valid %v", got)
	}
	for _, bad := range []string{"", "77", "0x4d", "0x" + strings.Repeat("f", 64)} {
		if _, err := facts.Valid(t.Context(), []string{bad}); err == nil {
			t.Errorf("fact %q was taken", bad)
		}
	}
	if _, err := must(starknet.NewFacts(b.node, fakestarknet.SinkAddress.String(), nil))(t).Valid(t.Context(),
		[]string{"0x" + strings.Repeat("0", 64)}); err == nil {
		t.Error("the sink is taken for a registry")
	}
}
