// Package tx is the life of a transaction on a settlement layer: what is signed, what has become of it, and what to do
// next. The decision is the pure function Decide; effects go through the port Chain and are driven by service/sending.
//
// The rule it serves: a transaction is signed once, recorded, and only then broadcast; every hash that was ever
// broadcast stays in the journal and is asked about before anything else is signed.
package tx

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Payload is what a transaction carries, before nonce and fees.
type Payload struct {
	// To is the called contract's address in hex.
	To string
	// Entrypoint is the called function's name on Starknet; empty on Ethereum, where Data starts with the selector.
	Entrypoint string
	// Data is ABI calldata on Ethereum and 32-byte big-endian felts in a row on Starknet.
	Data []byte
	// Blobs are EIP-4844 blobs of 131,072 bytes each; Ethereum only.
	Blobs [][]byte
}

// Fees are a transaction's limits: amounts of gas and the most that is paid for each unit, in the chain's smallest
// unit (wei, fri). On Starknet Gas is L2 gas and BlobGas is L1 data gas.
type Fees struct {
	Gas          uint64
	GasPrice     *big.Int
	Tip          *big.Int // part of GasPrice that goes to the block's builder
	DataGas      uint64   `json:"BlobGas"` // stored under this name since release 0.1
	DataGasPrice *big.Int `json:"BlobPrice"`
}

// Total is the most that the transaction can cost: Gas*GasPrice + BlobGas*BlobPrice.
func (f Fees) Total() *big.Int {
	sum := new(big.Int).Mul(new(big.Int).SetUint64(f.Gas), orZero(f.GasPrice))
	return sum.Add(sum, new(big.Int).Mul(new(big.Int).SetUint64(f.DataGas), orZero(f.DataGasPrice)))
}

func orZero(n *big.Int) *big.Int {
	if n == nil {
		return new(big.Int)
	}
	return n
}

// Usage is the gas that a payload would use.
type Usage struct {
	Gas uint64
	// BlobHashes are the versioned hashes of the payload's blobs, in hex with spaces between them; Ethereum only.
	BlobHashes string
	// DataGas is the L1 data gas on Starknet; 0 on Ethereum, where the number of blobs says it.
	DataGas uint64
}

// Signed is a signed transaction as it can be broadcast. Raw leaves out the blobs, which the payload brings again.
type Signed struct {
	Hash string
	Raw  []byte
}

// Record is one signed transaction in a journal.
type Record struct {
	Hash  string
	Nonce uint64
	// Account is the Account.Address that signed it: nonces of two accounts have nothing to do with one another. "" in
	// documents of release 0.1: the wallet's.
	Account  string `json:",omitempty"`
	Fees     Fees
	RawKey   string // artifact key of Signed.Raw
	SignedAt time.Time
	Replaces string // hash of the transaction that it replaces, "" for the first with its nonce
	// Refused says that no pool has it: the node wanted higher fees. The next replacement must outbid what the pool
	// holds, which is an older one.
	Refused bool `json:",omitempty"`
	// Resent is how often it was sent again because the node did not know it.
	Resent int `json:",omitempty"`
	// Lost is set when its nonce is used and that is answered: by a transaction that is none of ours beyond the
	// confirmation depth, or by one of ours that failed.
	Lost bool `json:",omitempty"`
}

// by says whether an account signed it.
func (r Record) by(account string) bool { return r.Account == "" || r.Account == account }

// Journal is everything that was ever signed for one job, oldest first. It is part of the job's document.
type Journal struct {
	Records []Record
	// LostNonces are nonces of lost records in documents of release 0.1, which don't mark the records.
	LostNonces []uint64 `json:",omitempty"`
	// Underpriced is set when the chain refused a transaction for its fees, or would never take it as it was signed:
	// the next decision replaces it at higher fees.
	Underpriced bool
}

// Clone returns a copy that shares nothing that can be changed.
func (j Journal) Clone() Journal {
	j.Records = slices.Clone(j.Records)
	j.LostNonces = slices.Clone(j.LostNonces)
	return j
}

// lost says whether a record's nonce is used and that is answered.
func (j Journal) lost(r Record) bool {
	return r.Lost || r.Account == "" && slices.Contains(j.LostNonces, r.Nonce)
}

// Lose marks every record with the account and the nonce of one as lost: Decide then goes on without them. Its nonce is
// used, and the caller has looked what that means.
func (j *Journal) Lose(of Record) {
	j.Records = slices.Clone(j.Records)
	for i, r := range j.Records {
		if r.Nonce == of.Nonce && r.Account == of.Account {
			j.Records[i].Lost = true
		}
	}
}

