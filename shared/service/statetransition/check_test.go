package statetransition_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
)

// holding is a contract with a state of its own.
type holding struct {
	settlement.Contract
	foreign *settlement.State
}

// State implements settlement.Contract.
func (h *holding) State(context.Context, bool) (settlement.State, error) { return *h.foreign, nil }

// refusing is a contract that refuses every update.
type refusing struct {
	settlement.Contract
	err error
}

// Encode implements settlement.Contract.
func (r *refusing) Encode(context.Context, settlement.Update, settlement.State, settlement.Config) (tx.Payload, error) {
	return tx.Payload{}, r.err
}

// mixing is a contract whose first read shows two blocks mixed.
type mixing struct {
	settlement.Contract
	mixed settlement.State
	reads int
}

// State implements settlement.Contract.
func (x *mixing) State(ctx context.Context, finalized bool) (settlement.State, error) {
	if x.reads++; x.reads == 1 {
		return x.mixed, nil
	}
	return x.Contract.State(ctx, finalized)
}

// Encode implements settlement.Contract: what was mixed does not fit the batch.
func (x *mixing) Encode(ctx context.Context, u settlement.Update, s settlement.State,
	c settlement.Config) (tx.Payload, error) {
	if s == x.mixed {
		return tx.Payload{}, &settlement.InvalidError{Code: "INVALID_PREV_BLOCK_HASH"}
	}
	return x.Contract.Encode(ctx, u, s, c)
}

// A node may mix two blocks while it takes one in (anvil 1.7.1 does): one read that contradicts the batch fails no job
// for good, and the next look goes on.
func TestOneMixedReadFailsNothing(t *testing.T) {
	t.Parallel()
	for name, settled := range map[string]bool{"before it is sent": false, "once it is settled": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			x := &mixing{Contract: b.chain}
			if settled {
				b.process()
				b.chain.Mine()
				b.chain.MineEmpty(2)
				x.mixed = settlement.State{Settled: true, Block: 1, Root: felt.FromUint64(7)}
			} else { // the root of another block than the rest
				x.mixed = settlement.State{Root: felt.FromUint64(7)}
				x.reads = -1 // the action's first read is right, the payload's is not
			}
			b.handler.Contract = x
			run := func() error { return b.handler.Process(t.Context(), b.run) }
			if settled {
				run = func() error { _, err := b.handler.Verify(t.Context(), b.run); return err }
			}
			if err := run(); err == nil || job.IsPermanent(err) || !strings.Contains(err.Error(), "two reads") {
				t.Errorf("%v", err)
			}
			if err := run(); err != nil {
				t.Errorf("the next look: %v", err)
			}
		})
	}
}

// W11: the batch is of blocks 0 and 1. What the contract holds is compared whole: block, root and hash.
func TestContractIsComparedWhole(t *testing.T) {
	t.Parallel()
	after := func(b *bench) settlement.State {
		s, err := settlement.After(b.output)
		if err != nil {
			b.t.Fatal(err)
		}
		return s
	}
	for name, tt := range map[string]struct {
		change    func(*settlement.State)
		permanent bool
	}{
		"the batch":              {func(*settlement.State) {}, false},
		"another root":           {func(s *settlement.State) { s.Root = felt.FromUint64(666) }, true},
		"another hash":           {func(s *settlement.State) { s.BlockHash = felt.FromUint64(666) }, true},
		"a block within":         {func(s *settlement.State) { s.Block = 0 }, true},
		"a later batch is there": {func(s *settlement.State) { s.Block, s.Root = 9, felt.FromUint64(666) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			s := after(b)
			tt.change(&s)
			b.handler.Contract = &holding{b.chain, &s}
			if err := b.handler.Process(t.Context(), b.run); job.IsPermanent(err) != tt.permanent ||
				err != nil && !tt.permanent {
				t.Errorf("processing: %v, permanent %t", err, tt.permanent)
			}
			v, err := b.handler.Verify(t.Context(), b.run)
			if job.IsPermanent(err) != tt.permanent {
				t.Errorf("verification: %+v, %v, permanent %t", v, err, tt.permanent)
			}
			if b.signed() > 0 {
				t.Error("something was signed")
			}
			if !tt.permanent {
				return
			}
			// A batch that was completed is verified again, which fails it and alerts.
			b.run.Job.Status = job.Completed
			if v := b.verify(job.VerdictUndone); !strings.Contains(v.Reason, "another history") {
				t.Errorf("the reason is %s", v.Reason)
			}
		})
	}
}

