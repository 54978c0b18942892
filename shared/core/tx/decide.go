package tx

import (
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Policy is how transactions are priced, replaced and waited for.
type Policy struct {
	// Confirmations is how many blocks, its own included, a transaction needs to count as confirmed.
	Confirmations uint64
	// Gas is the execution gas limit; 0 takes what simulation used and half as much again.
	Gas uint64
	// FeeCap is the most that one transaction may cost in the chain's smallest unit. Above it we wait and alert.
	FeeCap *big.Int
	// MarkupPercent is how far the first price lies above the market's (110: a tenth above).
	MarkupPercent int64
	// BumpPercent is how much every price grows at a replacement (200: doubled, as pools want of blob transactions).
	BumpPercent int64
	// MinTip is the lowest tip for a unit of gas.
	MinTip *big.Int
	// ReplaceAfter is how long a transaction may be pending before it is replaced.
	ReplaceAfter time.Duration
}

// DefaultPolicy holds the reference's figures for Ethereum (pipeline.md, protocol.md): 3 confirmations, 1,500,000 gas,
// 0.01 ETH, 1.1 times the market, a tip of 0.2 gwei, replacement by doubling.
func DefaultPolicy() Policy {
	return Policy{
		Confirmations: 3,
		Gas:           1_500_000,
		FeeCap:        new(big.Int).Mul(big.NewInt(10), big.NewInt(1e15)),
		MarkupPercent: 110,
		BumpPercent:   200,
		MinTip:        big.NewInt(200_000_000),
		ReplaceAfter:  3 * time.Minute,
	}
}

// StarknetPolicy is DefaultPolicy for Starknet. A block is final for Starknet once it is closed, so one confirmation is
// enough until the block is accepted on L1. Prices are in fri; the cap is 10 STRK. A replacement must raise L2 gas price and
// tip by a tenth at least (the sequencer's fee escalation).
func StarknetPolicy() Policy {
	return Policy{
		Confirmations: 1,
		FeeCap:        new(big.Int).Mul(big.NewInt(10), big.NewInt(1e18)),
		MarkupPercent: 110,
		BumpPercent:   150,
		MinTip:        big.NewInt(1),
		ReplaceAfter:  3 * time.Minute,
	}
}

// BlobGas is the blob gas of one blob (EIP-4844: GAS_PER_BLOB).
const BlobGas = 1 << 17

// View is what a decision knows: the chain as one node shows it.
type View struct {
	Now      time.Time
	Head     Head
	Account  Account
	Statuses map[string]Status // of every hash in the journal
	Blobs    int               // of the payload
	Gas      uint64            // limit for a new transaction
	DataGas  uint64            // limit of L1 data gas for a new transaction; Starknet only
}

// Step is what to do next.
type Step string

// The steps.
const (
	// Sign a transaction with Nonce and Fees, record it, then broadcast it.
	Sign Step = "sign"
	// Rebroadcast Record, which the node does not know.
	Rebroadcast Step = "rebroadcast"
	// Wait; Reason says for what.
	Wait Step = "wait"
	// Capped: wait, because Fees would cost more than the cap.
	Capped Step = "capped"
	// Confirmed: Record is in a block with enough confirmations.
	Confirmed Step = "confirmed"
	// Final: Record is in a finalized block.
	Final Step = "final"
	// Reverted: Record is in a block with enough confirmations, and failed.
	Reverted Step = "reverted"
	// NonceLost: another transaction with Record's nonce is confirmed; note it in LostNonces and look at the contract.
	NonceLost Step = "nonce lost"
)

// Decision is the next step and what it needs.
type Decision struct {
	Step     Step
	Nonce    uint64
	Fees     Fees
	Replaces string
	Record   Record
	Status   Status
	Reason   string
}

// Decide says what to do next for one payload. It is pure: the same journal and view give the same decision. It never
// asks to sign for a nonce that a recorded transaction has, but as a replacement of that one with every price raised. Call it
// with a journal that Revive has seen.
func Decide(j Journal, v View, p Policy) Decision {
	if d, ok := decideIncluded(j, v, p); ok {
		return d
	}
	if r, ok := j.lowestFrom(v.Account.Latest); ok {
		return decideOpen(r, j, v, p)
	}
	for _, r := range j.Records { // all their nonces are used, by none of ours
		switch {
		case slices.Contains(j.LostNonces, r.Nonce):
		case v.Account.Confirmed > r.Nonce:
			return Decision{Step: NonceLost, Record: r, Nonce: r.Nonce,
				Reason: fmt.Sprintf("nonce %d was used by a transaction that is none of ours", r.Nonce)}
		default:
			return Decision{Step: Wait, Record: r,
				Reason: fmt.Sprintf("nonce %d is used in a block that may still be reorganised, or the node lags", r.Nonce)}
		}
	}
	return signFirst(v, p)
}

// decideOpen is for a recorded transaction that can still be mined: its nonce is not used.
func decideOpen(r Record, j Journal, v View, p Policy) Decision {
	phase := v.Statuses[r.Hash].Phase
	old := v.Now.Sub(r.SignedAt) >= p.ReplaceAfter
	if free := max(v.Account.Pending, v.Account.Latest); old && free < r.Nonce {
		return signFirst(v, p) // a transaction before it vanished for good: it would wait for ever
	}
	if j.Underpriced || (old && phase == Pending) {
		if d := replace(r, v, p); d.Step == Sign || j.Underpriced || phase == Pending {
			return d
		}
	}
	if phase == Unknown || phase == "" {
		return Decision{Step: Rebroadcast, Record: r, Reason: "the node does not know the transaction"}
	}
	return Decision{Step: Wait, Record: r, Reason: "transaction is in the pool"}
}

// decideIncluded looks for a transaction of ours in a block: any hash of the journal may be the one. One that went well counts
// before those that failed beside it.
func decideIncluded(j Journal, v View, p Policy) (Decision, bool) {
	for _, success := range []bool{true, false} {
		for _, r := range slices.Backward(j.Records) {
			s := v.Statuses[r.Hash]
			if s.Phase != Included || s.Success != success {
				continue
			}
			if !success && slices.Contains(j.LostNonces, r.Nonce) {
				continue // seen and answered: a later record followed
			}
			return includedAs(r, s, v, p), true
		}
	}
	return Decision{}, false
}

func includedAs(r Record, s Status, v View, p Policy) Decision {
	d := Decision{Record: r, Status: s, Nonce: r.Nonce}
	depth := uint64(0)
	if v.Head.Number >= s.Block {
		depth = v.Head.Number - s.Block + 1
	}
	switch {
	case depth < p.Confirmations:
		d.Step = Wait
		d.Reason = fmt.Sprintf("transaction has %d of %d confirmations", depth, p.Confirmations)
	case !s.Success:
		d.Step = Reverted
	case v.Head.Finalized >= s.Block && s.Block > 0:
		d.Step = Final
	default:
		d.Step = Confirmed
	}
	return d
}

func signFirst(v View, p Policy) Decision {
	d := Decision{Step: Sign, Nonce: max(v.Account.Pending, v.Account.Latest), Fees: p.market(v)}
	return d.capped(v, p)
}

// replace raises every price of r by the policy's factor, or to the market's if that is more.
func replace(r Record, v View, p Policy) Decision {
	m := p.market(v)
	f := Fees{
		Gas: max(r.Fees.Gas, m.Gas), DataGas: max(r.Fees.DataGas, m.DataGas),
		GasPrice:     larger(percent(r.Fees.GasPrice, p.BumpPercent), m.GasPrice),
		Tip:          larger(percent(r.Fees.Tip, p.BumpPercent), m.Tip),
		DataGasPrice: larger(percent(r.Fees.DataGasPrice, p.BumpPercent), m.DataGasPrice),
	}
	d := Decision{Step: Sign, Nonce: r.Nonce, Fees: f, Replaces: r.Hash, Record: r}
	d = d.capped(v, p)
	if d.Step == Capped && m.Total().Cmp(p.FeeCap) <= 0 {
		d.Reason = fmt.Sprintf("%s. The market is below the cap, but every price of transaction %s must grow by the pool's rule to replace it: raise the cap, or wait until fees fall to what it offers",
			d.Reason, r.Hash)
	}
	return d
}

// capped holds the fees against the cap. Where one more replacement would not fit below it, the room that is left goes into
// the highest prices at once: these bound what is paid and are not what is paid, and they can't be raised later.
func (d Decision) capped(v View, p Policy) Decision {
	if p.FeeCap == nil {
		return d
	}
	total := d.Fees.Total()
	switch {
	case total.Cmp(p.FeeCap) > 0:
		d.Step = Capped
		d.Reason = fmt.Sprintf("the transaction could cost %s, the cap is %s", total, p.FeeCap)
	case percent(total, p.BumpPercent).Cmp(p.FeeCap) > 0:
		most := p.FeeCap
		if b := v.Account.Balance; b != nil && b.Cmp(most) < 0 {
			most = b // a node takes no transaction that the account could not pay
		}
		d.Fees = d.Fees.stretched(new(big.Int).Sub(most, total))
	}
	return d
}

// stretched shares room, in the chain's smallest unit, among the prices of gas and of blob gas.
func (f Fees) stretched(room *big.Int) Fees {
	if room.Sign() <= 0 {
		return f
	}
	if f.DataGas > 0 {
		room = new(big.Int).Rsh(room, 1)
		more := new(big.Int).Quo(room, new(big.Int).SetUint64(f.DataGas))
		f.DataGasPrice = more.Add(more, orZero(f.DataGasPrice))
	}
	if f.Gas > 0 {
		more := new(big.Int).Quo(room, new(big.Int).SetUint64(f.Gas))
		f.GasPrice = more.Add(more, orZero(f.GasPrice))
	}
	return f
}

// market prices a transaction at today's fees. The execution price covers two base fees, so that it stays good for six
// full blocks (a base fee grows by an eighth a block at most, EIP-1559).
func (p Policy) market(v View) Fees {
	tip := larger(orZero(v.Head.Tip), orZero(p.MinTip))
	price := new(big.Int).Lsh(orZero(v.Head.BaseFee), 1)
	f := Fees{
		Gas:      v.Gas,
		Tip:      tip,
		GasPrice: percent(price.Add(price, tip), p.MarkupPercent),
	}
	if f.DataGas = uint64(v.Blobs)*BlobGas + v.DataGas; f.DataGas > 0 {
		f.DataGasPrice = larger(percent(new(big.Int).Lsh(orZero(v.Head.BlobBaseFee), 1), p.MarkupPercent), big.NewInt(1))
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
