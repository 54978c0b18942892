package datasubmission_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// What is not the state diff of the batch's blocks is not published; what can't be compared now is compared later, and
// what was compared is not compared again, unless it is another segment.
func TestComparesBeforePublishing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	seven, eight := felt.FromUint64(7), felt.FromUint64(8)
	down := errors.New("the app chain's node is down")
	mismatch := &da.MismatchError{What: "storage slot", Contract: felt.FromUint64(99), Key: felt.FromUint64(5),
		Published: &seven, State: &eight}
	b.run.Job.Metadata.(*job.DataSubmissionMeta).EndHash = seven
	var fails error
	var asked int
	b.handler.Compare = func(_ context.Context, segment []felt.Felt, of da.Blocks) error {
		if asked++; of != (da.Blocks{To: 3, EndHash: seven}) || len(segment) != 1 {
			t.Errorf("compared %d words with blocks %+v", len(segment), of)
		}
		return fails
	}
	for _, tt := range []struct {
		err       error
		permanent bool
	}{{down, false}, {mismatch, true}, {da.ErrUnreadable, true}} {
		fails = tt.err
		err := b.handler.Process(t.Context(), b.run)
		if !errors.Is(err, tt.err) || job.IsPermanent(err) != tt.permanent || len(b.chain.Pool()) > 0 {
			t.Errorf("%v: got %v, %d sent", tt.err, err, len(b.chain.Pool()))
		}
		if err != nil && tt.err == mismatch && !strings.Contains(err.Error(),
			"storage slot of contract 0x63, 0x5: the segment has 0x7, the chain's state updates have 0x8") {
			t.Errorf("it says %v", err)
		}
	}
	fails, asked = nil, 0
	b.handler.Sender.DryRun = true
	for range 2 {
		_ = b.handler.Process(t.Context(), b.run)
	}
	if m := b.run.Job.Metadata.(*job.DataSubmissionMeta); asked != 1 || m.Compared == "" {
		t.Errorf("compared %d times, noted %q", asked, m.Compared)
	}
	m := b.run.Job.Metadata.(*job.DataSubmissionMeta)
	if err := artifact.WriteFelts(t.Context(), b.handler.Artifacts, m.SegmentKey, []felt.Felt{eight}); err != nil {
		t.Fatal(err)
	}
	b.handler.Sender.DryRun = false
	if err := b.handler.Process(t.Context(), b.run); err != nil || asked != 2 || len(b.chain.Pool()) != 1 {
		t.Errorf("%v, compared %d times, %d sent", err, asked, len(b.chain.Pool()))
	}
	b.chain.Mine()
	b.chain.MineEmpty(2)
	b.verify(job.PendingVerification, job.VerdictVerified, true)
	if asked != 2 {
		t.Errorf("compared %d times, also once it was sent", asked)
	}
}
