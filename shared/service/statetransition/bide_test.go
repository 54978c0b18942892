package statetransition_test

import (
	"context"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
)

// market is a chain with a history of fees.
type market struct {
	*l1.Chain
	prices []tx.Price
	err    error
}

// Prices implements tx.Market.
func (m *market) Prices(context.Context, time.Duration) ([]tx.Price, error) { return m.prices, m.err }

// bidden is a bench whose base fee is 1 gwei, of a batch that was opened now; fees were 0.1 to 10 gwei.
func bidden(t *testing.T) (*bench, *market) {
	t.Helper()
	b := setup(t)
	m := &market{Chain: b.chain}
	for i := range int64(1000) {
		m.prices = append(m.prices, tx.Price{Base: big.NewInt(1e7 * (10 + i)), Blob: big.NewInt(1)})
	}
	b.handler.Sender.Chain = m
	b.handler.Sender.Policy.Target = tx.FeeTarget{Percentile: 5, Patience: 2 * time.Hour}
	b.run.Job.Metadata.(*job.StateTransitionMeta).OpenedAt = b.now
	return b, m
}

// wait is what the job knows of fees.
func (b *bench) wait() *job.FeeWait { return b.run.Job.Metadata.(*job.StateTransitionMeta).FeeWait }

// A batch waits for lower fees, without an attempt, and is sent once they are low enough.
func TestWaitsForLowerFees(t *testing.T) {
	t.Parallel()
	b, _ := bidden(t)
	b.handler.Sender.Policy.Gas = 500_000 // a limit, which the update does not use up
	b.process()
	if w := b.wait(); w.First != "400000000000000" { // 400,000 gas at 1 gwei
		t.Errorf("it would cost about %s", w.First)
	}
	for range 3 {
		v := b.verify(job.VerdictPending)
		if !v.Waits || !strings.HasPrefix(v.Reason, "waits for lower fees: ") || b.signed() > 0 || !b.wait().Waits {
			t.Fatalf("%+v, %d signed, %+v", v, b.signed(), b.wait())
		}
	}
	b.chain.SetFees(big.NewInt(2e8), nil)
	b.verify(job.VerdictPending)
	w := b.wait()
	first, _ := new(big.Int).SetString(w.First, 10)
	today, _ := new(big.Int).SetString(w.Today, 10)
	if b.signed() != 1 || w.Waits || first.Cmp(new(big.Int).Mul(today, big.NewInt(5))) != 0 {
		t.Errorf("%d signed, %+v", b.signed(), w)
	}
	b.chain.SetFees(big.NewInt(1e9), nil) // what is under way goes on
	b.verify(job.VerdictPending)
	if b.wait().Waits {
		t.Error("an update that is on its way waits for fees")
	}
}

// A batch that waited says so no more once it is sent for another reason: the setting was taken away meanwhile.
func TestSettingTakenAway(t *testing.T) {
	t.Parallel()
	b, _ := bidden(t)
	b.process()
	b.verify(job.VerdictPending)
	b.handler.Sender.Policy.Target = tx.FeeTarget{}
	b.verify(job.VerdictPending)
	if b.signed() != 1 || b.wait().Waits {
		t.Errorf("%d signed, %+v", b.signed(), b.wait())
	}
}

// A batch that is old enough is sent at any price, counted from when it was opened.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	b, _ := bidden(t)
	b.process()
	b.now = b.now.Add(2*time.Hour - time.Second)
	b.verify(job.VerdictPending)
	if b.signed() > 0 || !b.wait().Until.Equal(b.now.Add(time.Second)) {
		t.Fatalf("%d signed, until %s", b.signed(), b.wait().Until)
	}
	b.now = b.now.Add(time.Second)
	b.verify(job.VerdictPending)
	if b.signed() != 1 {
		t.Error("it still waits")
	}
	if w := b.wait(); w.Target == "" || w.Waits {
		t.Errorf("what it waited for is forgotten: %+v", w)
	}
}

// A node that has no history keeps nothing from being settled; one that does not answer is asked again.
func TestFeesUnknown(t *testing.T) {
	t.Parallel()
	b, m := bidden(t)
	m.err = look.Unanswered(errors.New("no route"))
	if err := b.handler.Process(t.Context(), b.run); !errors.Is(err, look.ErrUnanswered) || b.signed() > 0 {
		t.Errorf("%v, %d signed", err, b.signed())
	}
	m.err, m.prices = errors.New("no such method"), nil
	b.process()
	if b.signed() != 1 || b.wait().Waits {
		t.Errorf("%d signed, %+v", b.signed(), b.wait())
	}
}

// From the day on which a batch is settled at any price, a node that gives no past fees keeps it no longer.
func TestPatienceEndsWithoutPrices(t *testing.T) {
	t.Parallel()
	b, m := bidden(t)
	b.process()
	m.err = look.Unanswered(errors.New("no route"))
	if _, err := b.handler.Verify(t.Context(), b.run); !errors.Is(err, look.ErrUnanswered) || b.signed() > 0 {
		t.Fatalf("%v, %d signed", err, b.signed())
	}
	b.now = b.now.Add(2 * time.Hour)
	b.verify(job.VerdictPending)
	if b.signed() != 1 || b.wait().Waits {
		t.Errorf("%d signed, %+v", b.signed(), b.wait())
	}
}

// A batch that others settled meanwhile is settled, whatever fees are.
func TestSettledWhileItWaits(t *testing.T) {
	t.Parallel()
	b, _ := bidden(t)
	b.process()
	b.verify(job.VerdictPending)
	b.byOthers()
	b.verify(job.VerdictVerified)
}
