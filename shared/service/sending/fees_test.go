package sending_test

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/service/sending"
)

func gwei(f float64) *big.Int {
	n, _ := new(big.Float).Mul(big.NewFloat(f), big.NewFloat(1e9)).Int(nil)
	return n
}

// market is a bench on a chain with other rules, with the default policy.
func market(t *testing.T, c l1.Config, blobs int) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		payload: tx.Payload{To: "0x1", Data: []byte("pay")}}
	for range blobs {
		b.payload.Blobs = append(b.payload.Blobs, []byte{1})
	}
	env := &fault.Env{Now: func() time.Time { return b.now }}
	b.chain, b.locks = l1.New(env, c), memory.NewLocks(env)
	b.sender = &sending.Sender{
		Chain: b.chain, Raw: memory.NewArtifacts(env), Policy: tx.DefaultPolicy(), Now: env.Now,
		Lease: b.locks, LeaseName: "wallet",
	}
	return b
}

// settles lets minutes pass in blocks of 12 seconds, with a look every minute, until the payload is in a block. each is
// called between the look and the blocks.
func (b *bench) settles(minutes int, each func(minute int)) (after int, ok bool) {
	b.t.Helper()
	r := b.request("job")
	r.Blobs = len(b.payload.Blobs)
	for m := range minutes {
		p, err := b.sender.Advance(b.t.Context(), r)
		if err != nil && !errors.Is(err, tx.ErrFeeCap) {
			b.t.Fatalf("minute %d: %v", m, err)
		}
		if p.Status.Phase == tx.Included {
			return m, true
		}
		if each != nil {
			each(m)
		}
		for range 5 {
			b.now = b.now.Add(12 * time.Second)
			b.chain.Mine()
		}
	}
	return minutes, false
}

func (b *bench) records() string {
	var out []string
	for _, r := range b.journal.Records {
		out = append(out, fmt.Sprintf("%s tip %s refused %t", r.Fees.GasPrice, r.Fees.Tip, r.Refused))
	}
	return strings.Join(out, ", ")
}

// W2: builders want a tip of 1 gwei, the node suggests 0.2, the cap is 0.01 ETH. What was signed first is replaced with
// a tip that is enough, whatever the base fee; nothing ever costs more than the cap.
func TestBuildersWantAHigherTip(t *testing.T) {
	t.Parallel()
	for _, base := range []float64{0.3, 1, 2, 3} {
		for _, strict := range []bool{false, true} {
			t.Run(fmt.Sprintf("base fee %g gwei, strict %t", base, strict), func(t *testing.T) {
				t.Parallel()
				b := market(t,
					l1.Config{BaseFee: gwei(base), BlobBaseFee: big.NewInt(1), BuilderTip: gwei(1), Strict: strict}, 1)
				after, ok := b.settles(300, nil)
				if !ok || after > 20 {
					t.Fatalf("in a block: %t, after %d minutes: %s", ok, after, b.records())
				}
				for _, r := range b.journal.Records {
					if r.Fees.Total().Cmp(b.sender.Policy.FeeCap) > 0 {
						t.Errorf("%s may cost %s, the cap is %s", r.Hash, r.Fees.Total(), b.sender.Policy.FeeCap)
					}
				}
			})
		}
	}
}

// A configured minimum tip is offered at once.
func TestMinimumTip(t *testing.T) {
	t.Parallel()
	b := market(t, l1.Config{BaseFee: gwei(0.3), BlobBaseFee: big.NewInt(1), BuilderTip: gwei(1)}, 1)
	b.sender.Policy.MinTip = gwei(1)
	if after, ok := b.settles(300, nil); !ok || after > 1 || len(b.journal.Records) != 1 {
		t.Errorf("in a block: %t, after %d minutes: %s", ok, after, b.records())
	}
}

// W3: the base fee rises after signing. A replacement is taken at the first try, by pools that refuse exactly twice
// too.
func TestReplacementsAreTaken(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		for blobs := range 2 {
			t.Run(fmt.Sprintf("strict %t, %d blobs", strict, blobs), func(t *testing.T) {
				t.Parallel()
				b := market(t, l1.Config{BaseFee: gwei(0.1), BlobBaseFee: gwei(0.001), Strict: strict}, blobs)
				after, ok := b.settles(300, func(m int) {
					if m < 10 {
						b.chain.SetFees(gwei(0.1+float64(m+1)), gwei(0.001)) // above what is offered
					}
				})
				if !ok || after > 20 {
					t.Fatalf("in a block: %t, after %d minutes: %s", ok, after, b.records())
				}
				for _, r := range b.journal.Records {
					if r.Refused {
						t.Errorf("the pool refused one: %s", b.records())
					}
				}
				if len(b.journal.Records) < 2 {
					t.Errorf("nothing was replaced: %s", b.records())
				}
			})
		}
	}
}

// W4: the node does not show its pool. A transaction that the market left behind is replaced all the same.
func TestHiddenPool(t *testing.T) {
	t.Parallel()
	b := market(t, l1.Config{BaseFee: gwei(0.1), BlobBaseFee: gwei(0.001), Hidden: true}, 1)
	after, ok := b.settles(600, func(m int) {
		if m == 0 {
			b.chain.SetFees(gwei(1), gwei(0.001))
		}
	})
	if !ok || after > 20 || len(b.journal.Records) < 2 {
		t.Errorf("in a block: %t, after %d minutes: %s", ok, after, b.records())
	}
}

// W1: the gas limit stays below the chain's cap while the call fits; where it does not, the cap is named and no retry
// helps.
func TestGasCap(t *testing.T) {
	t.Parallel()
	b := market(t, l1.Config{GasCap: 400_000}, 0)
	b.sender.Policy.GasCap = 400_000
	b.advance(tx.Wait)
	if g := b.journal.Records[0].Fees.Gas; g != 400_000 {
		t.Errorf("signed with a gas limit of %d", g)
	}
	b = market(t, l1.Config{}, 0)
	b.sender.Policy.GasCap = 20_000
	if _, err := b.sender.Advance(t.Context(), b.request("job")); !errors.Is(err, tx.ErrGasCap) ||
		!strings.Contains(err.Error(), "20000") {
		t.Errorf("got %v, want %v", err, tx.ErrGasCap)
	}
}
