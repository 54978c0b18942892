package datasubmission_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/client/several"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/service/datasubmission"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/sending"
)

// bench is a batch's segment that is to be published.
type bench struct {
	t       *testing.T
	chain   *l1.Chain
	handler *datasubmission.Handler
	run     *executor.Run
	now     time.Time
	stale   bool // reads show the chain as it was a block ago
}

func setup(t *testing.T) *bench { return setupWith(t, l1.Config{}, felt.FromUint64(7)) }

// setupWith is setup with a segment, on a chain of a configuration.
func setupWith(t *testing.T, c l1.Config, segment ...felt.Felt) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	now := b.now
	env := &fault.Env{Now: func() time.Time { return b.now }, Hook: fault.HookFunc(func(op fault.Op) fault.Fault {
		if b.stale && op.Component == "l1" {
			return fault.Fault{Kind: fault.Stale}
		}
		return fault.Fault{}
	})}
	chain, store, jobs := l1.New(env, c), memory.NewArtifacts(env), memory.NewJobs(env)
	policy := tx.DefaultPolicy()
	policy.Gas = 0
	m := &job.DataSubmissionMeta{EndBlock: 3, SegmentKey: artifact.SNOSKey(1, 0, artifact.DASegment)}
	if err := artifact.WriteFelts(t.Context(), store, m.SegmentKey, segment); err != nil {
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
	b.chain, b.run = chain, executor.NewRun(stored, jobs)
	b.handler = &datasubmission.Handler{Layer: chain.DA(), Artifacts: store, Sender: &sending.Sender{
		Chain: chain, Raw: store, Policy: policy, Now: env.Now, Lease: memory.NewLocks(env), LeaseName: "wallet",
	}}
	return b
}

// verify asks, with the job in a status, and wants a verdict.
func (b *bench) verify(status job.Status, want job.VerdictKind, watch bool) {
	b.t.Helper()
	b.run.Job.Status = status
	v, err := b.handler.Verify(b.t.Context(), b.run)
	if err != nil || v.Kind != want || v.Watch != watch {
		b.t.Fatalf("verdict %s (%s), watch %t, %v; want %s, watch %t", v.Kind, v.Reason, v.Watch, err, want, watch)
	}
}

// A publication is confirmed, undone by a reorganisation, published again, and left alone once it is final.
func TestPublicationIsWatched(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.handler.Process(t.Context(), b.run); err != nil {
		t.Fatal(err)
	}
	b.verify(job.PendingVerification, job.VerdictPending, false)
	b.chain.Mine()
	b.chain.MineEmpty(2)
	b.verify(job.PendingVerification, job.VerdictVerified, true)
	b.verify(job.Completed, job.VerdictWatching, false)
	if _, err := b.chain.Reorg(3, false); err != nil {
		t.Fatal(err)
	}
	b.verify(job.Completed, job.VerdictWatching, false) // the node may lag
	b.now = b.now.Add(time.Minute)
	b.verify(job.Completed, job.VerdictUndone, false)
	b.verify(job.PendingVerification, job.VerdictPending, false) // sent again
	b.chain.Mine()
	b.chain.Finalize(b.chain.MineEmpty(3))
	b.verify(job.Completed, job.VerdictFinal, false)
	if n := len(b.chain.DA().Published()); n != 1 {
		t.Errorf("published %d times", n)
	}
}

func seven() (out []felt.Felt) {
	for i := range uint64(7) {
		out = append(out, felt.FromUint64(100+i))
	}
	return out
}

// published is what the chain holds, each transaction's words in brackets.
func (b *bench) published() string {
	out := ""
	for _, d := range b.chain.DA().Published() {
		out += fmt.Sprint(len(d.Words), d.Words[0], " ")
	}
	return strings.TrimSpace(out)
}

// A dry run publishes nothing, and looks again after a while.
func TestDryRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handler.Sender.DryRun = true
	err := b.handler.Process(t.Context(), b.run)
	if !errors.Is(err, sending.ErrDryRun) || job.RetryDelay(err) != 10*time.Minute || len(b.chain.Pool()) > 0 {
		t.Errorf("%v, again after %s; in the pool %q", err, job.RetryDelay(err), b.chain.Pool())
	}
}

