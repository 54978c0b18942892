package sending_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric/metrictest"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/service/sending"
)

// bench is one payload to be sent, and the chain that takes it.
type bench struct {
	t        *testing.T
	now      time.Time
	chain    *l1.Chain
	locks    *memory.Locks
	sender   *sending.Sender
	journal  tx.Journal
	payload  tx.Payload
	recorded []tx.Journal // what Checkpoint stored, in order
	calls    []string     // of all fakes, in order
	before   func(fault.Op)
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		payload: tx.Payload{To: "0x1", Data: []byte("pay")}}
	env := &fault.Env{Now: func() time.Time { return b.now }, Hook: fault.HookFunc(func(op fault.Op) fault.Fault {
		b.calls = append(b.calls, op.Method)
		if b.before != nil {
			b.before(op)
		}
		return fault.Fault{}
	})}
	policy := tx.DefaultPolicy()
	policy.Gas = 0
	b.chain, b.locks = l1.New(env, l1.Config{}), memory.NewLocks(env)
	b.sender = &sending.Sender{
		Chain: b.chain, Raw: memory.NewArtifacts(env), Policy: policy, Now: env.Now,
		Lease: b.locks, LeaseName: "wallet",
	}
	return b
}

func (b *bench) request(id string) sending.Request {
	return sending.Request{
		JobID: id, Journal: &b.journal,
		Payload:    func(context.Context, []job.Job) (tx.Payload, error) { return b.payload, nil },
		Checkpoint: func(context.Context) error { b.recorded = append(b.recorded, b.journal.Clone()); return nil },
	}
}

func (b *bench) advance(want tx.Step) sending.Progress {
	b.t.Helper()
	p, err := b.sender.Advance(b.t.Context(), b.request("job"))
	if err != nil || p.Step != want {
		b.t.Fatalf("%s (%s), %v; want %s", p.Step, p.Reason, err, want)
	}
	return p
}

func TestSentRecordedConfirmed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sent := b.advance(tx.Wait)
	if len(b.recorded) != 1 || b.recorded[0].Records[0].Hash != sent.Record.Hash || len(b.chain.Pool()) != 1 {
		t.Fatalf("recorded %+v, in the pool %q", b.recorded, b.chain.Pool())
	}
	b.chain.Mine()
	b.advance(tx.Wait)
	b.chain.MineEmpty(2)
	if p := b.advance(tx.Confirmed); p.Record.Hash != sent.Record.Hash || p.Status.Cost().Sign() <= 0 {
		t.Errorf("confirmed %+v", p)
	}
}

// What can't be recorded is not sent.
func TestNotRecordedNotSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.request("job")
	gone := errors.New("the database is gone")
	r.Checkpoint = func(context.Context) error { return gone }
	if _, err := b.sender.Advance(t.Context(), r); !errors.Is(err, gone) {
		t.Errorf("got %v, want %v", err, gone)
	}
	if pool := b.chain.Pool(); len(pool) > 0 {
		t.Errorf("in the pool %q", pool)
	}
}

// A nonce that a third party took is free again after a reorganisation: the recorded transaction goes out once more,
// and nothing is signed for its nonce beside it.
func TestNonceIsFreeAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sent := b.advance(tx.Wait)
	b.chain.Drop(sent.Record.Hash)
	b.chain.Intrude(tx.Payload{To: "0x2"}, true)
	b.chain.Mine()
	b.chain.MineEmpty(3)
	b.advance(tx.NonceLost)
	if _, err := b.chain.Reorg(4, false); err != nil {
		t.Fatal(err)
	}
	b.advance(tx.Wait)
	if len(b.journal.Records) != 1 || len(b.journal.LostNonces) != 0 ||
		len(b.recorded[len(b.recorded)-1].LostNonces) != 0 {
		t.Errorf("journal %+v, recorded %+v", b.journal, b.recorded)
	}
	if pool := b.chain.Pool(); len(pool) != 1 || pool[0] != sent.Record.Hash {
		t.Errorf("in the pool %q, want %s", pool, sent.Record.Hash)
	}
}

// A transaction whose artifacts were fixed since it was signed is replaced by one of the present payload.
func TestFixedPayloadReplaces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sent := b.advance(tx.Wait)
	b.chain.Drop(sent.Record.Hash)
	b.payload.Data = []byte("fixed")
	b.advance(tx.Wait)
	if !b.recorded[len(b.recorded)-1].Underpriced {
		t.Fatalf("recorded %+v", b.recorded)
	}
	again := b.advance(tx.Wait)
	if again.Record.Replaces != sent.Record.Hash || again.Record.Nonce != sent.Record.Nonce || b.journal.Underpriced {
		t.Errorf("sent %+v, journal %+v", again.Record, b.journal)
	}
	if pool := b.chain.Pool(); len(pool) != 1 || pool[0] != again.Record.Hash {
		t.Errorf("in the pool %q, want %s", pool, again.Record.Hash)
	}
}

