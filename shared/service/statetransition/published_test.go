package statetransition_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// archive is an archive that answers err.
type archive struct {
	err  error
	seen []string // what it was asked for
}

// Check implements da.Archive.
func (a *archive) Check(_ context.Context, s da.Sent) error {
	a.seen = append(a.seen, fmt.Sprintf("%s %q", s.BlockHash, s.Payload.Blobs))
	return a.err
}

// kept is how long beacon nodes have blobs: MIN_EPOCHS_FOR_BLOB_SIDECARS_REQUESTS of the consensus specifications.
const kept = 4096 * 32 * 12 * time.Second

// Kept implements da.Archive.
func (a *archive) Kept() time.Duration { return kept }

// Ping implements da.Archive.
func (a *archive) Ping(context.Context) error { return nil }

// withBlobs gives the batch a DA segment, which a beacon node can be asked for.
func withBlobs(t *testing.T, a *archive) *bench {
	t.Helper()
	b := setup(t)
	m := b.run.Job.Metadata.(*job.StateTransitionMeta)
	m.DASegmentKey = artifact.AggregatorKey(1, 0, artifact.DASegment)
	if err := artifact.WriteFelts(t.Context(), b.handler.Artifacts, m.DASegmentKey,
		[]felt.Felt{felt.FromUint64(7)}); err != nil {
		t.Fatal(err)
	}
	b.handler.Codec.Blobs = func(s []felt.Felt) ([][]byte, error) { return [][]byte{[]byte(s[0].String())}, nil }
	b.handler.Archive = a
	return b
}

// confirmed has the batch's update sent and confirmed, and not final yet.
func (b *bench) confirmed() {
	b.t.Helper()
	b.process()
	b.chain.Mine()
	b.chain.MineEmpty(2)
	b.verify(job.VerdictVerified)
	b.run.Job.Status = job.Completed
}

// What was published is read back once the update is final. Where it is missing, differs or can't be asked for, the job
// goes on asking, and says why; the update stays settled.
func TestReadsBack(t *testing.T) {
	t.Parallel()
	for _, fails := range []error{nil, da.ErrMissing, da.ErrDiffers, errors.New("503")} {
		a := &archive{err: fails}
		b := withBlobs(t, a)
		b.confirmed()
		b.verify(job.VerdictWatching)
		if len(a.seen) > 0 {
			t.Fatalf("it is read back before it is final: %q", a.seen)
		}
		b.chain.Finalize(b.chain.MineEmpty(1))
		m := b.run.Job.Metadata.(*job.StateTransitionMeta)
		if fails != nil {
			if _, err := b.handler.Verify(t.Context(), b.run); !errors.Is(err, fails) || job.IsPermanent(err) ||
				!strings.Contains(err.Error(), m.Included.Hash) || m.Finalized {
				t.Errorf("%v: %v, final %t", fails, err, m.Finalized)
			}
			a.err = nil
		}
		b.verify(job.VerdictFinal)
		if last := a.seen[len(a.seen)-1]; last != fmt.Sprintf("%s %q", m.Included.BlockHash, [][]byte{[]byte("0x7")}) {
			t.Errorf("the archive is asked for %s", last)
		}
	}
}

// A reorganisation that puts the transaction into another block does not send the question to the block that is gone.
func TestReadsBackFromTheLastBlock(t *testing.T) {
	t.Parallel()
	a := &archive{}
	b := withBlobs(t, a)
	b.confirmed()
	first := b.run.Job.Metadata.(*job.StateTransitionMeta).Included.BlockHash
	if _, err := b.chain.Reorg(3, true); err != nil {
		t.Fatal(err)
	}
	b.chain.MineEmpty(1)
	b.chain.Mine()
	b.chain.Finalize(b.chain.MineEmpty(1))
	b.verify(job.VerdictFinal)
	m := b.run.Job.Metadata.(*job.StateTransitionMeta)
	if now := m.Included.BlockHash; now == first || len(a.seen) != 1 || !strings.HasPrefix(a.seen[0], now) {
		t.Errorf("included in %s, then in %s, asked for %q", first, now, a.seen)
	}
}

// Beacon nodes drop blobs after 18 days: what could not be read until then keeps nobody asking.
func TestReadsBackUntilBlobsAreDropped(t *testing.T) {
	t.Parallel()
	b := withBlobs(t, &archive{err: da.ErrMissing})
	b.confirmed()
	b.chain.Finalize(b.chain.MineEmpty(1))
	b.run.Job.SubmittedAt = b.now
	b.now = b.now.Add(kept - time.Second)
	if _, err := b.handler.Verify(t.Context(), b.run); !errors.Is(err, da.ErrMissing) {
		t.Errorf("a second before they are dropped: %v", err)
	}
	b.now = b.now.Add(time.Second)
	if v := b.verify(job.VerdictFinal); !strings.Contains(v.Reason, da.ErrMissing.Error()) {
		t.Errorf("final because of %q", v.Reason)
	}
}

// What a reader could not use is not sent, and nobody is asked again before it is fixed.
func TestValidatesBeforeSending(t *testing.T) {
	t.Parallel()
	wrong := errors.New("word 3 of the blobs differs")
	for _, set := range []bool{true, false} {
		b := withBlobs(t, &archive{})
		if !set {
			b.handler.Archive = nil
		}
		b.handler.Codec.Validate = func(string, []felt.Felt, [][]byte) error { return wrong }
		err := b.handler.Process(t.Context(), b.run)
		if set && (!errors.Is(err, wrong) || !job.IsPermanent(err) || b.signed() != 0) {
			t.Errorf("%v, %d signed", err, b.signed())
		}
		if !set && (err != nil || b.signed() != 1) {
			t.Errorf("without a beacon node: %v, %d signed", err, b.signed())
		}
	}
}

// What is not the state diff of the batch's blocks is not sent. What can't be compared now is compared later.
func TestComparesBeforeSending(t *testing.T) {
	t.Parallel()
	b := withBlobs(t, nil)
	b.handler.Archive = nil
	var fails error
	asked := 0
	b.run.Job.Metadata.(*job.StateTransitionMeta).EndHash = felt.FromUint64(7)
	b.handler.Codec.Compare = func(_ context.Context, _ []felt.Felt, of da.Blocks) error {
		if asked++; of.EndHash != felt.FromUint64(7) {
			t.Errorf("compared with blocks %+v", of)
		}
		return fails
	}
	wrong := &da.MismatchError{What: "nonce", Contract: felt.FromUint64(9)}
	for _, tt := range []struct {
		err       error
		permanent bool
	}{{errors.New("down"), false}, {wrong, true}} {
		fails = tt.err
		if err := b.handler.Process(t.Context(), b.run); !errors.Is(err, tt.err) ||
			job.IsPermanent(err) != tt.permanent || b.signed() != 0 {
			t.Errorf("%v: got %v, %d signed", tt.err, err, b.signed())
		}
	}
	b.verify(job.VerdictNeverPossible)
	fails = nil
	if err := b.handler.Process(t.Context(), b.run); err != nil || b.signed() != 1 {
		t.Errorf("%v, %d signed", err, b.signed())
	}
	n := asked
	b.chain.MineEmpty(1)
	b.verify(job.VerdictPending)
	if asked != n {
		t.Error("compared again once it was signed")
	}
}
