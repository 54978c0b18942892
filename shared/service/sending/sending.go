// Package sending drives the lifecycle of one payload's transaction: it gathers what a decision needs, asks tx.Decide,
// and does what it says. Signed transactions are stored and recorded before they are broadcast.
package sending

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// maxRaw bounds a stored signed transaction without its blobs, in bytes. Ethereum pools refuse 128 KiB and more; on
// Starknet 5,000 felts of calldata take 350 KB of JSON.
const maxRaw = 1 << 20

// Sender sends for one wallet.
type Sender struct {
	Chain  tx.Chain
	Raw    artifact.Store // signed transactions
	Policy tx.Policy
	Now    func() time.Time
	// Jobs has the documents of all jobs that send with the wallet, which are of these types. What is on its way is
	// read from them. nil: one job alone sends.
	Jobs  job.Store
	Types []job.Type
	// Layer names the layer that the wallet is on, as in their documents; "": the settlement layer.
	Layer string
	// Lease serializes what looks at the wallet's nonce and then signs or sends, over all jobs.
	Lease     lock.Locker
	LeaseName string // of the lease, one a wallet
	// Sent is called when the first transaction of a payload is sent: what builds on it may go on. nil: nobody waits.
	Sent func(context.Context)
	// DryRun does everything but sign and send.
	DryRun bool
	Log    *slog.Logger // nil: nobody reads it

	oneAtATime sync.Once // said
}

// walletTTL is how long a job keeps the wallet to sign or send one transaction: as long as its function may run. A
// process that outlives it sends nothing.
const walletTTL = 150 * time.Second

// ErrWalletBusy says that another job signs or sends with this wallet at the moment.
var ErrWalletBusy = errors.New("another job signs or sends a transaction with this wallet")

// Request is one payload and what was signed for it so far.
type Request struct {
	JobID   string
	Journal *tx.Journal // part of the job's metadata; changed in place
	Part    int         // which of the job's journals it is
	Blobs   int         // of the payload
	// Order says how the payloads of another job stand to this one; nil: beside.
	Order func(job.Job) tx.Order
	// Payload builds the payload that follows those of before, which wait for a block, in this order; called only when
	// something is to be signed or sent. A fault in it is returned as is.
	Payload func(ctx context.Context, before []job.Job) (tx.Payload, error)
	// Checkpoint stores the job's document with the journal. It must return nil before anything is broadcast.
	Checkpoint func(context.Context) error
}

// Progress is what a call of Advance saw and did.
type Progress struct {
	Step   tx.Step   // what was decided last; after a broadcast it is Wait
	Record tx.Record // none while nothing of this payload is on its way
	Status tx.Status
	Reason string
	// Blocked says that other payloads' transactions leave no room: what is known of this one is as before.
	Blocked bool
	// Behind says that the transaction is on its way behind others of the wallet.
	Behind bool
}

// Verdict is that of a payload that is not confirmed.
func (p Progress) Verdict() job.Verdict {
	switch {
	case p.Record.Hash == "":
		return job.Waiting("%s", p.Reason)
	case p.Behind:
		return job.Queued("%s", p.Reason)
	}
	return job.Pending("%s", p.Reason)
}

// ErrDryRun says that only sending is left to do.
var ErrDryRun = errors.New("dry run: the transaction is checked and would be sent now")

// Advance looks at the chain and takes the next step. It waits for nothing: call it again later while the step is Wait.
// A refusal by the contract in simulation is a *tx.RevertError, fees above the cap are tx.ErrFeeCap. It is part of the
// caller's look. Where the look begins again, it is as after a crash: what was signed is recorded.
func (s *Sender) Advance(ctx context.Context, r Request) (Progress, error) {
	v, err := s.look(ctx, r)
	if err != nil {
		return Progress{}, err
	}
	d := tx.Decide(*r.Journal, v, s.Policy)
	if d.Step == tx.NonceLost {
		// One address may be several nodes behind a load balancer, so that a later read is older than an earlier one:
		// a nonce is lost when two looks in a row say so.
		if v, err = s.look(ctx, r); err != nil {
			return Progress{}, err
		}
		d = tx.Decide(*r.Journal, v, s.Policy)
	}
	switch d.Step {
	case tx.Sign, tx.Rebroadcast, tx.Capped:
		return s.act(ctx, r)
	}
	s.measure(ctx, v, d)
	if d.Step == tx.NonceLost { // the caller looks at the contract before anything else is signed
		r.Journal.Lose(d.Record)
		p, _ := taken(d)
		return p, r.Checkpoint(ctx)
	}
	return taken(d)
}