// W6: what a refusal means for another try is said by its type, whatever its words are.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err       error
		permanent bool
	}{
		"an earlier update is missing":  {&settlement.InvalidError{Refusal: tx.NotYet, Code: "X"}, false},
		"the same in simulation":        {&tx.RevertError{Refusal: tx.NotYet, Code: "X"}, false},
		"the fact is missing":           {&tx.RevertError{Refusal: tx.Unproven, Code: "X"}, false},
		"another block hash":            {&settlement.InvalidError{Code: "INVALID_PREV_BLOCK_HASH"}, true},
		"another block hash, simulated": {&tx.RevertError{Code: "INVALID_PREV_BLOCK_HASH"}, true},
		"another root":                  {&tx.RevertError{Code: "INVALID_PREVIOUS_ROOT"}, true},
		"words that nobody knows":       {&tx.RevertError{Code: "INVALID_PREV_BLOCK_NUMBER_OF_ANOTHER_KIND"}, true},
		"a moved nonce":                 {tx.ErrNonceMoved, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.handler.Contract = &refusing{b.chain, tt.err}
			if err := b.handler.Process(t.Context(), b.run); !errors.Is(err, tt.err) ||
				job.IsPermanent(err) != tt.permanent {
				t.Errorf("%v, want permanent %t", err, tt.permanent)
			}
		})
	}
}

// W12: the fact of a batch is not registered any more. The job that made it is reopened, once; the update waits for it.
func TestMissingFactReopensItsJob(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]job.Metadata{"L2": &job.AggregatorMeta{Proven: true},
		"L3": &job.ProofRegistrationMeta{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupWith(t, l1.Config{Facts: true})
			maker := job.New(job.NewID(), 1, m, "", b.now)
			maker.Status, maker.NextAction = job.Completed, job.None
			if err := b.jobs.Create(t.Context(), maker); err != nil {
				t.Fatal(err)
			}
			var version uint64
			for range 2 {
				if err := b.handler.Process(t.Context(), b.run); err == nil || job.IsPermanent(err) {
					t.Fatalf("got %v, want a transient failure", err)
				}
				got, err := b.jobs.Get(t.Context(), maker.ID)
				if err != nil || got.Status != job.PendingVerification ||
					got.NextAction != job.Verify || got.Reason() == "" {
					t.Fatalf("%+v, %v", got, err)
				}
				if a, ok := got.Metadata.(*job.AggregatorMeta); ok && a.Proven {
					t.Error("it still counts as proven")
				}
				if version > 0 && got.Version != version {
					t.Error("it was reopened while it was at work")
				}
				version = got.Version
			}
			b.prove()
			b.process()
			if b.signed() != 1 {
				t.Errorf("%d signed", b.signed())
			}
		})
	}
}

// W5: a stale answer is not a reorganisation.
func TestStaleAnswerIsNotAReorganisation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handler.Sender.Policy.Confirmations = 1
	b.process()
	b.chain.Mine()
	b.verify(job.VerdictVerified)
	b.run.Job.Status = job.Completed
	for range 3 {
		b.stale = true
		b.verify(job.VerdictWatching)
		b.now, b.stale = b.now.Add(time.Hour), false
		b.verify(job.VerdictWatching)
	}
	if _, err := b.chain.Reorg(1, false); err != nil {
		t.Fatal(err)
	}
	b.verify(job.VerdictWatching) // the node may lag
	b.now = b.now.Add(time.Minute)
	b.verify(job.VerdictUndone)
}

// W5: where another block has the place of the update's, one look is enough.
func TestReorganisation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handler.Sender.Policy.Confirmations = 1
	b.process()
	b.chain.Mine()
	b.verify(job.VerdictVerified)
	b.run.Job.Status = job.Completed
	if _, err := b.chain.Reorg(1, false); err != nil {
		t.Fatal(err)
	}
	b.chain.MineEmpty(1)
	b.verify(job.VerdictUndone)
}

