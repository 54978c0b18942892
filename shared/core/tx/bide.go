package tx

import (
	"context"
	"math/big"
	"slices"
	"time"
)

// FeeTarget is when a payload that nothing urges is sent. The zero value sends at once.
type FeeTarget struct {
	// Percentile is of the prices of the last FeeWindow: at or below it a payload is sent; 0: at any price.
	Percentile int
	// Patience is the age from which it is sent whatever fees are.
	Patience time.Duration
}

// Until is when a payload is sent at the latest whose age counts from since.
func (t FeeTarget) Until(since time.Time) time.Time { return since.Add(t.Patience) }

// FeeWindow is over how long prices are compared: a day, for fees follow its hours.
const FeeWindow = 24 * time.Hour

// minPrices is how many prices there must be to compare with: an hour of Ethereum's blocks.
const minPrices = 300

// Price is the base fees of one block, in the chain's smallest unit for a unit of gas.
type Price struct{ Base, Blob *big.Int }

// Cost is what a transaction with some gas and blobs costs at least at a price: without a tip.
func (p Price) Cost(gas uint64, blobs int) *big.Int {
	return Fees{Gas: gas, GasPrice: p.Base, DataGas: uint64(blobs) * BlobGas, DataGasPrice: p.Blob}.Total()
}

// Market is a Chain that knows the prices of blocks that passed.
type Market interface {
	// Prices returns those of the blocks of about the last window, in any order, as far as the node has them. It may
	// lack those of the last minutes.
	Prices(ctx context.Context, window time.Duration) ([]Price, error)
}

// Bid is whether a payload waits for lower fees.
type Bid struct {
	Wait bool
	// Today is what it costs in the next block, Target what it waits for; nil where there is nothing to compare with.
	Today, Target *big.Int
	// Until is when it is sent at the latest.
	Until time.Time
}

// Bide says whether a payload with some gas and blobs waits for lower fees than today's. since is from when its age
// counts; prices are those of Market. It is pure.
func (t FeeTarget) Bide(now, since time.Time, today Price, prices []Price, gas uint64, blobs int) Bid {
	if t.Percentile <= 0 {
		return Bid{}
	}
	b := Bid{Today: today.Cost(gas, blobs), Until: t.Until(since)}
	if len(prices) < minPrices {
		return b
	}
	costs := make([]*big.Int, len(prices))
	for i, p := range prices {
		costs[i] = p.Cost(gas, blobs)
	}
	slices.SortFunc(costs, (*big.Int).Cmp)
	b.Target = costs[(len(costs)-1)*min(t.Percentile, 100)/100]
	b.Wait = b.Today.Cmp(b.Target) > 0 && now.Before(b.Until)
	return b
}
