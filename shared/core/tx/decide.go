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
	// Gas is the lowest execution gas limit; 0 takes what simulation used and half as much again.
	Gas uint64
	// GasCap is the highest gas limit that the chain takes of a transaction; 0: any.
	GasCap uint64
	// FeeCap is the most that the wallet's transactions on their way may cost together, in the chain's smallest unit.
	// Above it we wait and alert.
	FeeCap *big.Int
	// MarkupPercent is how far the first price lies above the market's (110: a tenth above).
	MarkupPercent int64
	// BumpPercent is how much every price must grow at a replacement (200: doubled, as pools want of blob
	// transactions). One unit is added: some pools want more than that.
	BumpPercent int64
	// MinTip is the lowest tip for a unit of gas.
	MinTip *big.Int
	// ReplaceAfter is how long a transaction may be pending before it is replaced.
	ReplaceAfter time.Duration
	// InFlight is how many transactions of the wallet may wait for a block at a time; 0 counts as 1.
	InFlight int
	// Target is when a state update that nothing urges is sent.
	Target FeeTarget
	// BlockBlobs is how many blobs they may carry together: no more than a block takes. One transaction alone may carry
	// any number. 0: any number.
	BlockBlobs int
}

// defaultInFlight is a quarter of what geth's blob pool holds of an account (16; core/txpool/blobpool,
// maxTxsPerAccount).
const defaultInFlight = 4

// Unsettled is how many payloads that build on one another may be on their way: InFlight that wait for a block, and as
// many for each block that a transaction needs to be confirmed. One where transactions go one at a time.
func (p Policy) Unsettled() int {
	if p.InFlight <= 1 {
		return 1
	}
	return p.InFlight * (1 + int(p.Confirmations))
}

// MaxTxGas is the highest gas limit of a transaction on Ethereum since Osaka: 2^24 (EIP-7825).
const MaxTxGas = 1 << 24

// DefaultPolicy holds the reference's figures for Ethereum (pipeline.md, protocol.md), other than the gas: 3
// confirmations, 0.01 ETH, 1.1 times the market, a tip of 0.2 gwei, replacement by doubling. The gas limit is a third
// of the reference's 1,500,000: it counts for the cap, which several transactions share, and recorded updates used
// 166,217 to 701,461. Nine blobs fit into a block since Pectra (EIP-7691); later forks take more.
func DefaultPolicy() Policy {
	return Policy{
		Confirmations: 3,
		Gas:           500_000,
		GasCap:        MaxTxGas,
		FeeCap:        new(big.Int).Mul(big.NewInt(10), big.NewInt(1e15)),
		MarkupPercent: 110,
		BumpPercent:   200,
		MinTip:        big.NewInt(200_000_000),
		ReplaceAfter:  3 * time.Minute,
		InFlight:      defaultInFlight,
		BlockBlobs:    9,
	}
}

// StarknetPolicy is DefaultPolicy for Starknet. A block is final for Starknet once it is closed, so one confirmation is
// enough until the block is accepted on L1. Prices are in fri; the cap is 10 STRK. A replacement must raise L2 gas
// price and tip by a tenth at least (the sequencer's fee escalation).
func StarknetPolicy() Policy {
	return Policy{
		Confirmations: 1,
		FeeCap:        new(big.Int).Mul(big.NewInt(10), big.NewInt(1e18)),
		MarkupPercent: 110,
		BumpPercent:   150,
		MinTip:        big.NewInt(1),
		ReplaceAfter:  3 * time.Minute,
		InFlight:      defaultInFlight,
	}
}

// GasLimit is the limit for a call that used some gas in simulation: half as much again, or Gas if that is more, as far
// as the chain takes it. The error is ErrGasCap where the call alone takes more.
func (p Policy) GasLimit(used uint64) (uint64, error) {
	limit := max(p.Gas, used+used/2)
	if p.GasCap == 0 || limit <= p.GasCap {
		return limit, nil
	}
	if used > p.GasCap {
		return 0, fmt.Errorf("the call takes %d gas, the chain takes at most %d of a transaction: make batches "+
			"smaller (fewer messages and blocks a batch), or set SETTLEMENT_GAS_CAP (DA_GAS_CAP for the wallet that "+
			"publishes data) where the chain takes more: %w",
			used, p.GasCap, ErrGasCap)
	}
	return p.GasCap, nil
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
	// Flights are the wallet's transactions for other payloads that may still be mined.
	Flights []Flight

	reserved *big.Int // what they may cost together, without those that have the nonce decided about
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
	// NonceLost: another transaction with Record's nonce is confirmed; Journal.Lose it and look at the contract.
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
	// Blocked is for Wait: other payloads' transactions leave no room for one of this payload, of which nothing is on
	// its way.
	Blocked bool
	// Behind is for Wait: a transaction is on its way, and others of the wallet must be mined before it.
	Behind bool
}

