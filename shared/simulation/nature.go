package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// gwei returns n gwei in wei.
func gwei(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), big.NewInt(1e9)) }

// event is something that the world around the orchestrator does; false where there was no occasion.
type event struct {
	name string
	do   func(w *World) bool
}

// maxReorg is how many blocks a reorganisation undoes at the most; deeper ones are beyond finality.
const maxReorg = 7

var happenings = append([]event{
	{"reorg", func(w *World) bool {
		_, err := w.L1.Reorg(1+w.rng.IntN(maxReorg), w.rng.IntN(2) == 0)
		return err == nil
	}},
	{"fee spike", func(w *World) bool {
		w.L1.SetFees(gwei(1+w.rng.Int64N(300)), gwei(1+w.rng.Int64N(3000)))
		return true
	}},
	{"full blocks", func(w *World) bool {
		w.L1.SetLoad(l1.Load{Gas: w.rng.Int64N(201), Blob: w.rng.Int64N(201)})
		return true
	}},
	{"dry wallet", func(w *World) bool { w.L1.SetBalance(big.NewInt(w.rng.Int64N(1e15))); return true }},
	{"refilled wallet", func(w *World) bool { w.L1.SetBalance(gwei(1e11)); return true }},
	{"dropped transaction", func(w *World) bool {
		pool := w.L1.Pool()
		return len(pool) > 0 && w.L1.Drop(pool[w.rng.IntN(len(pool))])
	}},
	{"replaced transaction is mined", func(w *World) bool {
		all := w.L1.Transactions()
		return len(all) > 0 && w.L1.MineOnly(all[w.rng.IntN(len(all))].Hash) == nil
	}},
	{"nonce used elsewhere", func(w *World) bool {
		if w.rng.IntN(4) > 0 {
			return false
		}
		w.intruders[w.L1.Intrude(tx.Payload{To: "0x1"}, true)] = true
		return true
	}},
	{"poisoned message", func(w *World) bool {
		q := w.queues[w.rng.IntN(len(w.queues))]
		if w.rng.IntN(2) == 0 {
			q = w.queues[len(w.queues)-1] // the dead-letter queue, which sees little else
		}
		body := []string{"", "{", `{"job_id":"x"}`, strings.Repeat("[", 300)}[w.rng.IntN(4)]
		return w.Queues.Send(context.Background(), q.Name, queue.Outgoing{Body: body}) == nil
	}},
	{"prover loses a job", func(w *World) bool {
		t, ok := w.proofUnderWay()
		if ok {
			w.Prover.Forget(t)
		}
		return ok
	}},
	{"prover rejects its jobs", func(w *World) bool {
		t, any := w.proofUnderWay()
		for ok := any; ok; t, ok = w.proofUnderWay() {
			w.Prover.Reject(t, "simulated")
		}
		return any
	}},
	{"runner loses a run", func(w *World) bool {
		for _, r := range w.Runner.Runs() {
			if s := r.Progress.State; s == snos.Queued || s == snos.Running {
				w.Runner.Forget(r.Handle)
				return true
			}
		}
		return false
	}},
	{"artifact lost", func(w *World) bool {
		j, err := w.Jobs.Find(context.Background(), job.ProofCreation, uint64(1+w.rng.IntN(16)))
		m, ok := j.Metadata.(*job.ProofCreationMeta)
		if err != nil || !ok || j.Status != job.Created {
			return false
		}
		content, err := artifact.ReadAll(context.Background(), w.Artifacts, m.PIEKey, 1<<20)
		if err != nil || w.Artifacts.Delete(context.Background(), m.PIEKey) != nil {
			return false
		}
		w.lost[m.PIEKey] = content
		return true
	}},
	{"node lags", func(w *World) bool { return w.misbehave(node{lags: true}) }},
	{"node lies", func(w *World) bool {
		return w.misbehave(
			node{lies: []string{"Headers", "StateUpdates"}[w.rng.IntN(2)], about: uint64(w.rng.IntN(len(w.Data)))})
	}},
	{"node on a fork", func(w *World) bool { return w.fork() }},
	{"node is fine", func(w *World) bool { return w.misbehave(node{}) }},
	{"objects expire", func(w *World) bool { w.Artifacts.Expire(); return true }},
}, nodeEvents...)

// proofUnderWay is a task that the prover has not finished.
func (w *World) proofUnderWay() (string, bool) {
	for _, t := range w.Prover.Tasks() {
		if t.State == proof.InProgress {
			return t.ID, true
		}
	}
	return "", false
}

// happen lets something happen around the orchestrator.
func (w *World) happen() {
	e := happenings[w.rng.IntN(len(happenings))]
	w.aside(func() {
		if e.do(w) {
			w.Injected[Strike{e.name, "outside"}]++
			w.touched["l1"], w.touched["prover"], w.touched["runner"] = true, true, true
			w.narrate("%s", e.name)
		}
	})
}

// Calm ends all faults: the wallet is filled, fees are as in the beginning.
func (w *World) Calm() {
	w.turmoil = false
	w.node = nil
	for _, n := range w.nodes {
		n.Behave(l1.Manners{})
	}
	w.L1.SetBalance(gwei(1e11))
	w.L1.SetFees(gwei(1), gwei(1))
	w.L1.SetLoad(l1.Load{Gas: 100, Blob: 100})
}

// followAlerts raises the cap of fees where an alert says that it keeps a transaction from being replaced.
func (w *World) followAlerts(alerts []alert.Alert) {
	for _, a := range alerts {
		if strings.Contains(a.Detail, tx.ErrFeeCap.Error()) {
			w.cap = new(big.Int).Lsh(w.cap, 2)
			w.narrate("the operator raises the cap to %s", w.cap)
			w.deploy()
			return
		}
	}
}

// operate is what an operator does after an alert about jobs that wait for a person: fix the cause, and retry what
// waits because of it. Without an alert nobody comes, and an alert is read once.
func (w *World) operate(ctx context.Context) error {
	for _, key := range slices.Sorted(maps.Keys(w.lost)) {
		if err := w.Artifacts.Put(ctx, key, bytes.NewReader(w.lost[key])); err != nil {
			return err
		}
	}
	clear(w.lost)
	alerts := w.Alerts.Sent()
	fresh := alerts[min(w.alertsRead, len(alerts)):]
	w.alertsRead = len(alerts)
	if w.turmoil && len(fresh) > 0 && w.rng.IntN(8) == 0 {
		w.Injected[Strike{"alerts are not read", "outside"}]++ // a reminder must follow
		return nil
	}
	if err := w.own(ctx, fresh); err != nil {
		return err
	}
	reported := map[string]bool{} // causes
	for _, a := range fresh {
		reported[a.Key] = a.Severity != alert.Resolved
	}
	if !w.turmoil { // while fees spike nobody raises the cap; afterwards what is said of it counts
		w.followAlerts(fresh)
	}
	for _, t := range job.Types {
		js, err := w.Jobs.List(ctx,
			job.Filter{Type: t, Statuses: []job.Status{job.Failed, job.VerificationTimeout}, Limit: job.MaxPage})
		if err != nil {
			return err
		}
		for _, j := range js {
			if !reported[w.operator.Waits(j).Key] {
				continue
			}
			_, err := w.operator.Retry(ctx, j.ID, executor.Command{By: "simulation", Reason: "fixed"})
			if errors.Is(err, executor.ErrRefused) && w.RewindUnderWay() { // it is discarded
				continue
			}
			if err != nil {
				return fmt.Errorf("retry %s of batch %d: %w", j.Type, j.Batch, err)
			}
			w.see(j.ID)
			w.Retried++
		}
	}
	return nil
}
