package tx_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// every is how far the prices of a generated series lie apart.
const every = time.Minute

// series are prices of some days, from a seed. No recorded series of both fees could be found in public data under a
// free licence, so these are made up: the logarithm of each fee returns to its mean (within hours), follows the hours
// of the day (the base fee by a factor of 2 between night and afternoon), and jumps now and then (a spike of the base
// fee twice a day, of the blob fee, which often lies at its least of 1 wei, once, each gone after an hour or so).
func series(seed uint64, days int) []tx.Price {
	r := rand.New(rand.NewPCG(seed, 3))
	out := make([]tx.Price, days*24*60)
	var base, blob, baseSpike, blobSpike float64 // logarithms, apart from the mean
	for i := range out {
		hour := float64(i%(24*60)) / 60
		base += -base/180 + 0.03*r.NormFloat64()
		blob += -blob/240 + 0.09*r.NormFloat64()
		baseSpike, blobSpike = baseSpike*0.985, blobSpike*0.99
		if r.Float64() < 2.0/(24*60) {
			baseSpike += 1 + r.ExpFloat64()
		}
		if r.Float64() < 1.0/(24*60) {
			blobSpike += 3 + 2*r.ExpFloat64()
		}
		day := 0.35 * math.Sin((hour-9)/24*2*math.Pi)
		gwei := 2 * math.Exp(base+baseSpike+day)
		wei := 1e6 * math.Exp(3*blob+blobSpike+day)
		out[i] = tx.Price{Base: big.NewInt(int64(gwei * 1e9)), Blob: big.NewInt(max(1, int64(wei)))}
	}
	return out
}

// replay settles a batch an hour, in order, over a series after its first day. It returns what that costs and the mean
// age of a batch when it is settled.
func replay(prices []tx.Price, f tx.FeeTarget, gas uint64, blobs int) (cost float64, age time.Duration) {
	at := func(i int) time.Time { return time.Time{}.Add(time.Duration(i) * every) }
	day := int(tx.FeeWindow / every)
	window := func(i int) (out []tx.Price) { // every third price of a day is enough
		for j := i - day; j < i; j += 3 {
			out = append(out, prices[j])
		}
		return out
	}
	n, total, next := 0, time.Duration(0), day
	for opened := day; opened+60 < len(prices); opened += 60 {
		i := max(next, opened+20) // proven after 20 minutes, and after those before it
		if i >= len(prices) {
			break
		}
		for ; i+5 < len(prices); i += 5 {
			if !f.Bide(at(i), at(opened), prices[i], window(i), gas, blobs).Wait {
				break
			}
		}
		paid, _ := new(big.Float).SetInt(prices[i].Cost(gas, blobs)).Float64()
		cost += paid
		total += at(i).Sub(at(opened))
		next = i
		n++
	}
	return cost, total / time.Duration(n)
}

// BenchmarkFees reports what fee-aware settling costs as a part of what settling at once costs, on generated fees of 30
// days, and how old batches get.
func BenchmarkFees(b *testing.B) {
	prices := series(1, 31)
	const gas, blobs = 400_000, 6
	atOnce, _ := replay(prices, tx.FeeTarget{}, gas, blobs)
	for _, f := range []tx.FeeTarget{
		{Percentile: 50, Patience: 6 * time.Hour}, {Percentile: 30, Patience: 6 * time.Hour},
		{Percentile: 30, Patience: 12 * time.Hour}, {Percentile: 10, Patience: 24 * time.Hour},
	} {
		b.Run(fmt.Sprintf("target %d patience %s", f.Percentile, f.Patience), func(b *testing.B) {
			var cost float64
			var age time.Duration
			for b.Loop() {
				cost, age = replay(prices, f, gas, blobs)
			}
			b.ReportMetric(cost/atOnce, "of-the-cost-at-once")
			b.ReportMetric(age.Minutes(), "minutes-old")
		})
	}
}

// On generated fees to wait costs less than to settle at once, and no batch gets older than patience allows.
func TestWaitingSaves(t *testing.T) {
	t.Parallel()
	prices := series(2, 8)
	atOnce, _ := replay(prices, tx.FeeTarget{}, 400_000, 6)
	waited, age := replay(prices, tx.FeeTarget{Percentile: 30, Patience: 6 * time.Hour}, 400_000, 6)
	if waited >= 0.9*atOnce || age > 6*time.Hour+10*time.Minute {
		t.Errorf("waiting costs %.2f of settling at once, batches are %s old", waited/atOnce, age)
	}
}