// look is view for a request, with its journal brought up to date.
func (s *Sender) look(ctx context.Context, r Request) (tx.View, error) {
	v, err := s.view(ctx, *r.Journal)
	if err != nil {
		return v, err
	}
	v.Blobs = r.Blobs
	if r.Journal.Revive(v.Account) { // noted before it is acted on
		return v, r.Checkpoint(ctx)
	}
	return v, nil
}

// Look returns how a journal stands and does nothing about it. It is part of the caller's look.
func (s *Sender) Look(ctx context.Context, j tx.Journal) (tx.Decision, error) {
	v, err := s.view(ctx, j)
	if err != nil {
		return tx.Decision{}, err
	}
	return tx.Decide(j, v, s.Policy), nil
}

func progress(d tx.Decision) Progress {
	return Progress{Step: d.Step, Record: d.Record, Status: d.Status, Reason: d.Reason, Blocked: d.Blocked,
		Behind: d.Behind}
}

// taken is a decision with which nothing is to be done. Fees above the cap are a transient failure: the job waits
// until they fall, and operators are alerted.
func taken(d tx.Decision) (Progress, error) {
	p := progress(d)
	if d.Step == tx.Capped {
		return p, fmt.Errorf("%s: %w", d.Reason, tx.ErrFeeCap)
	}
	return p, nil
}

// layer is the layer that the wallet is on, for people.
func (s *Sender) layer() string { return cmp.Or(s.Layer, "the settlement layer") }

// measure records the wallet's balance, and that fees are above the cap.
func (s *Sender) measure(ctx context.Context, v tx.View, d tx.Decision) {
	var values []metric.Value
	if v.Account.Balance != nil {
		balance, _ := new(big.Float).SetInt(v.Account.Balance).Float64()
		name := metric.WalletBalance
		if s.Layer != "" {
			name = metric.DataBalance
		}
		values = append(values, metric.Value{Name: name, Value: balance})
	}
	if d.Step == tx.Capped {
		values = append(values, metric.Value{Name: metric.FeeCapReached, Value: 1})
	}
	metric.Record(ctx, v.Now, values...)
}

// view asks for every hash ever signed, so that an older one in a block is not missed.
func (s *Sender) view(ctx context.Context, j tx.Journal) (tx.View, error) {
	v := tx.View{Now: s.Now(), Statuses: map[string]tx.Status{}, Gas: s.Policy.Gas}
	var err error
	if v.Head, err = s.Chain.Head(ctx); err != nil {
		return v, fmt.Errorf("read the head of %s: %w", s.layer(), err)
	}
	if v.Account, err = s.Chain.Account(ctx, s.Policy.Confirmations); err != nil {
		return v, fmt.Errorf("read the wallet: %w", err)
	}
	// Hashes last: one that is mined in between is seen as included, and never as a nonce lost to a third party.
	for _, rec := range j.Records {
		if v.Statuses[rec.Hash], err = s.Chain.Lookup(ctx, rec.Hash); err != nil {
			return v, fmt.Errorf("look up transaction %s: %w", rec.Hash, err)
		}
	}
	return v, nil
}

