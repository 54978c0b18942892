package tx

import (
	"fmt"
	"math/big"
	"time"
)

const (
	// growth is how much a base fee may have grown by the next block, in percent (EIP-1559: an eighth a block at most;
	// blob fees grow by less, EIP-7691).
	growth = 113
	// escalation is how much a price grows over one that a pool refused, in percent.
	escalation = 125
	// tipFactor is how much a tip grows at once where it alone keeps a transaction out of blocks: as by three
	// doublings.
	tipFactor = 8
)

// first prices a transaction that replaces none.
//
// It offers twice the market's fees where a replacement still fits below the cap afterwards. Otherwise it offers as
// much as leaves room for one. Where there is no such room, it offers all of the cap at once, in the tip too: these are
// limits and not what is paid, and they can't be raised later.
func (p Policy) first(nonce uint64, v View) Decision {
	v = v.beside(nonce)
	want, need := p.market(v), p.need(v)
	d := Decision{Step: Sign, Nonce: nonce, Fees: want}
	limit := p.limit(v)
	switch {
	case limit == nil || p.bump(want).Total().Cmp(limit) <= 0:
	case need.Total().Cmp(limit) > 0:
		d.Step, d.Fees = Capped, need
		d.Reason = fmt.Sprintf("the transaction could cost %s at today's fees, %s: wait until fees fall, or raise "+
			"the cap to %s",
			need.Total(), p.says(v), p.capFor(need, v))
		return d
	case p.bump(need).Total().Cmp(limit) <= 0:
		half := new(big.Int).Mul(limit, big.NewInt(100))
		half.Quo(half, big.NewInt(p.BumpPercent))
		half.Sub(half, new(big.Int).SetUint64(need.Gas+need.DataGas)) // a bump adds one unit to every price
		d.Fees = need.stretched(half.Sub(half, need.Total()), &want)
	default:
		if b := v.balance(); b != nil && b.Cmp(limit) < 0 {
			limit = b
		}
		d.Fees = need.stretched(new(big.Int).Sub(limit, need.Total()), nil).tipped(need.Tip, v)
	}
	if b := v.balance(); b != nil && b.Cmp(d.Fees.Total()) < 0 && b.Cmp(need.Total()) >= 0 {
		// a node takes nothing that the account can't pay
		d.Fees = need.stretched(new(big.Int).Sub(b, need.Total()), &d.Fees)
	}
	return d
}

// replace prices a replacement of held, which the pool may have. newest is the last one signed with its nonce: where a
// pool refused that one, the replacement offers more than it too.
func (p Policy) replace(held, newest Record, v View) Decision {
	v = v.beside(held.Nonce)
	m, need := p.market(v), p.need(v)
	least := p.bump(held.Fees)
	if newest.Hash != held.Hash {
		least = least.atLeast(newest.Fees.scaled(escalation))
	}
	least.Gas, least.DataGas = max(held.Fees.Gas, m.Gas), max(held.Fees.DataGas, m.DataGas)
	f := least.atLeast(m)
	limit := p.limit(v)
	if limit != nil && f.Total().Cmp(limit) > 0 {
		f = least.atLeast(need)
	}
	d := Decision{Step: Sign, Nonce: held.Nonce, Fees: f, Replaces: newest.Hash, Record: held}
	pays := held.Fees.covers(v.Head)
	if limit != nil && f.Total().Cmp(limit) > 0 {
		d.Step, d.Reason = Capped, p.whyNotReplaced(held, least, need, pays, v)
		return d
	}
	if limit != nil && p.bump(f).Total().Cmp(limit) > 0 {
		room := new(big.Int).Sub(limit, f.Total())
		if b := v.balance(); b != nil && b.Cmp(limit) < 0 {
			room.Sub(b, f.Total())
		}
		f = f.stretched(room, nil)
	}
	if pays { // blocks could have taken it: the tip is what builders miss
		f = f.tipped(held.Fees.Tip, v)
	}
	d.Fees = f
	return d
}

// whyNotReplaced says what helps where a replacement does not fit below the cap.
func (p Policy) whyNotReplaced(held Record, least, need Fees, pays bool, v View) string {
	why := fmt.Sprintf("transaction %s has waited for %s; pools take a replacement only where every price is more "+
		"than %d %% of its own, "+
		"so it could cost %s, %s",
		held.Hash, v.Now.Sub(held.SignedAt).Round(time.Second), p.BumpPercent, least.Total(), p.says(v))
	enough := p.capFor(least.atLeast(need), v)
	if pays {
		return fmt.Sprintf("%s. Its prices cover today's base fees, so builders want a higher tip than %s: raise the "+
			"cap to %s", why, held.Fees.Tip, enough)
	}
	return fmt.Sprintf("%s. Today's base fees are above its prices: wait until fees fall, or raise the cap to %s",
		why, enough)
}

// says names the cap for people.
func (p Policy) says(v View) string {
	if orZero(v.reserved).Sign() > 0 {
		return fmt.Sprintf("the cap is %s, of which the wallet's other transactions on their way may take %s",
			p.FeeCap, v.reserved)
	}
	return fmt.Sprintf("the cap is %s", p.FeeCap)
}

