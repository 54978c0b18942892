package sending_test

import (
	"context"

	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/service/sending"
)

// fleet is several jobs of one wallet with their documents.
type fleet struct {
	*bench
	jobs *memory.Jobs
	docs map[uint64]*job.Job
	sent int
}

func newFleet(t *testing.T, c l1.Config) *fleet {
	t.Helper()
	f := &fleet{bench: market(t, c, 0), docs: map[uint64]*job.Job{}}
	f.jobs = memory.NewJobs(&fault.Env{Now: func() time.Time { return f.now }})
	f.sender.Jobs, f.sender.Types = f.jobs, []job.Type{job.StateTransition}
	f.sender.Policy.Gas = 0
	f.sender.Sent = func(context.Context) { f.sent++ }
	return f
}

// request is that of a batch's job. Each batch builds on those below it.
func (f *fleet) request(batch uint64) sending.Request {
	f.t.Helper()
	j := f.docs[batch]
	if j == nil {
		made := job.New(fmt.Sprintf("job %d", batch), batch, &job.StateTransitionMeta{}, "", f.now)
		made.Status = job.PendingVerification
		if err := f.jobs.Create(f.t.Context(), made); err != nil {
			f.t.Fatal(err)
		}
		j = &made
		f.docs[batch] = j
	}
	return sending.Request{
		JobID: j.ID, Journal: j.Journals()[0],
		Order: func(o job.Job) tx.Order {
			if o.Batch < batch {
				return tx.Before
			}
			return tx.Behind
		},
		Payload: func(context.Context, []job.Job) (tx.Payload, error) {
			return tx.Payload{To: "0x1", Data: fmt.Appendf(nil, "batch %d", batch)}, nil
		},
		Checkpoint: func(ctx context.Context) error {
			stored, err := f.jobs.Update(ctx, *j)
			j.Version = max(j.Version, stored.Version)
			return err
		},
	}
}

func (f *fleet) advance(batch uint64) sending.Progress {
	f.t.Helper()
	p, err := f.sender.Advance(f.t.Context(), f.request(batch))
	if err != nil {
		f.t.Fatalf("batch %d: %v", batch, err)
	}
	return p
}

func (f *fleet) store(j *job.Job) {
	f.t.Helper()
	stored, err := f.jobs.Update(f.t.Context(), *j)
	if err != nil {
		f.t.Fatal(err)
	}
	j.Version = stored.Version
}

func (f *fleet) nonces() (out []uint64) {
	for _, x := range f.chain.Transactions() {
		out = append(out, x.Nonce)
	}
	return out
}

// As many transactions as are allowed go out with consecutive nonces, and one more when one of them is in a block.
func TestSeveralOnTheirWay(t *testing.T) {
	t.Parallel()
	f := newFleet(t, l1.Config{})
	for batch := range uint64(6) {
		f.advance(batch)
	}
	if got := fmt.Sprint(f.nonces()); got != "[0 1 2 3]" || f.sent != 4 {
		t.Fatalf("sent with nonces %s, %d times said; want four", got, f.sent)
	}
	if p := f.advance(4); p.Step != tx.Wait || p.Record.Hash != "" || !p.Verdict().Waits || !p.Blocked {
		t.Errorf("%+v, want it to wait with nothing of its own", p)
	}
	f.chain.Mine()
	f.advance(4)
	if got := fmt.Sprint(f.nonces()); got != "[0 1 2 3 4]" {
		t.Errorf("sent with nonces %s", got)
	}
}

// Only the first of those that wait for a block uses up its patience.
func TestBehindOthers(t *testing.T) {
	t.Parallel()
	f := newFleet(t, l1.Config{})
	f.advance(0)
	f.advance(1)
	f.now = f.now.Add(time.Hour)
	for batch, behind := range []bool{false, true} {
		if p := f.advance(uint64(batch)); p.Behind != behind || p.Verdict().Queued != behind {
			t.Errorf("batch %d: %+v, want it to be behind others: %t", batch, p, behind)
		}
	}
}

// Another account becomes the wallet while updates of the one before are settled, in the pool, and lost. Batches that
// are settled hold nothing back, and each other one is settled once, by the one or by the other.
func TestWalletIsRotated(t *testing.T) {
	t.Parallel()
	f := newFleet(t, l1.Config{})
	for batch := range uint64(3) { // settled
		p := f.advance(batch)
		f.chain.Mine()
		j := f.docs[batch]
		j.Status = job.Completed
		j.Metadata.(*job.StateTransitionMeta).Included = &job.Inclusion{Hash: p.Record.Hash}
		f.store(j)
	}
	lost, waits := f.advance(3), f.advance(4)
	f.chain.Drop(lost.Record.Hash)
	f.chain.Drop(waits.Record.Hash)
	f.chain.Rotate("0xb0b")
	signed := f.advance(3)
	if signed.Record.Account != "0xb0b" || signed.Record.Nonce != 0 {
		t.Fatalf("%+v, want it to be signed by the new wallet with its first nonce", signed)
	}
	if next := f.advance(5); next.Record.Nonce != 1 { // 4 has a transaction that nobody knows
		t.Errorf("the next one has nonce %d", next.Record.Nonce)
	}
	f.chain.Mine()
	f.chain.MineEmpty(3)
	if p := f.advance(3); p.Step != tx.Confirmed || p.Record.Account != "0xb0b" {
		t.Errorf("%+v", p)
	}
}