// Decide says what to do next for one payload. It is pure: the same journal and view give the same decision. It never
// asks to sign for a nonce that a recorded transaction has, but as a replacement of that one with every price raised.
// Call it with a journal that Revive has seen.
func Decide(j Journal, v View, p Policy) Decision {
	if d, ok := decideIncluded(j, v, p); ok {
		return d
	}
	own := j.By(v.Account.Address)
	if r, ok := own.lowestFrom(v.Account.Latest); ok {
		v.Flights = append(slices.Clone(v.Flights), own.Flights(v.Account, v.Blobs, Beside)...)
		return decideOpen(r, own, v, p)
	}
	for _, r := range own.Records { // all their nonces are used, by none of ours
		switch {
		case own.lost(r):
		case v.Account.Confirmed > r.Nonce:
			return Decision{Step: NonceLost, Record: r, Nonce: r.Nonce,
				Reason: fmt.Sprintf("nonce %d was used by a transaction that is none of ours", r.Nonce)}
		default:
			return Decision{Step: Wait, Record: r,
				Reason: fmt.Sprintf("nonce %d is used in a block that may still be reorganised, or the node lags",
					r.Nonce)}
		}
	}
	for _, r := range j.Records {
		if !r.by(v.Account.Address) && v.Statuses[r.Hash].Phase == Pending && v.Now.Sub(r.SignedAt) < p.ReplaceAfter {
			return Decision{Step: Wait, Record: r,
				Reason: fmt.Sprintf("a transaction of %s, which was the wallet before, is in the pool", r.Account)}
		}
	}
	return p.next(v.firstNonce(), v)
}

// lostAfter is after how many rebroadcasts a transaction that the node does not show counts as one that it hides.
const lostAfter = 2

// decideOpen is for a recorded transaction that can still be mined: its nonce is not used. newest is the last one
// signed with the lowest such nonce. Others may go before it: they are waited for, and only the first of all is
// replaced for its age.
func decideOpen(newest Record, j Journal, v View, p Policy) Decision {
	old := v.Now.Sub(newest.SignedAt) >= p.ReplaceAfter
	free := max(v.Account.Pending, v.Account.Latest)
	if old && free < newest.Nonce && p.taken(free, v) == "" {
		return p.first(free, v) // a transaction before it vanished for good: it would wait for ever
	}
	r := j.held(newest, v.Statuses)
	phase := v.Statuses[r.Hash].Phase
	pending := phase == Pending
	head := !v.before(newest.Nonce)
	if why := p.early(newest, free, pending, v); why != "" {
		return Decision{Step: Wait, Record: r, Reason: why, Behind: true}
	}
	// Some nodes do not show what waits in their pool: they take a rebroadcast and still don't know the transaction.
	hidden := !pending && r.Resent >= lostAfter
	if j.Underpriced || head && old && (pending || hidden) {
		if d := p.replace(r, newest, v); d.Step == Sign || j.Underpriced || pending {
			return d
		}
	}
	if !pending {
		return Decision{Step: Rebroadcast, Record: r, Reason: "the node does not know the transaction"}
	}
	return Decision{Step: Wait, Record: r, Reason: "transaction is in the pool", Behind: !head}
}

// decideIncluded looks for a transaction of ours in a block: any hash of the journal may be the one. One that went well
// counts before those that failed beside it.
func decideIncluded(j Journal, v View, p Policy) (Decision, bool) {
	for _, success := range []bool{true, false} {
		for _, r := range slices.Backward(j.Records) {
			s := v.Statuses[r.Hash]
			if s.Phase != Included || s.Success != success {
				continue
			}
			if !success && j.lost(r) {
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