// Revive marks records as not lost whose nonces the chain does not show as used any more. A reorganisation undid what
// used them, so they can be mined again. It says whether there were any. Those of other accounts stay as they are.
func (j *Journal) Revive(a Account) bool {
	lost := len(j.LostNonces)
	j.LostNonces = slices.DeleteFunc(slices.Clone(j.LostNonces), func(n uint64) bool { return n >= a.Latest })
	revived := len(j.LostNonces) < lost
	revives := func(r Record) bool { return r.Lost && r.by(a.Address) && r.Nonce >= a.Latest }
	if !slices.ContainsFunc(j.Records, revives) {
		return revived
	}
	j.Records = slices.Clone(j.Records)
	for i, r := range j.Records {
		if revives(r) {
			j.Records[i].Lost = false
		}
	}
	return true
}

// By is the journal with the records that an account signed alone.
func (j Journal) By(account string) Journal {
	j.Records = slices.DeleteFunc(slices.Clone(j.Records), func(r Record) bool { return !r.by(account) })
	return j
}

// Newest is the record that was signed last with a nonce; none where there is none.
func (j Journal) Newest(nonce uint64) (newest Record) {
	for _, r := range j.Records {
		if r.Nonce == nonce {
			newest = r
		}
	}
	return newest
}

// lowestFrom returns the newest record of the lowest nonce that is not below n: of those that wait it must be mined
// first.
func (j Journal) lowestFrom(n uint64) (lowest Record, ok bool) {
	for _, r := range j.Records {
		if r.Nonce >= n && (!ok || r.Nonce <= lowest.Nonce) {
			lowest, ok = r, true
		}
	}
	return lowest, ok
}

// held is the newest transaction with newest's nonce that a pool may hold: one that the node shows, else one that it
// did not refuse; newest where all were refused.
func (j Journal) held(newest Record, statuses map[string]Status) Record {
	for _, r := range slices.Backward(j.Records) {
		if r.Nonce == newest.Nonce && statuses[r.Hash].Phase == Pending {
			return r
		}
	}
	for _, r := range slices.Backward(j.Records) {
		if r.Nonce == newest.Nonce && !r.Refused {
			return r
		}
	}
	return newest
}

// Note changes the record of a hash.
func (j *Journal) Note(hash string, change func(*Record)) {
	j.Records = slices.Clone(j.Records)
	for i := range j.Records {
		if j.Records[i].Hash == hash {
			change(&j.Records[i])
		}
	}
}

// Account is the state of the wallet that signs.
type Account struct {
	Address string
	// Pending is the next free nonce counting the node's pool; Latest is that after the newest block; Confirmed is that
	// after the newest block that is at the asked depth. Confirmed <= Latest; a node may lag, so Pending may be below.
	Pending, Latest, Confirmed uint64
	Balance                    *big.Int
}

// Used are an account's first nonces that are not used: after the newest block, and after the newest one at the asked
// depth. Confirmed <= Latest.
type Used struct{ Latest, Confirmed uint64 }

// Head is the state of the chain and of its fee market.
type Head struct {
	Number    uint64
	Finalized uint64 // newest block that can't be reorganised away; 0 while none is
	// BaseFee and BlobBaseFee are those of the next block; Tip is what the node suggests.
	BaseFee, BlobBaseFee, Tip *big.Int
}

// Phase says where a transaction stands as one node sees it.
type Phase string

// Phases of a transaction.
const (
	Unknown  Phase = "unknown"  // the node has never seen it, or has dropped it
	Pending  Phase = "pending"  // in the node's pool
	Included Phase = "included" // in a block of the canonical chain
)

// Status is a transaction as one node sees it.
type Status struct {
	Phase Phase
	// The rest is set only for Included.
	Success      bool
	Revert       *RevertError // why it failed, as far as the node says; nil on success
	Block        uint64
	BlockHash    string
	GasUsed      uint64
	GasPrice     *big.Int // paid for each unit
	DataGasUsed  uint64
	DataGasPrice *big.Int
}

// Cost is what an included transaction cost.
func (s Status) Cost() *big.Int {
	return Fees{Gas: s.GasUsed, GasPrice: s.GasPrice, DataGas: s.DataGasUsed, DataGasPrice: s.DataGasPrice}.Total()
}

