package main

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
)

// TestL3Faults settles an L3 while Starknet's node loses answers, limits rates, lags, rejects what it took, and prices
// rise.
func TestL3Faults(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(*fakestarknet.Server){
		"lost answers": func(s *fakestarknet.Server) {
			s.Inject(fake.Strike{Fault: fake.LostResponse, Op: "starknet_addInvokeTransaction", Times: 4})
		},
		"rejected and refused": func(s *fakestarknet.Server) {
			s.Reject("Max L2Gas price is too low")
			s.Reject("Max L2Gas price is too low")
			s.Answer("starknet_addInvokeTransaction", 63, "An unexpected error occurred", "mempool is full")
		},
		"at random": func(s *fakestarknet.Server) {
			s.Random(fake.Rates{Seed: 5, Faults: map[fake.Fault]float64{
				fake.RateLimited: 0.03, fake.Unavailable: 0.02, fake.LostResponse: 0.02, fake.BadGateway: 0.01,
				fake.Garbage: 0.01, fake.CutResponse: 0.01,
			}})
		},
		"prices rise": func(s *fakestarknet.Server) {
			s.SetPrices(big.NewInt(9_000_000_000), big.NewInt(90_000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			o, err := parse([]string{"-blocks", "4", "-layer", "l3", "-snos-batch", "2", "-timeout", "3m"}, &errs)
			var server *fakestarknet.Server
			o.started = func(s any) {
				if l2, ok := s.(*fakestarknet.Server); ok {
					server = l2
					disturb(l2)
				}
			}
			if code := carry(t.Context(), o, err, &out, &errs); code != 0 ||
				!strings.Contains(out.String(), settledLine) {
				t.Errorf("exit %d\n%s%s", code, out.String(), errs.String())
			}
			if name != "prices rise" && name != "rejected and refused" && server.Struck() == 0 {
				t.Error("nothing was disturbed")
			}
		})
	}
}
