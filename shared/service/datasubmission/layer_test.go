package datasubmission_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/service/datasubmission"
)

// A publication stays on the layer on which it was begun: another wallet's nonces say nothing about it. What is
// completed is left alone.
func TestLayerStays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handler.Sender.Layer = "ethereum/1"
	if err := b.handler.Process(t.Context(), b.run); err != nil {
		t.Fatal(err)
	}
	m := b.run.Job.Metadata.(*job.DataSubmissionMeta)
	if m.Layer != "ethereum/1" || b.run.Job.Layer() != m.Layer {
		t.Fatalf("signed for %q", m.Layer)
	}
	b.handler.Sender.Layer = ""
	b.chain.Mine()
	b.chain.MineEmpty(2)
	err := b.handler.Process(t.Context(), b.run)
	_, verr := b.handler.Verify(t.Context(), b.run)
	none := &datasubmission.Unpublished{Commit: b.chain.DA().Commit, Artifacts: b.handler.Artifacts}
	for _, err := range []error{err, verr, none.Process(t.Context(), b.run)} {
		if !errors.Is(err, datasubmission.ErrElsewhere) || job.IsPermanent(err) ||
			!strings.Contains(err.Error(), "ethereum/1") {
			t.Errorf("on another layer: %v", err)
		}
	}
	b.verify(job.Completed, job.VerdictFinal, false)
	b.handler.Sender.Layer = "ethereum/1"
	b.verify(job.PendingVerification, job.VerdictVerified, true)
}

// Where nobody publishes, the state update still gets hash and size of the segment.
func TestNothingIsPublished(t *testing.T) {
	t.Parallel()
	b := setupWith(t, l1.Config{MaxDAWords: 3}, seven()...)
	h := &datasubmission.Unpublished{Commit: b.chain.DA().Commit, Artifacts: b.handler.Artifacts}
	if err := h.Process(t.Context(), b.run); err != nil {
		t.Fatal(err)
	}
	v, err := h.Verify(t.Context(), b.run)
	m := b.run.Job.Metadata.(*job.DataSubmissionMeta)
	if want := b.chain.DA().Commit(seven()); err != nil || v.Kind != job.VerdictVerified || v.Watch ||
		m.DataHash != want.Hash || m.DataSize != 7 || len(b.chain.Pool()) > 0 {
		t.Errorf("%+v, %v; %s of %d words", v, err, m.DataHash, m.DataSize)
	}
	b.run.Job.Status = job.Completed
	if v, err := h.Verify(t.Context(), b.run); err != nil || v.Kind != job.VerdictFinal {
		t.Errorf("completed: %+v, %v", v, err)
	}
	b.run.Job.Status = job.Created
	m.SegmentKey = artifact.SNOSKey(9, 0, artifact.DASegment)
	if err := h.Process(t.Context(), b.run); !job.IsPermanent(err) {
		t.Errorf("without a segment: %v", err)
	}
}

// Blobs of publications count where those of a block are bounded.
func TestBlobsOfPublications(t *testing.T) {
	t.Parallel()
	j := job.Job{Metadata: &job.DataSubmissionMeta{VersionedHashes: []string{"a", "b"},
		More: []job.Publication{{}, {VersionedHashes: []string{"c"}}}}}
	if n := j.Blobs(); len(n) != len(j.Journals()) || n[0] != 2 || n[1] != 0 || n[2] != 1 {
		t.Errorf("blobs %v", n)
	}
}
