package statetransition_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

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
func (a *archive) Check(_ context.Context, block string, sent [][]byte) error {
	a.seen = append(a.seen, fmt.Sprintf("%s %q", block, sent))
	return a.err
}

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

// What was published is read back once the update is final. Where it is missing, differs or can't be asked for, the job
// goes on asking, and says why; the update stays settled.
func TestReadsBack(t *testing.T) {
	t.Parallel()
	for _, fails := range []error{nil, da.ErrMissing, da.ErrDiffers, errors.New("503")} {
		a := &archive{err: fails}
		b := withBlobs(t, a)
		b.process()
		b.chain.Mine()
		b.chain.MineEmpty(2)
		b.verify(job.VerdictVerified)
		b.run.Job.Status = job.Completed
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
