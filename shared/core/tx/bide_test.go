package tx_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

func TestBide(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	// prices from 1 to 1,000, then today's
	series := func(n int, today int64) (out []tx.Price) {
		for i := range n {
			out = append(out, tx.Price{Base: big.NewInt(int64(1 + i*997%1000)), Blob: big.NewInt(1)})
		}
		return append(out, tx.Price{Base: big.NewInt(today), Blob: big.NewInt(1)})
	}
	blobs := func(today int64) []tx.Price { // gas is cheap, blobs decide
		out := series(1000, 1)
		for i := range out {
			out[i] = tx.Price{Base: big.NewInt(1), Blob: big.NewInt(int64(1 + i))}
		}
		out[len(out)-1].Blob = big.NewInt(today)
		return out
	}
	for name, c := range map[string]struct {
		percentile int
		prices     []tx.Price
		age        time.Duration
		blobs      int
		wait       bool
	}{
		"off":                          {0, series(1000, 1000), 0, 1, false},
		"dear":                         {30, series(1000, 900), 0, 0, true},
		"cheap":                        {30, series(1000, 100), 0, 0, false},
		"at the target":                {30, series(1000, 300), 0, 0, false},
		"just above":                   {30, series(1000, 302), 0, 0, true},
		"dear, and old":                {30, series(1000, 900), 2 * time.Hour, 0, false},
		"dear, a second too young":     {30, series(1000, 900), 2*time.Hour - time.Second, 0, true},
		"dear, nothing to compare":     {30, series(10, 900), 0, 0, false},
		"highest percentile, dearest":  {99, series(1000, 1001), 0, 0, true},
		"highest percentile, as usual": {99, series(1000, 900), 0, 0, false},
		"blobs are dear":               {50, blobs(900), 0, 2, true},
		"blobs are cheap":              {50, blobs(100), 0, 2, false},
		"dear blobs, carries none":     {50, blobs(900), 0, 0, false},
	} {
		f := tx.FeeTarget{Percentile: c.percentile, Patience: 2 * time.Hour}
		last := len(c.prices) - 1
		b := f.Bide(at.Add(c.age), at, c.prices[last], c.prices[:last], 1_000, c.blobs)
		if b.Wait != c.wait {
			t.Errorf("%s: %+v, want to wait: %t", name, b, c.wait)
		}
		if b.Wait && (!b.Until.Equal(at.Add(2*time.Hour)) || b.Today.Cmp(b.Target) <= 0) {
			t.Errorf("%s: %+v", name, b)
		}
	}
}