// Fees above the cap have an error of their own, with the figures, nothing is signed, and the alarm FeeCap sees it:
// with the policy's gas limit, and where only the simulation shows how much gas the call takes.
func TestAboveTheCap(t *testing.T) {
	t.Parallel()
	for _, gas := range []uint64{0, 500_000} {
		t.Run(fmt.Sprintf("least gas limit %d", gas), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.sender.Policy.Gas = gas
			b.chain.SetFees(new(big.Int).Mul(big.NewInt(1e9), big.NewInt(1e6)), nil)
			var r metrictest.Recorder
			p, err := b.sender.Advance(metric.With(t.Context(), &r), b.request("job"))
			if !errors.Is(err, tx.ErrFeeCap) || p.Step != tx.Capped {
				t.Errorf("%s, %v; want %v", p.Step, err, tx.ErrFeeCap)
			}
			if len(b.journal.Records) > 0 {
				t.Errorf("signed %+v", b.journal.Records)
			}
			capped := slices.DeleteFunc(r.Values(), func(v metric.Value) bool { return v.Name != metric.FeeCapReached })
			if len(capped) != 1 || capped[0].Value != 1 {
				t.Errorf("recorded %+v, want one %s", capped, metric.FeeCapReached)
			}
		})
	}
}

func TestDryRunSignsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sender.DryRun = true
	if _, err := b.sender.Advance(t.Context(), b.request("job")); !errors.Is(err, sending.ErrDryRun) {
		t.Errorf("got %v, want %v", err, sending.ErrDryRun)
	}
	if len(b.journal.Records) > 0 || len(b.chain.Pool()) > 0 {
		t.Errorf("signed %+v, in the pool %q", b.journal.Records, b.chain.Pool())
	}
}

// A transaction of the wallet that is mined while a payload is simulated makes the simulation worthless. It is a
// transient failure, nothing is signed, and the wallet is free for others.
func TestNonceMovesDuringSimulation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.before = func(op fault.Op) {
		if op.Method == "Simulate" {
			b.before = nil
			b.chain.Intrude(tx.Payload{To: "0x2"}, true)
			b.chain.Mine()
		}
	}
	_, err := b.sender.Advance(t.Context(), b.request("job"))
	var revert *tx.RevertError
	if !errors.Is(err, tx.ErrNonceMoved) || errors.As(err, &revert) || job.IsPermanent(err) {
		t.Fatalf("got %v, want %v as a transient failure", err, tx.ErrNonceMoved)
	}
	if _, err := b.locks.Acquire(t.Context(), "wallet", "another job", time.Minute); err != nil {
		t.Fatalf("the wallet is not free: %v", err)
	}
}

// A payload is simulated and signed under the wallet's lease only: while another job has it, a waiting job asks for
// nothing that its transaction could make wrong.
func TestNoSimulationWithoutTheLease(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.locks.Acquire(t.Context(), "wallet", "another job", time.Hour); err != nil {
		t.Fatal(err)
	}
	if p := b.advance(tx.Wait); p.Reason != sending.ErrWalletBusy.Error() {
		t.Errorf("it waits because %s", p.Reason)
	}
	if slices.Contains(b.calls, "Simulate") || slices.Contains(b.calls, "Sign") {
		t.Errorf("calls %q", b.calls)
	}
}

// behind is a chain whose next lookups are answered by a node that lags, as behind a load balancer.
type behind struct {
	*l1.Chain
	lookups int
}

// Lookup implements tx.Chain.
func (b *behind) Lookup(ctx context.Context, hash string) (tx.Status, error) {
	if b.lookups > 0 {
		b.lookups--
		return tx.Status{Phase: tx.Pending}, nil
	}
	return b.Chain.Lookup(ctx, hash)
}

// A lookup that is older than the nonce that was read before it makes no nonce lost: our own transaction used it.
func TestOlderLookupLosesNoNonce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.advance(tx.Wait)
	b.chain.Mine()
	b.chain.MineEmpty(3)
	b.sender.Chain = &behind{b.chain, 1}
	b.advance(tx.Confirmed)
	if len(b.journal.LostNonces) != 0 {
		t.Errorf("journal %+v", b.journal)
	}
}
