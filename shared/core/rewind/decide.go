package rewind

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Fate is what can still become of a recorded transaction.
type Fate string

// The fates.
const (
	Open    Fate = "open"    // it may still be mined
	Dead    Fate = "dead"    // its nonce is used for good, by another one, by one that reverted, or by it without harm
	Settled Fate = "settled" // it is in a block and settled its batch
)

// Signed is a recorded transaction and its fate.
type Signed struct {
	Hash    string
	Nonce   uint64
	Account string // that signed it; "": the wallet
	Fate    Fate
}

// Send is a job of the batches in question that sends transactions.
type Send struct {
	Job       string
	Stage     stage.Name
	Batch     uint64
	Completed bool
	Records   []Signed
}

// View is what the decision about a rewind is made of.
type View struct {
	Layer  stage.Layer
	State  State
	From   uint64     // the first batch that is to be discarded
	Batch  batch.Span // of it
	Status batch.Status
	// Settled is what the core contract has settled.
	Settled settlement.State
	Sends   []Send // of the batches from From on
}

// Why names a reason for which a rewind is refused.
type Why string

// The reasons.
const (
	WhyActive      Why = "rewinding"
	WhySettled     Why = "settled"
	WhyTransaction Why = "transaction"
)

// Refusal is a reason for which a rewind is refused, and what to do.
type Refusal struct {
	Why    Why    `json:"why"`
	Detail string `json:"detail"`
	Do     string `json:"do"`
	Tx     string `json:"tx,omitempty"`
	// Nonce is of the transaction.
	Nonce *uint64 `json:"nonce,omitempty"`
	Job   string  `json:"job,omitempty"`
}

// RefusedError says that batches can't be rewound now.
type RefusedError struct{ Refusals []Refusal }

// Error gives all reasons.
func (e *RefusedError) Error() string {
	var all []string
	for _, r := range e.Refusals {
		all = append(all, r.Detail+": "+r.Do)
	}
	return "the rewind is refused: " + strings.Join(all, "; ")
}

// Decide says why the batches from one on can't be discarded now; nothing where they can. dead are the hashes of their
// transactions, none of which can be mined any more.
func Decide(v View) (refusals []Refusal, dead []string) {
	if r, active := v.State.Active(); active {
		refusals = append(refusals, Refusal{Why: WhyActive,
			Detail: fmt.Sprintf("a rewind of %s and those after it is under way since %s", v.name(r.From),
				r.At.UTC().Format("2006-01-02 15:04:05Z")),
			Do: "wait some minutes until it is done"})
	}
	if d := v.settled(); d != "" {
		refusals = append(refusals, Refusal{Why: WhySettled, Detail: d,
			Do: "rewind from a later batch; what is settled stays"})
	}
	for _, s := range v.Sends {
		more, gone := v.sent(s)
		refusals, dead = append(refusals, more...), append(dead, gone...)
	}
	return refusals, dead
}

func (v View) name(index uint64) string { return v.Layer.BatchName(stage.StateTransition, index) }

// settled says in which way the first batch is settled; "" where it is not.
func (v View) settled() string {
	switch s := v.Settled; {
	case v.Status == batch.Completed || v.Status == batch.Archived:
		return fmt.Sprintf("%s is settled", v.name(v.From))
	case s.Settled && s.Block >= v.Batch.StartBlock:
		return fmt.Sprintf("the core contract is at block %d, %s begins with block %d", s.Block, v.name(v.From),
			v.Batch.StartBlock)
	}
	return ""
}

// sent is what a job's transactions mean for the rewind.
func (v View) sent(s Send) (refusals []Refusal, dead []string) {
	name := v.Layer.BatchName(s.Stage, s.Batch)
	if s.Completed && s.Stage == stage.StateTransition {
		return []Refusal{{Why: WhySettled, Detail: fmt.Sprintf("the state update of %s is completed", name),
			Do: "rewind from a later batch; what is settled stays", Job: s.Job}}, nil
	}
	for _, r := range s.Records {
		nonce := r.Nonce
		switch r.Fate {
		case Dead:
			dead = append(dead, r.Hash)
		case Settled:
			refusals = append(refusals, Refusal{Why: WhySettled, Tx: r.Hash, Nonce: &nonce, Job: s.Job,
				Detail: fmt.Sprintf("transaction %s has settled %s", r.Hash, name),
				Do:     "rewind from a later batch; what is settled stays"})
		default:
			refusals = append(refusals, Refusal{Why: WhyTransaction, Tx: r.Hash, Nonce: &nonce, Job: s.Job,
				Detail: fmt.Sprintf("transaction %s with nonce %d of the %s job of %s may still be mined", r.Hash,
					r.Nonce, s.Stage, name),
				Do: fmt.Sprintf("let the job go on until it is mined, or send an empty transaction with nonce %d "+
					"and higher fees from %s; once the nonce is used in a block that is final, rewind",
					r.Nonce, cmp.Or(r.Account, "the wallet"))})
		}
	}
	return refusals, dead
}
