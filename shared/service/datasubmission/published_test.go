package datasubmission_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
)

// archive is an archive that answers err, or what is behind it.
type archive struct {
	da.Archive
	err  error
	kept time.Duration
	seen []da.Sent
}

// Check implements da.Archive.
func (a *archive) Check(ctx context.Context, s da.Sent) error {
	a.seen = append(a.seen, s)
	if a.err != nil {
		return a.err
	}
	return a.Archive.Check(ctx, s)
}

// Kept implements da.Archive.
func (a *archive) Kept() time.Duration { return a.kept }

// final has a segment of seven words published in three transactions, all of them final.
func final(t *testing.T) (*bench, *archive) {
	t.Helper()
	b := setupWith(t, l1.Config{MaxDAWords: 3}, seven()...)
	a := &archive{Archive: b.chain.DA()}
	b.handler.Archive = a
	if err := b.handler.Process(t.Context(), b.run); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.verify(job.PendingVerification, job.VerdictPending, false)
		b.chain.Mine()
		b.chain.MineEmpty(2)
	}
	b.chain.Finalize(b.chain.MineEmpty(1))
	b.verify(job.PendingVerification, job.VerdictVerified, true) // what is final already is read back too
	if len(a.seen) > 0 {
		t.Fatalf("it is read back before the job is completed: %v", a.seen)
	}
	b.run.Job.Status = job.Completed
	return b, a
}

// What was published is read back once it is final, each transaction with its own part. Where it is missing, differs or
// can't be asked for, the job goes on asking, and says why.
func TestReadsBack(t *testing.T) {
	t.Parallel()
	for _, fails := range []error{nil, da.ErrMissing, da.ErrDiffers, errors.New("503")} {
		b, a := final(t)
		m := b.run.Job.Metadata.(*job.DataSubmissionMeta)
		if a.err = fails; fails != nil {
			if _, err := b.handler.Verify(t.Context(), b.run); !errors.Is(err, fails) || job.IsPermanent(err) ||
				!strings.Contains(err.Error(), m.Included.Hash) {
				t.Errorf("%v: %v", fails, err)
			}
			b.now = b.now.Add(1000 * time.Hour) // calldata stays
			if _, err := b.handler.Verify(t.Context(), b.run); !errors.Is(err, fails) {
				t.Errorf("%v, later: %v", fails, err)
			}
		}
		a.err, a.seen = nil, nil
		b.verify(job.Completed, job.VerdictFinal, false)
		if len(a.seen) != 3 || a.seen[2].Hash != m.More[1].Included.Hash ||
			a.seen[2].BlockHash != m.More[1].Included.BlockHash {
			t.Errorf("asked for %v", a.seen)
		}
	}
}

// A chain that holds something else than the batch's segment is found out.
func TestDifferingData(t *testing.T) {
	t.Parallel()
	b, _ := final(t)
	m := b.run.Job.Metadata.(*job.DataSubmissionMeta)
	other := seven()
	other[6] = felt.FromUint64(999)
	if err := artifact.WriteFelts(t.Context(), b.handler.Artifacts, m.SegmentKey, other); err != nil {
		t.Fatal(err)
	}
	_, err := b.handler.Verify(t.Context(), b.run)
	if !errors.Is(err, da.ErrDiffers) || !strings.Contains(err.Error(), m.More[1].Included.Hash) {
		t.Errorf("another last word: %v", err)
	}
}

// What nobody keeps any more, on the chain or here, keeps nobody asking.
func TestReadsBackWhatIsKept(t *testing.T) {
	t.Parallel()
	b, a := final(t)
	a.err, a.kept = da.ErrMissing, time.Hour
	b.run.Job.SubmittedAt = b.now
	b.now = b.now.Add(time.Hour - time.Second)
	if _, err := b.handler.Verify(t.Context(), b.run); !errors.Is(err, da.ErrMissing) {
		t.Errorf("while it is kept: %v", err)
	}
	b.now = b.now.Add(time.Second)
	b.verify(job.Completed, job.VerdictFinal, false)

	b, a = final(t)
	a.err = nil
	m := b.run.Job.Metadata.(*job.DataSubmissionMeta)
	m.SegmentKey = "gone"
	b.verify(job.Completed, job.VerdictFinal, false)
}

// A document of the first release, which has one transaction and does not say so, is read back too.
func TestReadsBackOldDocuments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handler.Archive = b.chain.DA()
	if err := b.handler.Process(t.Context(), b.run); err != nil {
		t.Fatal(err)
	}
	b.chain.Mine()
	b.chain.Finalize(b.chain.MineEmpty(3))
	b.verify(job.PendingVerification, job.VerdictVerified, true)
	b.run.Job.Metadata.(*job.DataSubmissionMeta).PartWords = 0
	b.verify(job.Completed, job.VerdictFinal, false)
}

// A reorganisation that puts a transaction into another block has the archive asked for that block.
func TestReadsBackFromTheLastBlock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := &archive{Archive: b.chain.DA()}
	b.handler.Archive = a
	if err := b.handler.Process(t.Context(), b.run); err != nil {
		t.Fatal(err)
	}
	b.chain.Mine()
	b.chain.MineEmpty(2)
	b.verify(job.PendingVerification, job.VerdictVerified, true)
	m := b.run.Job.Metadata.(*job.DataSubmissionMeta)
	first := m.Included.BlockHash
	if _, err := b.chain.Reorg(3, true); err != nil {
		t.Fatal(err)
	}
	b.chain.MineEmpty(1)
	b.chain.Mine()
	b.chain.Finalize(b.chain.MineEmpty(3))
	b.verify(job.Completed, job.VerdictFinal, false)
	if m.Included.BlockHash == first || len(a.seen) != 1 || a.seen[0].BlockHash != m.Included.BlockHash {
		t.Errorf("first in %s, then in %s, asked for %v", first, m.Included.BlockHash, a.seen)
	}
}
