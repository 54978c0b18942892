package statetransition_test

import (
	"context"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/sending"
	"github.com/madara-orchestrator/orchestrator/shared/service/statetransition"
)

// bench is the first batch, of blocks 0 and 1, that is to be settled.
type bench struct {
	t       *testing.T
	chain   *l1.Chain
	locks   *memory.Locks
	handler *statetransition.Handler
	run     *executor.Run
	output  []felt.Felt
	jobs    *memory.Jobs
	now     time.Time
	stale   bool // reads show the chain as it was a block ago
}

func setup(t *testing.T) *bench { return setupWith(t, l1.Config{}) }

// setupWith is setup on a chain of a configuration.
func setupWith(t *testing.T, c l1.Config) *bench {
	t.Helper()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := &bench{t: t, now: now}
	env := &fault.Env{Now: func() time.Time { return b.now }, Hook: fault.HookFunc(func(op fault.Op) fault.Fault {
		if b.stale && op.Component == "l1" {
			return fault.Fault{Kind: fault.Stale}
		}
		return fault.Fault{}
	})}
	b.chain = l1.New(env, c)
	b.locks = memory.NewLocks(env)
	store, jobs := memory.NewArtifacts(env), memory.NewJobs(env)
	b.jobs = jobs
	first := blocks.Next(nil, now)
	b.output = l1.ProgramOutput(first, blocks.Next(&first, now), 0)
	m := &job.StateTransitionMeta{EndBlock: 1, ProgramOutputKey: artifact.AggregatorKey(1, 0, artifact.ProgramOutput)}
	if err := artifact.WriteFelts(t.Context(), store, m.ProgramOutputKey, b.output); err != nil {
		t.Fatal(err)
	}
	j := job.New(job.NewID(), 1, m, "", now)
	if err := jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	stored, err := jobs.Get(t.Context(), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	policy := tx.DefaultPolicy()
	policy.Gas = 0
	b.run = executor.NewRun(stored, jobs)
	b.handler = &statetransition.Handler{
		Contract: b.chain, Artifacts: store, Jobs: jobs,
		Codec: statetransition.Codec{UpdateWords: func(o []felt.Felt) ([]felt.Felt, error) { return o, nil }},
		Sender: &sending.Sender{Chain: b.chain, Raw: store, Policy: policy, Now: env.Now,
			Lease: b.locks, LeaseName: "wallet"},
	}
	return b
}

// prove registers the batch's fact in a block.
func (b *bench) prove() {
	b.chain.RegisterFact(1)
	b.chain.MineEmpty(1)
}

func (b *bench) process() {
	b.t.Helper()
	if err := b.handler.Process(b.t.Context(), b.run); err != nil {
		b.t.Fatal(err)
	}
	b.run.Job.Status = job.PendingVerification
}

func (b *bench) verify(want job.VerdictKind) job.Verdict {
	b.t.Helper()
	v, err := b.handler.Verify(b.t.Context(), b.run)
	if err != nil || v.Kind != want {
		b.t.Fatalf("verdict %s (%s), %v; want %s", v.Kind, v.Reason, err, want)
	}
	return v
}

func (b *bench) signed() int {
	return len(b.run.Job.Metadata.(*job.StateTransitionMeta).Journal.Records)
}

// byOthers settles the batch with a transaction of another wallet.
func (b *bench) byOthers() {
	b.t.Helper()
	u := settlement.Update{Batch: 1, EndBlock: 1, ProgramOutput: b.output}
	p, err := b.chain.Encode(b.t.Context(), u, settlement.State{}, settlement.Config{Operator: true})
	if err != nil {
		b.t.Fatal(err)
	}
	b.chain.Intrude(p, false)
	b.chain.Mine()
}

// A batch is sent, confirmed and watched until it is final.
func TestSettles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.process()
	b.verify(job.VerdictPending)
	b.chain.Mine()
	b.chain.MineEmpty(2)
	if v := b.verify(job.VerdictVerified); !v.Watch {
		t.Error("it is not watched")
	}
	b.run.Job.Status = job.Completed
	b.verify(job.VerdictWatching)
	b.chain.Finalize(b.chain.MineEmpty(1))
	b.verify(job.VerdictFinal)
}

