package ethereum_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/client/several"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx/txtest"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
)

// proxy is a node in front of a chain's own, with faults.
type proxy struct {
	*httptest.Server
	fake.Faults
	frozen atomic.Uint64 // the block number that it says; 0: the chain's
	asked  atomic.Int64  // requests other than for the block number
}

func (p *proxy) serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(raw))
		var q struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
		}
		_ = json.Unmarshal(raw, &q)
		if q.Method != "eth_blockNumber" {
			p.asked.Add(1)
		} else if n := p.frozen.Load(); n > 0 {
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":"0x%x"}`, q.ID, n)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (b *bench) proxy(t *testing.T) *proxy {
	t.Helper()
	to := must(url.Parse(b.URL()))(t)
	p := &proxy{}
	next := p.Wrap(httputil.NewSingleHostReverseProxy(to), func(r *http.Request) string { return r.Method },
		func(w http.ResponseWriter, status int) { http.Error(w, "slow down", status) })
	p.Server = httptest.NewServer(p.serve(next))
	t.Cleanup(p.Close)
	return p
}

// nodes are connections to the proxies, and how one of them is chosen.
func nodes(t *testing.T, ps ...*proxy) ([]*ethereum.Node, *several.Set) {
	t.Helper()
	var ns []*ethereum.Node
	o := several.Options{Slack: 2, WrongChain: ethereum.ErrWrongChain, Now: time.Now,
		Probe: func(ctx context.Context, i int) (uint64, error) { return ns[i].Probe(ctx) }}
	for i, p := range ps {
		n := must(ethereum.Dial(p.Server.URL, strconv.Itoa(devethereum.ChainID)))(t)
		t.Cleanup(n.Close)
		ns, o.Names = append(ns, n), append(o.Names, strconv.Itoa(i))
	}
	return ns, several.New(o)
}

// TestSeveralNodes_Conformance: a wallet on several nodes keeps the contract of tx.Chain, whatever one of them does.
func TestSeveralNodes_Conformance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		blobs bool
		spoil func(*proxy)
	}{
		"the first limits our rate": {true, func(p *proxy) {
			p.Inject(fake.Strike{Fault: fake.RateLimited, Times: -1})
		}},
		"the first answers HTML now and then": {false, func(p *proxy) {
			p.Random(fake.Rates{Seed: 7, Faults: map[fake.Fault]float64{fake.BadGateway: 0.4, fake.Garbage: 0.2}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			txtest.TestChain(t, txtest.Harness{New: func(t *testing.T) txtest.Service {
				b := setup(t, devethereum.Setup{ProgramHash: felt.FromUint64(1)})
				signer := b.fundedKey(t)
				first, second := b.proxy(t), b.proxy(t)
				b.Mine(3) // more than the slack
				c.spoil(first)
				ns, set := nodes(t, first, second)
				chain := several.NewChain(set, ethereum.NewWallet(ns[0], signer, ethereum.SidecarAuto),
					ethereum.NewWallet(ns[1], signer, ethereum.SidecarAuto))
				return txtest.Service{Chain: chain, To: sink, Refused: b.refused(t), Blobs: c.blobs, Mine: b.Mine}
			}})
		})
	}
}

// A node that lags is asked for its newest block and for nothing else, until it has caught up.
func TestSeveralNodes_LaggingIsLeftOut(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b := setup(t, devethereum.Setup{ProgramHash: felt.FromUint64(1)})
	first, second := b.proxy(t), b.proxy(t)
	b.Mine(5)
	first.frozen.Store(1)
	ns, set := nodes(t, first, second)
	cores := several.NewContract(set, must(ethereum.NewCore(ns[0], b.at.Core.Hex(), nil))(t),
		must(ethereum.NewCore(ns[1], b.at.Core.Hex(), nil))(t))
	first.asked.Store(0)
	for range 3 {
		if _, err := cores.State(ctx, false); err != nil {
			t.Fatal(err)
		}
	}
	if n := first.asked.Load(); n > 1 { // the chain id
		t.Errorf("%d requests to a node that lags", n)
	}
	if detail, err := set.Look(ctx); err != nil || detail == "" {
		t.Errorf("%s, %v", detail, err)
	}
}