// failing is a wallet on a node that fails from some call on.
type failing struct {
	tx.Chain
	fails func() bool
}

// Head implements tx.Chain.
func (f *failing) Head(ctx context.Context) (tx.Head, error) {
	if f.fails() {
		return tx.Head{}, look.Unanswered(errors.New("no route"))
	}
	return f.Chain.Head(ctx)
}

// A part is confirmed by one node, which then fails: a node that does not have the part's block yet is not asked about
// it.
func TestNodeFailsBetweenParts(t *testing.T) {
	t.Parallel()
	b := setupWith(t, l1.Config{MaxDAWords: 3}, seven()...)
	m := b.run.Job.Metadata.(*job.DataSubmissionMeta)
	first, second := b.chain.Node(), b.chain.Node()
	nodes := []*l1.Node{first, second}
	set := several.New(several.Options{Names: []string{"node 1", "node 2"}, Slack: 9,
		Now:   func() time.Time { return b.now },
		Probe: func(ctx context.Context, i int) (uint64, error) { return nodes[i].Probe(ctx) }})
	b.handler.Sender.Chain = several.NewChain(set,
		&failing{first, func() bool { return m.Included != nil }}, second)
	if err := b.handler.Process(t.Context(), b.run); err != nil {
		t.Fatal(err)
	}
	b.chain.Mine()
	b.chain.MineEmpty(2)
	second.Behave(l1.Manners{Behind: 3})
	b.now = b.now.Add(time.Minute)
	b.run.Job.Status = job.PendingVerification
	v, err := b.handler.Verify(t.Context(), b.run)
	if err == nil || !strings.Contains(err.Error(), "it lags") || !m.DoubtedAt.IsZero() {
		t.Fatalf("%+v, %v, doubted at %s: want the node that lags left out", v, err, m.DoubtedAt)
	}
	second.Behave(l1.Manners{})
	b.now = b.now.Add(time.Minute)
	b.verify(job.PendingVerification, job.VerdictPending, false)
	if n := len(m.More[0].Journal.Records); n != 1 {
		t.Errorf("%d transactions of the second part", n)
	}
}

// Case B6: a segment that is larger than a transaction goes out in several, in order, one after another.
func TestLargeSegmentTakesSeveralTransactions(t *testing.T) {
	t.Parallel()
	b := setupWith(t, l1.Config{MaxDAWords: 3}, seven()...)
	if err := b.handler.Process(t.Context(), b.run); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.verify(job.PendingVerification, job.VerdictPending, false)
		if n := len(b.chain.Pool()); n != 1 {
			t.Fatalf("%d transactions under way, want 1", n)
		}
		b.chain.Mine()
		b.chain.MineEmpty(2)
	}
	b.verify(job.PendingVerification, job.VerdictVerified, true)
	if got, want := b.published(), "3 0x64 3 0x67 1 0x6a"; got != want {
		t.Errorf("published %s, want %s", got, want)
	}
	m := b.run.Job.Metadata.(*job.DataSubmissionMeta)
	if whole := b.chain.DA().Commit(seven()); m.DataHash != whole.Hash || m.DataSize != 7 {
		t.Errorf("commitment %s of %d words, want that of the whole segment", m.DataHash, m.DataSize)
	}
	b.verify(job.Completed, job.VerdictWatching, false)
	if _, err := b.chain.Reorg(1, false); err != nil { // the last part's confirmation
		t.Fatal(err)
	}
	b.chain.MineEmpty(1)
	if _, err := b.chain.Reorg(4, false); err != nil { // the last part itself
		t.Fatal(err)
	}
	b.verify(job.Completed, job.VerdictWatching, false) // one look may be a node's that lags
	b.now = b.now.Add(time.Minute)
	b.verify(job.Completed, job.VerdictUndone, false)
	b.verify(job.PendingVerification, job.VerdictPending, false)
	b.chain.Mine()
	b.chain.Finalize(b.chain.MineEmpty(3))
	b.verify(job.PendingVerification, job.VerdictVerified, true)
	b.verify(job.Completed, job.VerdictFinal, false)
	if got, want := b.published(), "3 0x64 3 0x67 1 0x6a"; got != want {
		t.Errorf("at the end %s, want %s", got, want)
	}
}