// What a dry run saw is noted by the action that comes to it: verification where the update had to wait. Neither signs,
// and both look again after a while.
func TestDryRun(t *testing.T) {
	t.Parallel()
	for name, waits := range map[string]bool{"in processing": false, "in verification": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.handler.Sender.DryRun = true
			if waits {
				l, err := b.locks.Acquire(t.Context(), "wallet", "another job", time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				b.process()
				if err := b.locks.Release(t.Context(), l); err != nil {
					t.Fatal(err)
				}
			}
			err := error(nil)
			if waits {
				_, err = b.handler.Verify(t.Context(), b.run)
			} else {
				err = b.handler.Process(t.Context(), b.run)
			}
			m := b.run.Job.Metadata.(*job.StateTransitionMeta)
			if !errors.Is(err, sending.ErrDryRun) || job.RetryDelay(err) != 10*time.Minute || !m.DryRun ||
				m.LastChecks["gas"] == "" || b.signed() > 0 {
				t.Errorf("%v, again after %s, noted %t, %v; %d signed", err, job.RetryDelay(err), m.DryRun,
					m.LastChecks, b.signed())
			}
			b.handler.Sender.DryRun = false
			b.verify(job.VerdictPending)
			if b.signed() != 1 || m.DryRun {
				t.Errorf("%d signed, dry run %t", b.signed(), m.DryRun)
			}
		})
	}
}

// While another job's transaction has the wallet, the batch waits without going round, and is signed by verification
// once it is free.
func TestWaitsForTheWallet(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l, err := b.locks.Acquire(t.Context(), "wallet", "another job", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	b.process()
	for range 3 {
		if v := b.verify(job.VerdictPending); v.Reason != sending.ErrWalletBusy.Error() || b.signed() > 0 {
			t.Fatalf("%q with %d signed", v.Reason, b.signed())
		}
	}
	if err := b.locks.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	b.verify(job.VerdictPending)
	if b.signed() != 1 || len(b.chain.Pool()) != 1 {
		t.Errorf("%d signed, in the pool %q", b.signed(), b.chain.Pool())
	}
}

// Fees above the cap are a transient failure: the job is tried again, nothing is signed, and nothing is lost.
func TestFeesAboveTheCap(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.chain.SetFees(new(big.Int).Mul(big.NewInt(1e9), big.NewInt(1e6)), nil)
	if err := b.handler.Process(t.Context(), b.run); !errors.Is(err, tx.ErrFeeCap) || job.IsPermanent(err) {
		t.Errorf("got %v, want %v and not fatal", err, tx.ErrFeeCap)
	}
	if b.signed() > 0 {
		t.Error("it is signed")
	}
}

// onOtherHistory is a contract that is at the batch's first block with another history's hash.
type onOtherHistory struct {
	settlement.Contract
	state settlement.State
}

func (c onOtherHistory) State(context.Context, bool) (settlement.State, error) { return c.state, nil }

// Case W6: a contract at the right block with another hash never takes the batch. It fails, and is not tried for ever.
// A contract that is at another block may only lag.
func TestAnotherHistory(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		state     settlement.State
		permanent bool
	}{
		"another hash": {settlement.State{Settled: true, Block: 1, BlockHash: felt.FromUint64(7)}, true},
		"lags":         {settlement.State{Settled: true, Block: 0, BlockHash: felt.FromUint64(7)}, false},
		"not settled":  {settlement.State{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			m := b.run.Job.Metadata.(*job.StateTransitionMeta)
			m.StartBlock, m.EndBlock = 2, 3
			chain := []blocks.Block{blocks.Next(nil, time.Now())}
			for len(chain) < 4 {
				chain = append(chain, blocks.Next(&chain[len(chain)-1], time.Now()))
			}
			if err := artifact.WriteFelts(t.Context(), b.handler.Artifacts, m.ProgramOutputKey,
				l1.ProgramOutput(chain[2], chain[3], 0)); err != nil {
				t.Fatal(err)
			}
			b.handler.Contract = onOtherHistory{b.chain, tt.state}
			err := b.handler.Process(t.Context(), b.run)
			if job.IsPermanent(err) != tt.permanent || b.signed() > 0 {
				t.Errorf("got %v, %d signed; want permanent %t", err, b.signed(), tt.permanent)
			}
		})
	}
}

// A batch that another orchestrator has settled is done, and gives the wallet back if it has it.
func TestSettledByOthers(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"before anything was signed": true, "instead of ours": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if !before {
				b.process()
				b.chain.Drop(b.chain.Pool()[0])
			}
			b.byOthers()
			if before {
				b.process()
			} else {
				b.chain.Intrude(tx.Payload{To: "0x2"}, true) // the nonce goes to a third party
				b.chain.Mine()
			}
			b.chain.MineEmpty(4)
			b.verify(job.VerdictVerified)
			m := b.run.Job.Metadata.(*job.StateTransitionMeta)
			if m.SettledBy != "another transaction" {
				t.Errorf("settled by %q", m.SettledBy)
			}
			if _, err := b.locks.Acquire(context.Background(), "wallet", "another job",
				time.Minute); errors.Is(err, lock.ErrHeld) {
				t.Error("the wallet is still held")
			}
			if err := b.chain.CheckHistory(); err != nil {
				t.Error(err)
			}
		})
	}
}
