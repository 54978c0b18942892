package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/client/several"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
)

// nodeSlack is how many blocks a simulated settlement node may be behind another, as on Ethereum.
const nodeSlack = 2

// settlementLayer is the wallet's chain and the contract as a new process sees them: on one node, or on several.
func (w *World) settlementLayer() (tx.Chain, settlement.Contract) {
	if len(w.nodes) == 0 {
		return w.L1, w.L1
	}
	o := several.Options{
		WrongChain: l1.ErrOtherChain, Slack: nodeSlack, Now: w.Now,
		Probe: func(ctx context.Context, i int) (uint64, error) { return w.nodes[i].Probe(ctx) },
		Each: func(n int, do func(int)) { // one after another: a run must be repeatable
			for i := range n {
				do(i)
			}
		},
	}
	var wallets []tx.Chain
	var contracts []settlement.Contract
	for i, n := range w.nodes {
		o.Names = append(o.Names, fmt.Sprintf("node %d", i+1))
		wallets, contracts = append(wallets, n), append(contracts, n)
	}
	set := several.New(o)
	return several.NewChain(set, wallets...), several.NewContract(set, contracts...)
}

// errDown is of a node that can't be connected to: what is offered to it does not reach it.
var errDown = look.Unreached(errors.New("no route"))

// nodeEvents are what may happen to one of several nodes of the settlement layer.
var nodeEvents = []event{
	nodeEvent("settlement node lags", func(w *World) l1.Manners { return l1.Manners{Behind: 1 + w.rng.IntN(60)} }),
	nodeEvent("settlement node hides its pool", func(*World) l1.Manners { return l1.Manners{Hidden: true} }),
	nodeEvent("settlement node limits our rate", func(*World) l1.Manners {
		return l1.Manners{Fail: errors.New("429 too many requests")}
	}),
	nodeEvent("settlement node answers HTML", func(*World) l1.Manners {
		return l1.Manners{Fail: errors.New("502 with a page")}
	}),
	nodeEvent("settlement node of another chain", func(*World) l1.Manners {
		return l1.Manners{Fail: l1.ErrOtherChain}
	}),
	nodeEvent("settlement node is down", func(*World) l1.Manners { return l1.Manners{Fail: errDown} }),
	nodeEvent("settlement node works", func(*World) l1.Manners { return l1.Manners{} }),
}

func nodeEvent(name string, manners func(*World) l1.Manners) event {
	return event{name, func(w *World) bool {
		if len(w.nodes) == 0 {
			return false
		}
		i := w.rng.IntN(len(w.nodes))
		m := manners(w)
		w.nodes[i].Behave(m)
		w.narrate("settlement node %d: %s", i+1, m)
		return true
	}}
}

// checkLost wants a nonce to count as lost only where no transaction of the journal went well with it: after that the
// payload is signed for again. An invocation that a reorganisation overtook could not know.
func (w *World) checkLost(last, j job.Job) error {
	if w.blind() || w.frames[len(w.frames)-1].forks != w.L1.Forks() {
		return nil
	}
	before := map[string]bool{}
	for _, r := range recorded(last) {
		before[r.Hash] = r.Lost
	}
	for i, book := range j.Journals() {
		for _, lost := range book.Records {
			if !lost.Lost || before[lost.Hash] {
				continue
			}
			for _, x := range w.L1.Transactions() {
				ours := slices.ContainsFunc(book.Records, func(r tx.Record) bool { return r.Hash == x.Hash })
				if ours && x.Nonce == lost.Nonce && x.From == lost.Account && x.Status.Phase == tx.Included &&
					x.Status.Success {
					return fmt.Errorf("%s of batch %d counts nonce %d as lost (part %d), and its transaction %s is in "+
						"block %d", j.Type, j.Batch, lost.Nonce, i+1, x.Hash, x.Status.Block)
				}
			}
		}
	}
	return nil
}

// countWaits counts the state updates that wait for lower fees.
func (w *World) countWaits(last, j job.Job) {
	was, ok := last.Metadata.(*job.StateTransitionMeta)
	now, both := j.Metadata.(*job.StateTransitionMeta)
	if ok && both && now.FeeWait != nil && now.FeeWait.Waits && (was.FeeWait == nil || !was.FeeWait.Waits) {
		w.Injected[Strike{"fees are waited for", "outside"}]++
	}
}

// checkUndone wants a state update to be undone only where its block is not on the chain any more.
func (w *World) checkUndone(last, j job.Job) error {
	was, ok := last.Metadata.(*job.StateTransitionMeta)
	now, both := j.Metadata.(*job.StateTransitionMeta)
	if !ok || !both || now.Reopened == was.Reopened || was.Included == nil || w.blind() {
		return nil
	}
	hash, err := w.L1.BlockHash(context.Background(), was.Included.Block)
	if err == nil && hash == was.Included.BlockHash {
		return fmt.Errorf("the update of batch %d counts as undone, and its block %d is on the chain",
			j.Batch, was.Included.Block)
	}
	return err
}