// act takes the wallet, and under its lease looks at chain and documents again, then signs or sends. What the lease
// does not cover could be made wrong by another job's transaction: nonce, what the payload builds on, and the sum of
// fees.
func (s *Sender) act(ctx context.Context, r Request) (p Progress, err error) {
	held, err := s.Lease.Acquire(ctx, s.LeaseName, r.JobID, walletTTL)
	switch {
	case errors.Is(err, lock.ErrHeld):
		return Progress{Step: tx.Wait, Reason: ErrWalletBusy.Error(), Blocked: true}, nil
	case err != nil:
		return Progress{}, fmt.Errorf("take the wallet's lease: %w", err)
	}
	defer func() { _ = s.Lease.Release(context.WithoutCancel(ctx), held) }() // a failure only costs the next job time
	v, err := s.look(ctx, r)
	if err != nil {
		return Progress{}, err
	}
	fs, err := s.flights(ctx, r, v.Account)
	if err != nil {
		return Progress{}, err
	}
	for _, f := range fs {
		v.Flights = append(v.Flights, f.Flight)
	}
	t := turn{s, r, v, fs, held}
	d := tx.Decide(*r.Journal, v, s.Policy)
	s.measure(ctx, v, d)
	switch d.Step {
	case tx.Sign:
		return t.sign(ctx, d)
	case tx.Rebroadcast:
		return t.rebroadcast(ctx, d)
	default:
		return taken(d)
	}
}

// turn is a job's use of the wallet: what was seen under the lease.
type turn struct {
	*Sender
	r       Request
	v       tx.View
	flights []flight
	lease   lock.Lease
}

// sign builds the payload, simulates it, signs, records and sends.
func (t turn) sign(ctx context.Context, d tx.Decision) (Progress, error) {
	before := ahead(t.flights, d.Nonce)
	payload, err := t.r.Payload(ctx, jobsOf(before))
	if err != nil {
		return Progress{}, err
	}
	d, err = t.price(ctx, payload, before)
	if errors.Is(err, tx.ErrOneAtATime) {
		t.oneAtATime.Do(func() { t.warn(ctx, "state updates are settled one at a time", err) })
		return Progress{Step: tx.Wait, Reason: err.Error()}, nil
	}
	if err != nil || d.Step != tx.Sign {
		return progress(d), err
	}
	return t.commit(ctx, payload, d)
}

func (s *Sender) warn(ctx context.Context, what string, err error) {
	if s.Log != nil {
		s.Log.WarnContext(ctx, what, "error", err)
	}
}

// price simulates the payload and decides with the gas that it takes. It says whether the wallet can pay.
func (t turn) price(ctx context.Context, payload tx.Payload, before []flight) (tx.Decision, error) {
	signed, err := t.signed(ctx, before)
	if err != nil {
		return tx.Decision{}, err
	}
	use, err := t.Chain.Simulate(ctx, payload, signed...)
	if err != nil {
		return tx.Decision{}, fmt.Errorf("simulate the call: %w", err)
	}
	v := t.v
	v.Blobs = len(payload.Blobs)
	if v.Gas, err = t.Policy.GasLimit(use.Gas); err != nil {
		return tx.Decision{}, job.Permanent(err)
	}
	v.DataGas = use.DataGas + use.DataGas/2
	d := tx.Decide(*t.r.Journal, v, t.Policy)
	if d.Step != tx.Sign {
		t.measure(ctx, v, d) // it may be above the cap with the gas that it takes
		_, err := taken(d)
		return d, err
	}
	if t.DryRun {
		e := &DryRunError{Usage: use, Fees: d.Fees, Cap: t.Policy.FeeCap, Payload: payload}
		return tx.Decision{Step: tx.Wait, Reason: e.Error()}, job.RetryAfter(dryRunWait, e)
	}
	if cost := d.Fees.Total(); v.Account.Balance != nil && v.Account.Balance.Cmp(cost) < 0 {
		return tx.Decision{}, fmt.Errorf("wallet %s holds %s, the transaction may cost %s: %w",
			v.Account.Address, v.Account.Balance, cost, tx.ErrInsufficientFunds)
	}
	return d, nil
}

