// Package sending drives the lifecycle of one payload's transaction: it gathers what a decision needs, asks tx.Decide,
// and does what it says. Signed transactions are stored and recorded before they are broadcast.
package sending

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// maxRaw bounds a stored signed transaction without its blobs, in bytes. Ethereum pools refuse 128 KiB and more; on Starknet
// 5,000 felts of calldata take 350 KB of JSON.
const maxRaw = 1 << 20

// Sender sends for one wallet.
type Sender struct {
	Chain  tx.Chain
	Raw    artifact.Store // signed transactions
	Policy tx.Policy
	Now    func() time.Time
	// Lease serializes the wallet's transactions over all jobs: a job that has signed holds the lease until its
	// transaction is in a block, so that two jobs never take the same nonce.
	Lease     lock.Locker
	LeaseName string // of the lease, one a wallet
	// DryRun does everything but sign and send.
	DryRun bool
	Log    *slog.Logger // gets the metrics; nil: nobody
}

// walletTTL is how long a job keeps the wallet without looking after its transaction. It looks at least once in any
// poll delay, so only a job that ended with its transaction pending lets it run out.
const walletTTL = time.Hour

// ErrWalletBusy says that another job's transaction is on its way.
var ErrWalletBusy = errors.New("another job's transaction is on its way with this wallet")

// Request is one payload and what was signed for it so far.
type Request struct {
	JobID   string
	Journal *tx.Journal // part of the job's metadata; changed in place
	Blobs   int         // of the payload
	// Payload builds the payload; called only when something is to be signed or sent. A fault in it is returned as is.
	Payload func(context.Context) (tx.Payload, error)
	// Record stores the job's document with the journal. It must return nil before anything is broadcast.
	Record func(context.Context) error
}

// Progress is what a call of Advance saw and did.
type Progress struct {
	Step   tx.Step // what was decided last; after a broadcast it is Wait
	Record tx.Record
	Status tx.Status
	Reason string
}

// ErrDryRun says that only sending is left to do.
var ErrDryRun = errors.New("dry run: the transaction is checked and would be sent now")

// Advance looks at the chain and takes the next step. It waits for nothing: call it again later while the step is Wait.
// A refusal by the contract in simulation is a *tx.RevertError, fees above the cap are tx.ErrFeeCap.
func (s *Sender) Advance(ctx context.Context, r Request) (Progress, error) {
	v, err := s.view(ctx, *r.Journal)
	if err != nil {
		return Progress{}, err
	}
	v.Blobs = r.Blobs
	if r.Journal.Revive(v.Account.Latest) { // noted before it is acted on
		if err := r.Record(ctx); err != nil {
			return Progress{}, err
		}
	}
	d := tx.Decide(*r.Journal, v, s.Policy)
	s.measure(ctx, v, d)
	switch d.Step {
	case tx.NonceLost: // the caller looks at the contract before anything else is signed
		Close(r.Journal, d.Nonce)
		p, _ := taken(d)
		return p, r.Record(ctx)
	case tx.Sign:
		return s.sign(ctx, r)
	case tx.Rebroadcast:
		return s.rebroadcast(ctx, r, d)
	}
	if d.Status.Phase == tx.Included {
		s.Release(ctx, r.JobID)
	}
	return taken(d)
}

// Look tells how a journal stands and does nothing about it.
func (s *Sender) Look(ctx context.Context, j tx.Journal) (tx.Decision, error) {
	v, err := s.view(ctx, j)
	if err != nil {
		return tx.Decision{}, err
	}
	return tx.Decide(j, v, s.Policy), nil
}

// taken is a decision with which nothing is to be done. Fees above the cap are a trouble outside: the job waits until they
// fall, and operators hear of it.
func taken(d tx.Decision) (Progress, error) {
	p := Progress{Step: d.Step, Record: d.Record, Status: d.Status, Reason: d.Reason}
	if d.Step == tx.Capped {
		return p, fmt.Errorf("%s: %w", d.Reason, tx.ErrFeeCap)
	}
	return p, nil
}

