package tx

import (
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Order says how a transaction of another payload stands to the payload that is decided about.
type Order int

// Orders of two payloads.
const (
	Beside Order = iota // neither needs the other
	Before              // it must be mined first: the payload builds on it
	Behind              // it builds on the payload
)

// Flight is a transaction of the wallet for another payload that may still be mined, because its nonce is not used.
type Flight struct {
	Nonce    uint64
	Cost     *big.Int // the most that it can cost, in the chain's smallest unit
	Blobs    int
	SignedAt time.Time // of the newest transaction with the nonce
	Order    Order
}

// Flights are the journal's transactions of an account whose nonces are not used, one a nonce: with the highest costs
// of those that have it, for any of them may be mined.
func (j Journal) Flights(a Account, blobs int, o Order) []Flight {
	var out []Flight
	for _, r := range j.Records {
		if r.Nonce < a.Latest || !r.by(a.Address) {
			continue
		}
		i := slices.IndexFunc(out, func(f Flight) bool { return f.Nonce == r.Nonce })
		if i < 0 {
			out = append(out, Flight{Nonce: r.Nonce, Cost: new(big.Int), Blobs: blobs, Order: o})
			i = len(out) - 1
		}
		out[i].Cost, out[i].SignedAt = larger(out[i].Cost, r.Fees.Total()), r.SignedAt
	}
	return out
}

// costs are what the flights can cost, by nonce: one transaction of each can be mined.
func (v View) costs() map[uint64]*big.Int {
	out := map[uint64]*big.Int{}
	for _, f := range v.Flights {
		out[f.Nonce] = larger(out[f.Nonce], f.Cost)
	}
	return out
}

// beside is the view of a transaction with a nonce: what the others may cost together is set aside.
func (v View) beside(nonce uint64) View {
	v.reserved = new(big.Int)
	for n, cost := range v.costs() {
		if n != nonce {
			v.reserved.Add(v.reserved, cost)
		}
	}
	return v
}

// before says whether another transaction goes before a nonce.
func (v View) before(nonce uint64) bool {
	return slices.ContainsFunc(v.Flights, func(f Flight) bool { return f.Nonce < nonce })
}

// last says whether none of the flights has a nonce above.
func (v View) last(nonce uint64) bool {
	return !slices.ContainsFunc(v.Flights, func(f Flight) bool { return f.Nonce > nonce })
}

// firstNonce is the nonce for a payload of which nothing is on its way: the one that follows those that the node shows,
// or the lowest of those that build on the payload. They can't succeed before it, and behind them it would wait for
// ever where their fees are too low for a block.
func (v View) firstNonce() uint64 {
	nonce := max(v.Account.Pending, v.Account.Latest)
	for _, f := range v.Flights {
		if f.Order == Behind && f.Nonce >= v.Account.Latest {
			nonce = min(nonce, f.Nonce)
		}
	}
	return nonce
}

// next decides about the first transaction of a payload, with the nonce that follows those that the node shows.
func (p Policy) next(nonce uint64, v View) Decision {
	why := p.taken(nonce, v)
	if why == "" {
		why = p.full(nonce, v)
	}
	if why != "" {
		return Decision{Step: Wait, Reason: why, Blocked: true}
	}
	var d Decision
	if len(v.Flights) > 0 && v.last(nonce) {
		d = p.follow(nonce, v)
	} else if d = p.first(nonce, v); d.Step == Capped && d.Fees.Total().Cmp(p.FeeCap) <= 0 { // alone it would fit
		d.Step = Wait
	}
	d.Blocked = d.Step == Wait
	return d
}

// taken says why a payload can't have a nonce now; "" where it can. What it builds on must have lower ones. The nonce
// of another payload's transaction is left to it while that one may be on its way to the node, unless it builds on this
// payload.
func (p Policy) taken(nonce uint64, v View) string {
	for _, f := range v.Flights {
		switch {
		case f.Order == Before && f.Nonce >= nonce:
			return fmt.Sprintf("the transaction with nonce %d must go before it, and the node does not show that one "+
				"yet", f.Nonce)
		case f.Nonce == nonce && f.Order != Behind && v.Now.Sub(f.SignedAt) < p.ReplaceAfter:
			return fmt.Sprintf("the node does not show the wallet's transaction with nonce %d yet", nonce)
		}
	}
	return ""
}

// full says why there can't be one more transaction; "" where there can. One that goes before others is none more: they
// wait for it.
func (p Policy) full(nonce uint64, v View) string {
	if len(v.Flights) == 0 || !v.last(nonce) {
		return ""
	}
	blobs := map[uint64]int{}
	for _, f := range v.Flights {
		blobs[f.Nonce] = max(blobs[f.Nonce], f.Blobs)
	}
	sum := v.Blobs
	for _, n := range blobs {
		sum += n
	}
	switch most := max(p.InFlight, 1); {
	case len(blobs) >= most:
		return fmt.Sprintf("%d of at most %d transactions of the wallet are on their way", len(blobs), most)
	case p.BlockBlobs > 0 && v.Blobs > 0 && sum > p.BlockBlobs:
		return fmt.Sprintf("with it %d blobs would be on their way, a block takes %d", sum, p.BlockBlobs)
	}
	return ""
}

// follow prices a transaction that goes behind others. It offers twice the market's fees and no more, and only where
// the cap leaves room to replace the dearest of all; else it waits until some of them are mined. The cap holds for
// their sum.
func (p Policy) follow(nonce uint64, v View) Decision {
	v = v.beside(nonce)
	want := p.market(v)
	total := new(big.Int).Add(v.reserved, want.Total())
	dearest := want.Total()
	for _, cost := range v.costs() {
		dearest = larger(dearest, cost)
	}
	room := new(big.Int).Add(total, percent(dearest, p.BumpPercent-100))
	switch b := v.balance(); {
	case p.FeeCap != nil && room.Cmp(p.FeeCap) > 0:
		return Decision{Step: Wait,
			Reason: fmt.Sprintf("with it the wallet's transactions on their way could cost %s, and %s with one of "+
				"them replaced; the cap is %s", total, room, p.FeeCap)}
	case b != nil && b.Cmp(want.Total()) < 0:
		return Decision{Step: Wait, Reason: fmt.Sprintf("the wallet's transactions on their way may cost %s of its %s",
			v.reserved, v.Account.Balance)}
	}
	return Decision{Step: Sign, Nonce: nonce, Fees: want}
}

// early says why a recorded transaction must wait for others; "" where it need not. free is the nonce that follows
// those that the node shows. It is sent again only where the sum with those before it stays below the cap: it may have
// been signed long ago and never sent.
func (p Policy) early(newest Record, free uint64, pending bool, v View) string {
	sum, lower := newest.Fees.Total(), false
	for _, f := range v.Flights {
		if f.Order == Before && f.Nonce >= newest.Nonce {
			return fmt.Sprintf("the transaction with nonce %d must go before it", f.Nonce)
		}
		if !pending && f.Nonce < newest.Nonce && f.Nonce >= free {
			return fmt.Sprintf("the node does not show the wallet's transaction with nonce %d, which goes before it",
				f.Nonce)
		}
	}
	for n, cost := range v.costs() {
		if n < newest.Nonce {
			sum.Add(sum, cost)
			lower = true
		}
	}
	if !pending && lower && p.FeeCap != nil && sum.Cmp(p.FeeCap) > 0 {
		return fmt.Sprintf("with those before it the wallet's transactions could cost %s, the cap is %s", sum, p.FeeCap)
	}
	return ""
}