// commit signs what was decided, stores and records it, then sends it.
func (t turn) commit(ctx context.Context, payload tx.Payload, d tx.Decision) (Progress, error) {
	r := t.r
	signed, err := t.Chain.Sign(ctx, payload, d.Nonce, d.Fees)
	if err != nil {
		return Progress{}, fmt.Errorf("sign with nonce %d: %w", d.Nonce, err)
	}
	rec := tx.Record{
		Hash: signed.Hash, Nonce: d.Nonce, Account: t.v.Account.Address, Fees: d.Fees, SignedAt: t.Now(),
		Replaces: d.Replaces,
		RawKey:   artifact.TransactionKey(r.JobID, signed.Hash),
	}
	if err := t.Raw.PutNew(ctx, rec.RawKey, bytes.NewReader(signed.Raw)); err != nil {
		return Progress{}, fmt.Errorf("store signed transaction %s: %w", signed.Hash, err)
	}
	if !slices.ContainsFunc(r.Journal.Records, func(o tx.Record) bool { return o.Hash == rec.Hash }) {
		r.Journal.Records = append(r.Journal.Records, rec)
	}
	r.Journal.Underpriced = false
	if err := r.Checkpoint(ctx); err != nil {
		return Progress{}, err
	}
	p, err := t.broadcast(ctx, signed, payload, Progress{Step: tx.Wait, Record: rec, Reason: "transaction is sent"})
	if err == nil && d.Replaces == "" && t.Sent != nil {
		t.Sent(ctx)
	}
	return p, err
}

func (t turn) rebroadcast(ctx context.Context, d tx.Decision) (Progress, error) {
	p, _ := taken(d)
	if t.DryRun {
		return p, job.RetryAfter(dryRunWait, ErrDryRun)
	}
	raw, err := artifact.ReadAll(ctx, t.Raw, p.Record.RawKey, maxRaw)
	if err != nil {
		return p, fmt.Errorf("read signed transaction %s: %w", p.Record.Hash, err)
	}
	payload, err := t.r.Payload(ctx, jobsOf(ahead(t.flights, p.Record.Nonce)))
	if err != nil {
		return p, err
	}
	p.Step, p.Reason = tx.Wait, "transaction is sent again"
	t.r.Journal.Note(p.Record.Hash, func(rec *tx.Record) { rec.Resent++ }) // stored with what comes of this call
	p, err = t.broadcast(ctx, tx.Signed{Hash: p.Record.Hash, Raw: raw}, payload, p)
	// an older transaction, of artifacts that were fixed since: the present ones replace it
	if errors.Is(err, tx.ErrRefused) {
		t.r.Journal.Underpriced = true
		p.Reason = "the transaction can't be sent as it was signed: it is replaced"
		return p, t.r.Checkpoint(ctx)
	}
	return p, err
}

// broadcast sends what is recorded, unless the lease was lost meanwhile: others may have signed since, with another sum
// in mind. They know of this transaction, for it is recorded, and it is sent later.
func (t turn) broadcast(ctx context.Context, signed tx.Signed, payload tx.Payload, p Progress) (Progress, error) {
	if _, err := t.Lease.Renew(ctx, t.lease, walletTTL); err != nil {
		if errors.Is(err, lock.ErrLost) {
			p.Reason = "another job has taken the wallet meanwhile: the transaction is sent later"
			return p, nil
		}
		return p, fmt.Errorf("keep the wallet's lease: %w", err)
	}
	err := t.Chain.Broadcast(ctx, signed, payload)
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, tx.ErrNonceTooLow):
		p.Reason = "the nonce is used already: looking up which transaction used it"
		return p, nil
	case errors.Is(err, tx.ErrUnderpriced):
		t.r.Journal.Underpriced = true
		t.r.Journal.Note(signed.Hash, func(rec *tx.Record) { rec.Refused = true })
		p.Reason = "the node wants higher fees"
		return p, t.r.Checkpoint(ctx)
	case errors.Is(err, tx.ErrRefused):
		return p, job.Permanent(fmt.Errorf("broadcast %s: %w", signed.Hash, err))
	}
	return p, fmt.Errorf("broadcast %s: %w", signed.Hash, err)
}