// measure tells what is left in the wallet, and that fees are above the cap.
func (s *Sender) measure(ctx context.Context, v tx.View, d tx.Decision) {
	var values []metric.Value
	if v.Account.Balance != nil {
		balance, _ := new(big.Float).SetInt(v.Account.Balance).Float64()
		values = append(values, metric.Value{Name: metric.WalletBalance, Value: balance})
	}
	if d.Step == tx.Capped {
		values = append(values, metric.Value{Name: metric.FeeCapReached, Value: 1})
	}
	metric.Log(ctx, s.Log, v.Now, values...)
}

// view asks for every hash ever signed, so that an older one in a block is not missed.
func (s *Sender) view(ctx context.Context, j tx.Journal) (tx.View, error) {
	v := tx.View{Now: s.Now(), Statuses: map[string]tx.Status{}, Gas: s.Policy.Gas}
	var err error
	if v.Head, err = s.Chain.Head(ctx); err != nil {
		return v, fmt.Errorf("read the settlement layer's head: %w", err)
	}
	if v.Account, err = s.Chain.Account(ctx, s.Policy.Confirmations); err != nil {
		return v, fmt.Errorf("read the wallet: %w", err)
	}
	// Hashes last: one that is mined in between is seen as included, and never as a nonce lost to a stranger.
	for _, rec := range j.Records {
		if v.Statuses[rec.Hash], err = s.Chain.Lookup(ctx, rec.Hash); err != nil {
			return v, fmt.Errorf("look up transaction %s: %w", rec.Hash, err)
		}
	}
	return v, nil
}

// sign takes the wallet, and under its lease looks at the chain again, simulates, signs, records and sends. What the lease
// does not cover could be made wrong by another job's transaction: the nonce above all.
func (s *Sender) sign(ctx context.Context, r Request) (p Progress, err error) {
	held, err := s.hold(ctx, r.JobID)
	if err != nil || !held {
		return Progress{Step: tx.Wait, Reason: ErrWalletBusy.Error()}, err
	}
	before := len(r.Journal.Records)
	v, err := s.view(ctx, *r.Journal)
	if err != nil {
		return Progress{}, err
	}
	defer func() {
		if len(r.Journal.Records) == before && !r.Journal.Open(v.Account.Latest) { // nothing of this job needs the wallet
			s.Release(ctx, r.JobID)
		}
	}()
	v.Blobs = r.Blobs
	if d := tx.Decide(*r.Journal, v, s.Policy); d.Step != tx.Sign {
		return taken(d)
	}
	payload, err := r.Payload(ctx)
	if err != nil {
		return Progress{}, err
	}
	d, err := s.price(ctx, r, payload, v)
	if err != nil || d.Step != tx.Sign {
		return Progress{Step: d.Step, Record: d.Record, Status: d.Status, Reason: d.Reason}, err
	}
	return s.commit(ctx, r, payload, d)
}

// price simulates the payload and decides with the gas that it takes. It says whether the wallet can pay.
func (s *Sender) price(ctx context.Context, r Request, payload tx.Payload, v tx.View) (tx.Decision, error) {
	use, err := s.Chain.Simulate(ctx, payload)
	if err != nil {
		return tx.Decision{}, fmt.Errorf("simulate the call: %w", err)
	}
	v.Blobs = len(payload.Blobs)
	if v.Gas, err = s.Policy.GasLimit(use.Gas); err != nil {
		return tx.Decision{}, job.Permanent(err)
	}
	v.DataGas = use.DataGas + use.DataGas/2
	d := tx.Decide(*r.Journal, v, s.Policy)
	if d.Step != tx.Sign {
		_, err := taken(d)
		return d, err
	}
	if s.DryRun {
		return tx.Decision{Step: tx.Wait, Reason: ErrDryRun.Error()}, ErrDryRun
	}
	if cost := d.Fees.Total(); v.Account.Balance != nil && v.Account.Balance.Cmp(cost) < 0 {
		return tx.Decision{}, fmt.Errorf("wallet %s holds %s, the transaction may cost %s: %w",
			v.Account.Address, v.Account.Balance, cost, tx.ErrInsufficientFunds)
	}
	return d, nil
}

