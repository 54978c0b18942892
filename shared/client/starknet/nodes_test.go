package starknet_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/several"
	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx/txtest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
)

// TestSeveralNodes_Conformance: an account on several nodes keeps the contract of tx.Chain, whatever one of them does.
func TestSeveralNodes_Conformance(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*fake.Faults){
		"the first limits our rate": func(f *fake.Faults) { f.Inject(fake.Strike{Fault: fake.RateLimited, Times: -1}) },
		"the first answers HTML now and then": func(f *fake.Faults) {
			f.Random(fake.Rates{Seed: 7, Faults: map[fake.Fault]float64{fake.BadGateway: 0.4, fake.Garbage: 0.2}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			txtest.TestChain(t, txtest.Harness{New: func(t *testing.T) txtest.Service {
				b := setup(t)
				to := must(url.Parse(b.URL()))(t)
				faults := &fake.Faults{}
				spoil(faults)
				proxy := httptest.NewServer(faults.Wrap(httputil.NewSingleHostReverseProxy(to),
					func(r *http.Request) string { return r.Method },
					func(w http.ResponseWriter, status int) { http.Error(w, "slow down", status) }))
				t.Cleanup(proxy.Close)
				var ns []*starknet.Node
				o := several.Options{Slack: 5, WrongChain: starknet.ErrWrongChain, Now: time.Now,
					Probe: func(ctx context.Context, i int) (uint64, error) { return ns[i].Probe(ctx) }}
				for i, u := range []string{proxy.URL, b.URL()} {
					ns = append(ns, must(starknet.Dial(u, b.ChainID()))(t))
					o.Names = append(o.Names, strconv.Itoa(i))
				}
				set := several.New(o)
				wallet := func(n *starknet.Node) *starknet.Wallet {
					return must(starknet.NewWallet(n, b.keys[thirdParty], thirdParty.String(), starknet.STRK))(t)
				}
				return txtest.Service{Chain: several.NewChain(set, wallet(ns[0]), wallet(ns[1])), Payload: take,
					Refused: refused, Gas: 3_000_000, DataGas: 1_000, Mine: b.Mine}
			}})
		})
	}
}