// What the wallet before has in the pool counts once it is mined, and is not signed for beside it until it has waited
// for long.
func TestWalletIsRotatedWhileOneWaits(t *testing.T) {
	t.Parallel()
	f := newFleet(t, l1.Config{})
	sent := f.advance(0)
	f.chain.Rotate("0xb0b")
	if p := f.advance(0); p.Record.Hash != sent.Record.Hash || len(f.nonces()) != 1 {
		t.Fatalf("%+v, %d transactions", p, len(f.nonces()))
	}
	f.chain.Mine()
	f.chain.MineEmpty(3)
	if p := f.advance(0); p.Step != tx.Confirmed || p.Record.Hash != sent.Record.Hash {
		t.Errorf("%+v, want the old wallet's to count", p)
	}
}

// One at a time where that is set, or where the node can't simulate on top of others.
func TestOneOnItsWay(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*fleet){
		"as set": func(f *fleet) { f.sender.Policy.InFlight = 1 },
		"by the cap": func(f *fleet) {
			f.advance(0)
			f.sender.Policy.FeeCap = f.docs[0].Journals()[0].Records[0].Fees.Total()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, l1.Config{})
			set(f)
			f.advance(0)
			f.advance(1)
			if got := fmt.Sprint(f.nonces()); got != "[0]" {
				t.Fatalf("sent with nonces %s", got)
			}
			f.chain.Mine()
			f.advance(1)
			if got := fmt.Sprint(f.nonces()); got != "[0 1]" {
				t.Errorf("sent with nonces %s", got)
			}
		})
	}
	f := newFleet(t, l1.Config{OneAtATime: true})
	f.advance(0)
	if p := f.advance(1); p.Step != tx.Wait || !strings.Contains(p.Reason, tx.ErrOneAtATime.Error()) {
		t.Errorf("the second: %+v", p)
	}
}

// A completed job may have signed a transaction that nobody sends any more. What builds on the job waits for it while
// it may be on its way, and then takes its nonce; the one that completed the job is waited for until the node shows it.
func TestCompletedJobLeavesATransaction(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		included int // which of its transactions completed the job
		want     string
	}{
		"left over":                    {0, "[0 1]"},
		"in a block that is not shown": {1, "[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, l1.Config{})
			f.advance(0)
			f.chain.Mine()
			done := f.docs[0]
			m := done.Metadata.(*job.StateTransitionMeta)
			second := m.Journal.Records[0]
			second.Hash, second.Nonce = "0xdead", 1
			m.Journal.Records = append(m.Journal.Records, second)
			m.Included = &job.Inclusion{Hash: m.Journal.Records[tt.included].Hash}
			done.Status, done.NextAction = job.Completed, job.None
			if _, err := f.jobs.Update(t.Context(), *done); err != nil {
				t.Fatal(err)
			}
			if p := f.advance(1); p.Step != tx.Wait || p.Record.Hash != "" {
				t.Errorf("while it may be on its way: %+v", p)
			}
			f.now = f.now.Add(f.sender.Policy.ReplaceAfter + time.Second)
			f.advance(1)
			if got := fmt.Sprint(f.nonces()); got != tt.want {
				t.Errorf("sent with nonces %s, want %s", got, tt.want)
			}
		})
	}
}

// What a job that waits for an operator signed counts, also if it was never sent: it is sent when the job is retried.
func TestIdleTransactionCounts(t *testing.T) {
	t.Parallel()
	f := newFleet(t, l1.Config{})
	f.advance(0)
	f.chain.Drop(f.chain.Pool()[0])
	f.docs[0].Status = job.Failed
	if err := f.request(0).Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(time.Hour)
	if p := f.advance(1); p.Step != tx.Wait || p.Record.Hash != "" {
		t.Errorf("a batch that builds on it: %+v, want it to wait", p)
	}
	r := f.request(2) // an independent payload takes the nonce, which nobody else uses
	r.Order = nil
	if _, err := f.sender.Advance(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.nonces()); got != "[0 0]" {
		t.Errorf("sent with nonces %s", got)
	}
}

// A transaction whose process lost the wallet before it was sent stays recorded and unsent: others have signed with
// another sum in mind.
func TestLeaseLostBeforeSending(t *testing.T) {
	t.Parallel()
	f := newFleet(t, l1.Config{})
	r := f.request(0)
	checkpoint := r.Checkpoint
	r.Checkpoint = func(ctx context.Context) error {
		f.now = f.now.Add(time.Hour) // the process is frozen
		if _, err := f.locks.Acquire(ctx, "wallet", "another", time.Minute); err != nil {
			return err
		}
		return checkpoint(ctx)
	}
	p, err := f.sender.Advance(t.Context(), r)
	if err != nil || p.Step != tx.Wait || p.Record.Hash == "" {
		t.Fatalf("%+v, %v", p, err)
	}
	if n := len(f.chain.Transactions()); n > 0 {
		t.Errorf("%d transactions were sent", n)
	}
	f.now = f.now.Add(time.Hour)
	f.advance(0)
	if n := len(f.chain.Pool()); n != 1 {
		t.Errorf("%d in the pool afterwards, want 1", n)
	}
}

// A gap in the nonces is filled by the job whose transaction is missing; those behind it wait and are not sent into the
// gap.
func TestGapIsFilledByItsJob(t *testing.T) {
	t.Parallel()
	f := newFleet(t, l1.Config{})
	for batch := range uint64(3) {
		f.advance(batch)
	}
	for _, hash := range f.chain.Pool() {
		f.chain.Drop(hash)
	}
	f.now = f.now.Add(time.Hour)
	for _, batch := range []uint64{2, 1} {
		if p := f.advance(batch); p.Step != tx.Wait || p.Record.Nonce != batch {
			t.Errorf("batch %d: %+v, want it to wait", batch, p)
		}
	}
	for batch := range uint64(3) {
		f.advance(batch)
	}
	if n := len(f.chain.Pool()); n != 3 || len(f.chain.Transactions()) != 3 {
		t.Errorf("%d in the pool of %d that were ever sent, want 3 of 3", n, len(f.chain.Transactions()))
	}
}
