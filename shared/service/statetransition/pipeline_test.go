package statetransition_test

import (
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// second is a bench of batch 2, of blocks 2 to 3, beside that of batch 1 on the same chain and wallet.
func (b *bench) second() *bench {
	b.t.Helper()
	chain := []blocks.Block{blocks.Next(nil, b.now)}
	for len(chain) < 4 {
		chain = append(chain, blocks.Next(&chain[len(chain)-1], b.now))
	}
	m := &job.StateTransitionMeta{StartBlock: 2, EndBlock: 3,
		ProgramOutputKey: artifact.AggregatorKey(2, 0, artifact.ProgramOutput)}
	if err := artifact.WriteFelts(b.t.Context(), b.handler.Artifacts, m.ProgramOutputKey,
		l1.ProgramOutput(chain[2], chain[3], 0)); err != nil {
		b.t.Fatal(err)
	}
	j := job.New(job.NewID(), 2, m, "", b.now)
	if err := b.jobs.Create(b.t.Context(), j); err != nil {
		b.t.Fatal(err)
	}
	b.handler.Sender.Jobs, b.handler.Sender.Types = b.jobs, []job.Type{job.StateTransition}
	other := *b
	other.run = executor.NewRun(j, b.jobs)
	return &other
}

// Two updates are in one block: the second is checked and simulated on top of the first.
func TestSettlesTwoInOneBlock(t *testing.T) {
	t.Parallel()
	first := setup(t)
	second := first.second()
	second.process()
	if second.signed() > 0 || len(first.chain.Pool()) > 0 {
		t.Fatal("the second is signed before the first")
	}
	if v := second.verify(job.VerdictPending); !v.Waits {
		t.Errorf("verdict %+v, want it to wait for the first", v)
	}
	first.process()
	second.verify(job.VerdictPending)
	if n := len(first.chain.Pool()); n != 2 {
		t.Fatalf("%d transactions in the pool, want 2", n)
	}
	first.chain.Mine()
	first.chain.MineEmpty(2)
	first.verify(job.VerdictVerified)
	second.verify(job.VerdictVerified)
	if n := len(first.chain.History()); n != 2 {
		t.Errorf("%d batches are settled", n)
	}
}

// An update that reverts because the one before it went missing is signed again behind that one, and no attempt is used
// up.
func TestRevertedBehindAMissingOne(t *testing.T) {
	t.Parallel()
	first := setup(t)
	second := first.second()
	first.process()
	second.process()
	first.chain.Drop(first.chain.Pool()[0])
	first.chain.Intrude(tx.Payload{To: "0x2"}, true) // its nonce goes to a third party
	first.chain.Mine()
	first.chain.MineEmpty(3)
	if v := second.verify(job.VerdictPending); !v.Waits {
		t.Errorf("the reverted one: %+v", v)
	}
	second.verify(job.VerdictPending) // nothing to build on
	first.verify(job.VerdictPending)  // the nonce is lost
	first.verify(job.VerdictPending)
	second.verify(job.VerdictPending)
	if first.signed() != 2 || second.signed() != 2 || len(first.chain.Pool()) != 2 {
		t.Fatalf("%d and %d signed, in the pool %q", first.signed(), second.signed(), first.chain.Pool())
	}
	first.chain.Mine()
	first.chain.MineEmpty(2)
	first.verify(job.VerdictVerified)
	second.verify(job.VerdictVerified)
	if err := first.chain.CheckHistory(); err != nil {
		t.Error(err)
	}
}

// Case W12: an update whose fact a reorganisation took back before it was mined reverts. It is signed again once the
// fact is there, and no attempt is used up.
func TestRevertedWithoutItsFact(t *testing.T) {
	t.Parallel()
	b := setupWith(t, l1.Config{Facts: true})
	b.prove()
	b.process()
	if _, err := b.chain.Reorg(1, false); err != nil {
		t.Fatal(err)
	}
	b.chain.Mine()
	b.chain.MineEmpty(2)
	if v := b.verify(job.VerdictPending); !v.Waits || b.signed() != 1 {
		t.Fatalf("%+v with %d signed", v, b.signed())
	}
	b.prove()
	b.verify(job.VerdictPending)
	b.chain.Mine()
	b.chain.MineEmpty(2)
	b.verify(job.VerdictVerified)
	if b.signed() != 2 {
		t.Errorf("%d signed, want 2", b.signed())
	}
}

// Case P6: an update that was on its way when the contract's owner changed its values reverts. It is signed again once
// they are right, and no attempt is used up.
func TestRevertedAfterTheContractChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.process()
	right, err := b.chain.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.chain.Reconfigure(settlement.Config{ConfigHash: felt.FromUint64(1), ProgramHash: felt.FromUint64(2)})
	b.chain.Mine()
	b.chain.MineEmpty(2)
	if v := b.verify(job.VerdictPending); !v.Waits || b.signed() != 1 {
		t.Fatalf("%+v with %d signed", v, b.signed())
	}
	b.chain.Reconfigure(right)
	b.verify(job.VerdictPending)
	b.chain.Mine()
	b.chain.MineEmpty(2)
	b.verify(job.VerdictVerified)
	if b.signed() != 2 {
		t.Errorf("%d signed, want 2", b.signed())
	}
}
