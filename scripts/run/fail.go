package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
)

// What a run can break, to practise being on call.
const (
	failProver = "prover"
	failRunner = "runner"
	failL1     = "l1"
	failMongo  = "mongo"
)

// failure is what a run breaks.
type failure struct {
	what string // "": nothing
	at   int64  // prover: which submission it refuses
	out  *outage
}

// outageTime is how long the runner, the settlement layer or the database stays broken.
var outageTime = 45 * time.Second // tests shorten it

// parseFailure reads prover@3, runner, l1 or mongo.
func parseFailure(v string) (failure, error) {
	f := failure{what: v, out: &outage{what: v}}
	n, isProof, err := stack.RefusedProof(v)
	switch {
	case v == "":
		return failure{}, nil
	case err != nil:
		return failure{}, fmt.Errorf("-fail %w", err)
	case isProof:
		f.what, f.at = failProver, n
		return f, nil
	case v == failRunner || v == failL1 || v == failMongo:
		return f, nil
	}
	return failure{}, fmt.Errorf("-fail %q: want prover@3 (the third proof is refused once), or runner, l1 or mongo "+
		"(down for %s)", v, outageTime)
}

// outage begins when it is asked for the first time, and ends by itself.
type outage struct {
	what string
	once sync.Once
	end  atomic.Int64
}

var errOutage = errors.New("connection refused")

func (o *outage) err() error {
	o.once.Do(func() { o.end.Store(time.Now().Add(outageTime).UnixNano()) })
	if time.Now().UnixNano() < o.end.Load() {
		return fmt.Errorf("FAIL=%s: %w", o.what, errOutage)
	}
	return nil
}

// hook breaks the stores in memory; nil where the database is not to break.
func (f failure) hook() fault.Hook {
	if f.what != failMongo {
		return nil
	}
	began := time.Now().Add(5 * time.Second) // there is something to lose by then
	return fault.HookFunc(func(op fault.Op) fault.Fault {
		switch op.Component {
		case "jobs", "batches", "locks", "controls", "reports":
			if time.Now().After(began) {
				if err := f.out.err(); err != nil {
					return fault.Fault{Kind: fault.FailBefore, Err: err}
				}
			}
		}
		return fault.Fault{}
	})
}

// prover refuses one proof, once.
func (f failure) prover(p proof.Prover) proof.Prover {
	if f.what != failProver {
		return p
	}
	return &refusingProver{Prover: p, at: f.at}
}

type refusingProver struct {
	proof.Prover
	at int64
	n  atomic.Int64
}

// Submit implements proof.Prover.
func (p *refusingProver) Submit(ctx context.Context, r proof.Request) (string, error) {
	if p.n.Add(1) == p.at {
		return "", fmt.Errorf("FAIL=prover@%d refuses this proof once: %w", p.at, proof.ErrRejected)
	}
	return p.Prover.Submit(ctx, r)
}

// runner is down for a while.
func (f failure) runner(r snos.Runner) snos.Runner {
	if f.what != failRunner {
		return r
	}
	return &downRunner{Runner: r, out: f.out}
}

type downRunner struct {
	snos.Runner
	out *outage
}

// Submit implements snos.Runner.
func (r *downRunner) Submit(ctx context.Context, t snos.Task) (string, error) {
	if err := r.out.err(); err != nil {
		return "", err
	}
	return r.Runner.Submit(ctx, t)
}

// Ping implements snos.Runner.
func (r *downRunner) Ping(ctx context.Context) error {
	return errors.Join(r.out.err(), r.Runner.Ping(ctx))
}

// layer is down for a while, from the first transaction on.
func (f failure) layer(l *settlementLayer) {
	if f.what == failL1 {
		l.contract = &downContract{Contract: l.contract, out: f.out}
		l.wallet.Chain = &downWallet{Chain: l.wallet.Chain, out: f.out}
	}
}

type downContract struct {
	settlement.Contract
	out *outage
}

// State implements settlement.Contract.
func (c *downContract) State(ctx context.Context, finalized bool) (settlement.State, error) {
	if c.out.end.Load() != 0 {
		if err := c.out.err(); err != nil {
			return settlement.State{}, err
		}
	}
	return c.Contract.State(ctx, finalized)
}

type downWallet struct {
	tx.Chain
	out *outage
}

// Account implements tx.Chain.
func (w *downWallet) Account(ctx context.Context, depth uint64) (tx.Account, error) {
	if err := w.out.err(); err != nil {
		return tx.Account{}, err
	}
	return w.Chain.Account(ctx, depth)
}

// Simulate implements tx.Chain.
func (w *downWallet) Simulate(ctx context.Context, p tx.Payload, before ...tx.Signed) (tx.Usage, error) {
	if err := w.out.err(); err != nil {
		return tx.Usage{}, err
	}
	return w.Chain.Simulate(ctx, p, before...)
}
