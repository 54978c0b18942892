package simulation

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

const (
	// inFlight and blockBlobs are how many transactions, and blobs, simulated wallets may have on their way: of an L2,
	// whose updates carry one blob each, the blobs are fewer.
	inFlight   = 4
	blockBlobs = 3
	// leaseSure is for how long a process has the wallet's lease for sure, whatever the clocks say.
	leaseSure = 100 * time.Second
	// fresh is for how long after it was signed a transaction's nonce is its own for sure.
	fresh = 2 * time.Minute
)

// blind says whether the invocation under way can't know what the wallet's transactions are: a read showed it an older
// state, or it may have lost the wallet's lease without noticing.
func (w *World) blind() bool {
	if len(w.frames) == 0 {
		return true
	}
	fr := w.frames[len(w.frames)-1]
	return fr.misled || w.now.Sub(fr.began) > leaseSure
}

// mayRotate lets another account become the wallet, between two invocations: those under way end before an operator
// deploys the new one. What the account before sent stays where it is.
func (w *World) mayRotate() {
	if !w.turmoil || w.rotated >= w.cfg.Rotations || len(w.frames) > 0 || w.rotations.IntN(300) > 0 {
		return
	}
	w.rotated++
	w.L1.Rotate(fmt.Sprintf("0xa11ce%d", w.rotated))
	w.Injected[Strike{"wallet rotated", "outside"}]++
	w.narrate("another account is the wallet")
}

// saw notes the wallet's nonce as an invocation reads it.
func (w *World) saw(fr *frame) {
	w.aside(func() {
		if a, err := w.L1.Account(context.Background(), 0); err == nil {
			fr.nonce = a.Latest
		}
	})
}

// flightOf is a nonce that the wallet has signed for and that is not used, as the documents have it.
type flightOf struct {
	cost  *big.Int
	blobs int
}

// checkFlights holds a transaction that a job has just recorded against those that other payloads have on their way:
// their sum stays below the cap, there are no more of them than allowed, no more blobs, none with its nonce, and a
// state update goes behind those that it builds on.
func (w *World) checkFlights(j job.Job, r tx.Record) error {
	w.noteMined()
	if w.cfg.Beside != nil { // its calls of the shared chain are not seen here
		return nil
	}
	if w.blind() {
		w.watch.blind[r.Hash] = true
		return nil
	}
	from := w.frames[len(w.frames)-1].nonce
	others := map[uint64]flightOf{}
	last := true // its nonce is above all others
	for _, other := range w.seen {
		if w.discarded[other.ID] {
			continue
		}
		for _, o := range recorded(other) {
			if o.Nonce < from || o.Hash == r.Hash || o.Account != r.Account {
				continue
			}
			f := others[o.Nonce]
			if f.cost == nil || f.cost.Cmp(o.Fees.Total()) < 0 {
				f.cost = o.Fees.Total()
			}
			f.blobs = max(f.blobs, int(o.Fees.DataGas/tx.BlobGas))
			others[o.Nonce] = f
			last = last && o.Nonce < r.Nonce
			if err := clash(j, r, other, o); err != nil {
				return err
			}
		}
	}
	sum, n, blobs := r.Fees.Total(), 1, int(r.Fees.DataGas/tx.BlobGas)
	for nonce, f := range others {
		if nonce != r.Nonce {
			sum.Add(sum, f.cost)
			n, blobs = n+1, blobs+f.blobs
		}
	}
	switch first := r.Replaces == "" && last; {
	case sum.Cmp(w.cap) > 0:
		return fmt.Errorf("with transaction %s of batch %d the wallet's %d on their way may cost %s, the cap is %s",
			r.Hash, j.Batch, n, sum, w.cap)
	case first && n > cmp.Or(w.cfg.InFlight, inFlight):
		return fmt.Errorf("with transaction %s of batch %d the wallet has %d on their way, at most %d",
			r.Hash, j.Batch, n, inFlight)
	case first && n > 1 && blobs > blockBlobs && w.cfg.Turmoil:
		return fmt.Errorf("with transaction %s of batch %d the wallet has %d blobs on their way, at most %d",
			r.Hash, j.Batch, blobs, blockBlobs)
	}
	return nil
}

// left says whether a job is completed by another transaction than this one.
func left(j job.Job, o tx.Record) bool {
	m, ok := j.Metadata.(*job.StateTransitionMeta)
	return ok && j.Status == job.Completed && (m.Included == nil || m.Included.Hash != o.Hash)
}

// clash compares a transaction with one of another job that may still be mined.
func clash(j job.Job, r tx.Record, other job.Job, o tx.Record) error {
	updates := j.Type == job.StateTransition && other.Type == job.StateTransition
	switch age := r.SignedAt.Sub(o.SignedAt); {
	case other.ID == j.ID:
	case updates && other.Batch < j.Batch && o.Nonce >= r.Nonce && !left(other, o):
		return fmt.Errorf("the update of batch %d has nonce %d, that of batch %d before it %d",
			j.Batch, r.Nonce, other.Batch, o.Nonce)
	case o.Nonce == r.Nonce && r.Replaces == "" && age < fresh && !(updates && other.Batch > j.Batch):
		return fmt.Errorf("%s of batch %d signs for nonce %d, for which %s of batch %d signed %s before",
			j.Type, j.Batch, r.Nonce, other.Type, other.Batch, age)
	}
	return nil
}

// noteMined remembers what is in a block: a reorganisation may bring it back beside what was signed since.
func (w *World) noteMined() {
	for _, x := range w.L1.Transactions() {
		if x.Status.Phase == tx.Included {
			w.watch.mined[x.Hash] = true
		}
	}
}

// checkPool wants what waits in the pool to cost less than the cap together, except for what a reorganisation brought
// back and what invocations signed that could not know better.
func (w *World) checkPool() error {
	waits := map[string]bool{}
	for _, hash := range w.L1.Pool() {
		waits[hash] = true
	}
	sums := map[string]*big.Int{} // by account
	w.noteMined()
	for _, x := range w.L1.Transactions() {
		if !waits[x.Hash] || w.intruders[x.Hash] || w.watch.mined[x.Hash] {
			continue
		}
		if w.watch.blind[x.Hash] {
			return nil
		}
		if sums[x.From] == nil {
			sums[x.From] = new(big.Int)
		}
		if sum := sums[x.From]; sum.Add(sum, x.Fees.Total()).Cmp(w.cap) > 0 {
			return fmt.Errorf("the transactions of wallet %s in the pool may cost %s, the cap is %s", x.From, sum,
				w.cap)
		}
	}
	return nil
}