// Case P6: after a new Starknet version the contract has the old values until its owner changes them. The update waits
// for it with a cause of its own, whatever the contract refuses, and goes on when it has changed.
func TestWaitsForTheContract(t *testing.T) {
	t.Parallel()
	f := felt.FromUint64
	needs := func(string) (settlement.Needs, error) {
		return settlement.Needs{ConfigHash: f(11), AggregatorProgramHash: f(13)}, nil
	}
	fact := func(program felt.Felt, _ []felt.Felt) string { return "0xFACT" + program.String() }
	for name, tt := range map[string]struct {
		contract settlement.Config
		needs    func(string) (settlement.Needs, error)
		made     string // the fact that the Aggregator job has
		says     string
	}{
		"config hash": {settlement.Config{ConfigHash: f(1), ProgramHash: f(12), AggregatorProgramHash: f(13)},
			needs, "", "config hash to 0xb (it is 0x1)"},
		"program hash": {settlement.Config{ConfigHash: f(11), ProgramHash: f(2), AggregatorProgramHash: f(13)},
			needs, "", "program hash to 0xc (it is 0x2)"},
		"aggregator program": {settlement.Config{ConfigHash: f(11), ProgramHash: f(12), AggregatorProgramHash: f(3)},
			needs, "", "aggregator program hash to 0xd (it is 0x3)"},
		"nothing is known": {settlement.Config{ConfigHash: f(1), ProgramHash: f(12)}, nil, "", "INVALID_CONFIG_HASH"},
		"fact of another aggregator": {
			settlement.Config{ConfigHash: f(11), ProgramHash: f(12), AggregatorProgramHash: f(13)}, needs, "0xfact0xe",
			"with its aggregator program hash 0xd the fact is 0xFACT0xd, the prover's is 0xfact0xe",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupWith(t, l1.Config{Facts: tt.made != ""})
			b.words(t, func(w []felt.Felt) { w[6], w[7], w[8] = f(12), f(11), f(1) }, 1)
			b.run.Job.Metadata.(*job.StateTransitionMeta).StarknetVersion = "0.14.3"
			b.handler.Needs, b.handler.Codec.Fact = tt.needs, fact
			if tt.made != "" {
				maker := job.New(job.NewID(), 1, &job.AggregatorMeta{Fact: tt.made}, "", b.now)
				maker.Status, maker.NextAction = job.Completed, job.None
				if err := b.jobs.Create(t.Context(), maker); err != nil {
					t.Fatal(err)
				}
			}
			b.chain.Reconfigure(tt.contract)
			for range 3 {
				err := b.handler.Process(t.Context(), b.run)
				if err == nil || job.IsPermanent(err) || job.RetryDelay(err) != time.Minute ||
					!strings.Contains(err.Error(), tt.says) {
					t.Fatalf("%v, want a wait that says %q", err, tt.says)
				}
			}
			b.chain.Reconfigure(settlement.Config{ConfigHash: f(11), ProgramHash: f(12), AggregatorProgramHash: f(13)})
			b.prove()
			b.process()
			if b.signed() != 1 {
				t.Errorf("%d signed", b.signed())
			}
		})
	}
}

// words changes the batch's program output, which then has blobs.
func (b *bench) words(t *testing.T, change func([]felt.Felt), blobs int) {
	t.Helper()
	first := blocks.Next(nil, b.now)
	b.output = l1.ProgramOutput(first, blocks.Next(&first, b.now), blobs)
	change(b.output)
	m := b.run.Job.Metadata.(*job.StateTransitionMeta)
	m.DASegmentKey = artifact.AggregatorKey(1, 0, artifact.DASegment)
	for key, words := range map[string][]felt.Felt{m.ProgramOutputKey: b.output, m.DASegmentKey: {felt.FromUint64(5)}} {
		if err := artifact.WriteFelts(t.Context(), b.handler.Artifacts, key, words); err != nil {
			t.Fatal(err)
		}
	}
	b.handler.Codec.Blobs = func([]felt.Felt) ([][]byte, error) { return make([][]byte, blobs), nil }
}