var (
	// ErrNonceTooLow says that a transaction with this nonce is already in a block: look before signing another.
	ErrNonceTooLow = errors.New("nonce is already used")
	// ErrUnderpriced says that the node wants higher fees for this nonce, because it knows another transaction with it
	// or because its floor is higher.
	ErrUnderpriced = errors.New("transaction is underpriced")
	// ErrInsufficientFunds says that the wallet can't pay for the transaction's limits: refill it.
	ErrInsufficientFunds = errors.New("wallet does not have enough funds")
	// ErrFeeCap says that a transaction could cost more than the policy's cap now: wait, or raise the cap.
	ErrFeeCap = errors.New("fees are above the cap")
	// ErrNonceMoved says that another transaction of the wallet was mined while a call was simulated: nothing is known
	// of the call, and the simulation is to be done again. It is never a contract's refusal.
	ErrNonceMoved = errors.New("the wallet's nonce moved during the simulation")
	// ErrOneAtATime says that the node can't run calls one on top of the other: what builds on a transaction waits
	// until that one is in a block.
	ErrOneAtATime = errors.New("the node can't simulate transactions on top of others")
	// ErrGasCap says that a call takes more gas than the chain takes of a transaction.
	ErrGasCap = errors.New("the call takes more gas than a transaction may")
	// ErrRefused says that the node will never take this transaction as it is (too large, wrong chain, wrong sidecar
	// version): configuration or code is wrong.
	ErrRefused = errors.New("transaction is refused by the node")
)

// Refusal is what a contract's refusal means for another try. Clients set it where they know the contract's words.
type Refusal int

// What a refusal means.
const (
	// Permanent: no retry helps, an operator must look. Words that are not known are permanent.
	Permanent Refusal = iota
	// NotYet: time helps, such as an update that an earlier one must precede.
	NotYet
	// Unproven: the fact is not registered. Time helps while it is on its way; a reorganisation may have undone it.
	Unproven
	// Unconfigured: the contract's owner must set another value first, such as a program hash after an upgrade.
	Unconfigured
)

// RevertError is a call or transaction that the contract refused.
type RevertError struct {
	Refusal Refusal
	// Code is the contract's own word for it, such as "INVALID_PREV_BLOCK_NUMBER"; "" where it gave none.
	Code string
	// Detail says to an operator what the code means and what to look at.
	Detail string
}

// Error gives code and detail.
func (e *RevertError) Error() string {
	if e.Code == "" {
		return "contract reverted: " + e.Detail
	}
	return fmt.Sprintf("contract reverted with %s: %s", e.Code, e.Detail)
}

// Chain is what the lifecycle needs of a settlement layer and of the wallet on it. Implementations are safe for
// concurrent use and retry nothing that changes the chain. Errors other than this package's count as
// transient failures.
type Chain interface {
	// Account returns the wallet's nonces and balance; depth is how many blocks below the newest count as confirmed.
	Account(ctx context.Context, depth uint64) (Account, error)
	// Used returns how many nonces any account has used: one that was the wallet before may have a transaction that
	// waits for a block.
	Used(ctx context.Context, address string, depth uint64) (Used, error)
	// Head returns the chain's newest block and fee market.
	Head(ctx context.Context) (Head, error)
	// Simulate runs the payload against the newest state without sending it and returns the gas it would use. before
	// are transactions of the wallet that wait for a block, by nonce: those that are in none yet are run first. A
	// refusal by the contract is a *RevertError. It returns ErrNonceMoved where the wallet's nonce changed meanwhile,
	// and with before ErrOneAtATime where the node can't do that.
	Simulate(ctx context.Context, p Payload, before ...Signed) (Usage, error)
	// Sign builds and signs; nothing leaves the process but a request to a key service where one is configured.
	Sign(ctx context.Context, p Payload, nonce uint64, fees Fees) (Signed, error)
	// Broadcast hands a signed transaction to the network. A node that already has it counts as success. It returns
	// ErrNonceTooLow, ErrUnderpriced, ErrInsufficientFunds or ErrRefused where they apply; after any other error the
	// network may or may not have the transaction.
	Broadcast(ctx context.Context, s Signed, p Payload) error
	// BlockHash returns the hash of the block with a number; "" where the node has none, as one that lags.
	BlockHash(ctx context.Context, number uint64) (string, error)
	// Lookup returns what has become of a hash. A hash that the node does not know is Phase Unknown, not an error.
	Lookup(ctx context.Context, hash string) (Status, error)
}
