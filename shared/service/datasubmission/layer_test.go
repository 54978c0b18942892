package datasubmission_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
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

// headless is a chain whose head can't be read.
type headless struct{ tx.Chain }

func (headless) Head(context.Context) (tx.Head, error) { return tx.Head{}, errors.New("down") }

// A node that can't be asked is named by its layer: the settlement layer's nodes are others.
func TestLayerIsNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handler.Sender.Chain = headless{b.handler.Sender.Chain}
	for layer, want := range map[string]string{"": "the settlement layer", "ethereum/1": "ethereum/1"} {
		b.handler.Sender.Layer = layer
		err := b.handler.Process(t.Context(), b.run)
		if err == nil || err.Error() != "read the head of "+want+": down" {
			t.Errorf("layer %q: %v", layer, err)
		}
	}
}

// What a publication was to carry that was never signed does not count where nobody publishes.
func TestNothingIsLeftOfWhatWasNotSigned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.run.Job.Metadata.(*job.DataSubmissionMeta)
	m.Layer, m.VersionedHashes = "ethereum/1", []string{"0x01"}
	h := &datasubmission.Unpublished{Commit: b.chain.DA().Commit, Artifacts: b.handler.Artifacts}
	if err := h.Process(t.Context(), b.run); err != nil {
		t.Fatal(err)
	}
	if b.run.Job.Layer() != "" || b.run.Job.Blobs()[0] != 0 {
		t.Errorf("on %q with %v blobs", b.run.Job.Layer(), b.run.Job.Blobs())
	}
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