// commit signs what was decided, stores and records it, then sends it.
func (s *Sender) commit(ctx context.Context, r Request, payload tx.Payload, d tx.Decision) (Progress, error) {
	signed, err := s.Chain.Sign(ctx, payload, d.Nonce, d.Fees)
	if err != nil {
		return Progress{}, fmt.Errorf("sign with nonce %d: %w", d.Nonce, err)
	}
	rec := tx.Record{
		Hash: signed.Hash, Nonce: d.Nonce, Fees: d.Fees, SignedAt: s.Now(), Replaces: d.Replaces,
		RawKey: artifact.TransactionKey(r.JobID, signed.Hash),
	}
	if err := s.Raw.PutNew(ctx, rec.RawKey, bytes.NewReader(signed.Raw)); err != nil {
		return Progress{}, fmt.Errorf("store signed transaction %s: %w", signed.Hash, err)
	}
	if !slices.ContainsFunc(r.Journal.Records, func(o tx.Record) bool { return o.Hash == rec.Hash }) {
		r.Journal.Records = append(r.Journal.Records, rec)
	}
	r.Journal.Underpriced = false
	if err := r.Record(ctx); err != nil {
		return Progress{}, err
	}
	return s.broadcast(ctx, r, signed, payload, Progress{Step: tx.Wait, Record: rec, Reason: "transaction is sent"})
}

// hold takes the wallet for a job; false means that another job has it.
func (s *Sender) hold(ctx context.Context, jobID string) (bool, error) {
	_, err := s.Lease.Acquire(ctx, s.LeaseName, jobID, walletTTL)
	if errors.Is(err, lock.ErrHeld) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("take the wallet's lease: %w", err)
	}
	return true, nil
}

// Release frees the wallet if the job has it: its work is done. A failure only costs the next job time.
func (s *Sender) Release(ctx context.Context, jobID string) {
	if l, err := s.Lease.Acquire(ctx, s.LeaseName, jobID, time.Second); err == nil {
		_ = s.Lease.Release(ctx, l)
	}
}

func (s *Sender) rebroadcast(ctx context.Context, r Request, d tx.Decision) (Progress, error) {
	p, _ := taken(d)
	if s.DryRun {
		return p, ErrDryRun
	}
	raw, err := artifact.ReadAll(ctx, s.Raw, p.Record.RawKey, maxRaw)
	if err != nil {
		return p, fmt.Errorf("read signed transaction %s: %w", p.Record.Hash, err)
	}
	payload, err := r.Payload(ctx)
	if err != nil {
		return p, err
	}
	p.Step, p.Reason = tx.Wait, "transaction is sent again"
	r.Journal.Note(p.Record.Hash, func(rec *tx.Record) { rec.Resent++ }) // stored with what comes of this call
	p, err = s.broadcast(ctx, r, tx.Signed{Hash: p.Record.Hash, Raw: raw}, payload, p)
	if errors.Is(err, tx.ErrRefused) { // an older transaction, of artifacts that were mended since: the present ones replace it
		r.Journal.Underpriced = true
		p.Reason = "the transaction can't be sent as it was signed: it is replaced"
		return p, r.Record(ctx)
	}
	return p, err
}

func (s *Sender) broadcast(ctx context.Context, r Request, signed tx.Signed, payload tx.Payload, p Progress) (Progress, error) {
	err := s.Chain.Broadcast(ctx, signed, payload)
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, tx.ErrNonceTooLow):
		p.Reason = "the nonce is used already: looking up which transaction used it"
		return p, nil
	case errors.Is(err, tx.ErrUnderpriced):
		r.Journal.Underpriced = true
		r.Journal.Note(signed.Hash, func(rec *tx.Record) { rec.Refused = true })
		p.Reason = "the node wants higher fees"
		return p, r.Record(ctx)
	case errors.Is(err, tx.ErrRefused):
		return p, job.Permanent(fmt.Errorf("broadcast %s: %w", signed.Hash, err))
	}
	return p, fmt.Errorf("broadcast %s: %w", signed.Hash, err)
}

// Close marks a nonce as answered, so that the next Advance signs anew: its transaction reverted and the caller has decided to
// try again, or it is lost to another one.
func Close(j *tx.Journal, nonce uint64) {
	if !slices.Contains(j.LostNonces, nonce) {
		j.LostNonces = append(j.LostNonces, nonce)
	}
}