// How a segment is divided stays as it was when its first part went out, and the segment must too.
func TestDivisionStays(t *testing.T) {
	t.Parallel()
	b := setupWith(t, l1.Config{MaxDAWords: 3}, seven()...)
	if err := b.handler.Process(t.Context(), b.run); err != nil {
		t.Fatal(err)
	}
	b.chain.Mine()
	b.chain.MineEmpty(2)
	m := b.run.Job.Metadata.(*job.DataSubmissionMeta)
	other := append(seven(), felt.FromUint64(1))
	if err := artifact.WriteFelts(t.Context(), b.handler.Artifacts, m.SegmentKey, other); err != nil {
		t.Fatal(err)
	}
	if _, err := b.handler.Verify(t.Context(), b.run); !job.IsPermanent(err) {
		t.Errorf("another segment's second part: %v, want a permanent failure", err)
	}
	if err := artifact.WriteFelts(t.Context(), b.handler.Artifacts, m.SegmentKey, seven()); err != nil {
		t.Fatal(err)
	}
	b.handler.Layer = wide{b.handler.Layer} // another release has other limits
	b.verify(job.PendingVerification, job.VerdictPending, false)
	b.chain.Mine()
	if got, want := b.published(), "3 0x64 3 0x67"; got != want {
		t.Errorf("published %s, want %s", got, want)
	}
}

// wide takes more words in a transaction.
type wide struct{ da.Layer }

func (wide) MaxWords() int { return 1000 }

// A segment that is larger than any can be is not asked for again and again.
func TestSegmentBeyondAllLimits(t *testing.T) {
	t.Parallel()
	b := setupWith(t, l1.Config{}, make([]felt.Felt, 1<<20+1)...)
	if err := b.handler.Process(t.Context(), b.run); !job.IsPermanent(err) {
		t.Errorf("got %v, want a permanent failure", err)
	}
}

// refusing is a layer whose publications the chain refuses.
type refusing struct{ da.Layer }

// Encode implements da.Layer.
func (refusing) Encode(context.Context, da.Data) (tx.Payload, da.Commitment, error) {
	return tx.Payload{}, da.Commitment{}, &tx.RevertError{Code: "NOT_ALLOWED"}
}

// What the chain would refuse is hopeless, whether it is sent by processing or later.
func TestRefusedPublicationIsHopeless(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handler.Layer = refusing{b.handler.Layer}
	if err := b.handler.Process(t.Context(), b.run); !job.IsPermanent(err) {
		t.Errorf("processing: %v", err)
	}
	if _, err := b.handler.Verify(t.Context(), b.run); !job.IsPermanent(err) {
		t.Errorf("verification: %v", err)
	}
}

// W5: an answer that is out of date is not a reorganisation, and one that is seen again later clears the doubt. Where
// another block has the place of the publication's, one look is enough.
func TestStaleAnswerIsNotAReorganisation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handler.Sender.Policy.Confirmations = 1
	if err := b.handler.Process(t.Context(), b.run); err != nil {
		t.Fatal(err)
	}
	b.chain.Mine()
	b.verify(job.PendingVerification, job.VerdictVerified, true)
	for range 3 {
		b.stale = true
		b.verify(job.Completed, job.VerdictWatching, false)
		b.now, b.stale = b.now.Add(time.Hour), false
		b.verify(job.Completed, job.VerdictWatching, false)
	}
	if _, err := b.chain.Reorg(1, false); err != nil {
		t.Fatal(err)
	}
	b.chain.MineEmpty(1)
	b.verify(job.Completed, job.VerdictUndone, false)
}