// limit is what a transaction may cost now beside the others; nil: anything.
func (p Policy) limit(v View) *big.Int {
	if p.FeeCap == nil {
		return nil
	}
	return new(big.Int).Sub(p.FeeCap, orZero(v.reserved))
}

// capFor is the cap that lets a transaction with these fees pass beside the others.
func (p Policy) capFor(f Fees, v View) *big.Int {
	return new(big.Int).Add(f.Total(), orZero(v.reserved))
}

// balance is what the wallet can still offer; nil where that is not known.
func (v View) balance() *big.Int {
	if v.Account.Balance == nil {
		return nil
	}
	return new(big.Int).Sub(v.Account.Balance, orZero(v.reserved))
}

// market prices a transaction at today's fees. The execution price covers two base fees, so that it stays good for six
// full blocks (a base fee grows by an eighth a block at most, EIP-1559).
func (p Policy) market(v View) Fees {
	tip := larger(v.Head.Tip, p.MinTip)
	price := new(big.Int).Lsh(orZero(v.Head.BaseFee), 1)
	f := Fees{Gas: v.Gas, Tip: tip, GasPrice: percent(price.Add(price, tip), p.MarkupPercent)}
	if f.DataGas = uint64(v.Blobs)*BlobGas + v.DataGas; f.DataGas > 0 {
		f.DataGasPrice = larger(percent(new(big.Int).Lsh(orZero(v.Head.BlobBaseFee), 1), p.MarkupPercent),
			big.NewInt(1))
	}
	return f
}

// need is the least with which the next block can take a transaction.
func (p Policy) need(v View) Fees {
	f := p.market(v)
	price := percent(v.Head.BaseFee, growth)
	f.GasPrice = price.Add(price, f.Tip)
	if f.DataGas > 0 {
		f.DataGasPrice = larger(percent(v.Head.BlobBaseFee, growth), big.NewInt(1))
	}
	return f
}

// bump raises every price to what pools want of a replacement at least.
func (p Policy) bump(f Fees) Fees { return f.scaled(p.BumpPercent) }

// scaled is a percentage of every price, and one unit more.
func (f Fees) scaled(pct int64) Fees {
	more := func(n *big.Int) *big.Int { x := percent(n, pct); return x.Add(x, big.NewInt(1)) }
	f.GasPrice, f.Tip = more(f.GasPrice), more(f.Tip)
	if f.DataGas > 0 {
		f.DataGasPrice = more(f.DataGasPrice)
	}
	return f
}

// atLeast raises every price to another's.
func (f Fees) atLeast(o Fees) Fees {
	f.GasPrice, f.Tip, f.DataGasPrice = larger(f.GasPrice, o.GasPrice), larger(f.Tip,
		o.Tip), larger(f.DataGasPrice, o.DataGasPrice)
	return f
}

// covers says whether the prices cover the next block's base fees.
func (f Fees) covers(h Head) bool {
	return orZero(f.GasPrice).Cmp(orZero(h.BaseFee)) >= 0 &&
		(f.DataGas == 0 || orZero(f.DataGasPrice).Cmp(orZero(h.BlobBaseFee)) >= 0)
}

// tipped raises the tip as far as the gas price leaves room above the next base fee, up to tipFactor times from.
func (f Fees) tipped(from *big.Int, v View) Fees {
	room := new(big.Int).Sub(orZero(f.GasPrice), percent(v.Head.BaseFee, growth))
	if most := new(big.Int).Mul(orZero(from), big.NewInt(tipFactor)); room.Cmp(most) > 0 {
		room = most
	}
	f.Tip = larger(f.Tip, room)
	return f
}

// stretched shares room, in the chain's smallest unit, among the prices of gas and of data gas, up to the prices of
// top; nil: without a bound.
func (f Fees) stretched(room *big.Int, top *Fees) Fees {
	if room.Sign() <= 0 {
		return f
	}
	raise := func(price *big.Int, amount uint64, share, most *big.Int) *big.Int {
		more := new(big.Int).Quo(share, new(big.Int).SetUint64(amount))
		if more.Add(more, orZero(price)); top != nil && more.Cmp(orZero(most)) > 0 {
			return larger(price, most)
		}
		return more
	}
	var most Fees
	if top != nil {
		most = *top
	}
	if f.DataGas > 0 {
		room = new(big.Int).Rsh(room, 1)
		f.DataGasPrice = raise(f.DataGasPrice, f.DataGas, room, most.DataGasPrice)
	}
	if f.Gas > 0 {
		f.GasPrice = raise(f.GasPrice, f.Gas, room, most.GasPrice)
	}
	return f
}

func percent(n *big.Int, pct int64) *big.Int {
	x := new(big.Int).Mul(orZero(n), big.NewInt(pct))
	x.Add(x, big.NewInt(99))
	return x.Quo(x, big.NewInt(100))
}

func larger(a, b *big.Int) *big.Int {
	if orZero(a).Cmp(orZero(b)) >= 0 {
		return orZero(a)
	}
	return orZero(b)
}
