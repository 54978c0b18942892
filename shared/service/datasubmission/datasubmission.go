// Package datasubmission publishes a batch's DA segment: the DataSubmission job of an L3. A segment that is larger than
// a transaction goes out in several, one after another.
package datasubmission

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/sending"
)

// maxWords bounds a DA segment: 2^20-1 words are the most that the stateless compression can hold.
const maxWords = 1 << 20

// Handler publishes a segment.
type Handler struct {
	Layer     da.Layer
	Sender    *sending.Sender
	Artifacts artifact.Store
	// Archive reads back what was published; nil: nobody does.
	Archive da.Archive
	// Compare compares the segment with what the batch's blocks changed, before anything is signed; nil: nobody does.
	Compare da.Compare
}

var _ executor.Handler = (*Handler)(nil)

// part is one transaction of a publication.
type part struct {
	journal  *tx.Journal
	included **job.Inclusion
	hashes   *[]string
}

func parts(m *job.DataSubmissionMeta) []part {
	out := []part{{&m.Journal, &m.Included, &m.VersionedHashes}}
	for i := range m.More {
		p := &m.More[i]
		out = append(out, part{&p.Journal, &p.Included, &p.VersionedHashes})
	}
	return out
}

// open is the first part that is not confirmed; ok is false if all are.
func open(m *job.DataSubmissionMeta) (i int, p part, ok bool) {
	for i, p := range parts(m) {
		if *p.included == nil {
			return i, p, true
		}
	}
	return 0, part{}, false
}

// Process signs, records and sends the first part that is not published.
func (h *Handler) Process(ctx context.Context, r *executor.Run) error {
	m, err := executor.Meta[*job.DataSubmissionMeta](r)
	if err != nil {
		return err
	}
	if err := h.elsewhere(m); err != nil {
		return err
	}
	return look.Do(ctx, func(ctx context.Context) error {
		i, p, ok := open(m)
		if !ok {
			return nil
		}
		seen(ctx, m)
		_, err := h.advance(ctx, r, m, i, p)
		return err
	})
}

// begun says whether a transaction of the publication was signed.
func begun(m *job.DataSubmissionMeta) bool {
	return slices.ContainsFunc(m.Journals(), func(j *tx.Journal) bool { return len(j.Records) > 0 })
}

// ErrElsewhere says that a publication was begun on another layer than the configured one.
var ErrElsewhere = errors.New("it was begun on another data availability layer than DA_KIND and DA_CHAIN_ID say now: " +
	"set them back until it is final")

// elsewhere is the error of a publication that was begun on another layer: its nonces are those of another wallet.
func (h *Handler) elsewhere(m *job.DataSubmissionMeta) error {
	if !begun(m) || m.Layer == h.Sender.Layer {
		return nil
	}
	return fmt.Errorf("transactions on %s, configured is %s: %w", nameOf(m.Layer), nameOf(h.Sender.Layer), ErrElsewhere)
}

func nameOf(layer string) string { return cmp.Or(layer, "the settlement layer") }

// seen has the look ask a node only that has the blocks in which parts were confirmed.
func seen(ctx context.Context, m *job.DataSubmissionMeta) {
	for _, p := range parts(m) {
		if in := *p.included; in != nil {
			look.AtLeast(ctx, in.Block)
		}
	}
}

// advance takes the next step with a part. A publication that the chain would refuse can never succeed.
func (h *Handler) advance(ctx context.Context, r *executor.Run, m *job.DataSubmissionMeta, i int,
	of part) (sending.Progress, error) {
	if err := h.compare(ctx, m); err != nil {
		return sending.Progress{}, err
	}
	p, err := h.Sender.Advance(ctx, sending.Request{
		JobID: r.Job.ID, Journal: of.journal, Part: i, Blobs: len(*of.hashes), Checkpoint: r.Checkpoint,
		Payload: func(ctx context.Context, _ []job.Job) (tx.Payload, error) { return h.payload(ctx, r, m, i) },
	})
	if p.Blocked {
		r.Blocked()
	}
	if p.Record.Hash != "" {
		r.Job.ExternalID = p.Record.Hash
	}
	var revert *tx.RevertError
	if errors.As(err, &revert) && revert.Refusal == tx.Permanent {
		err = job.Permanent(err)
	}
	return p, err
}

// payload encodes a part. The first one that is ever built says how the segment is divided.
func (h *Handler) payload(ctx context.Context, r *executor.Run, m *job.DataSubmissionMeta, i int) (tx.Payload, error) {
	words, err := readSegment(ctx, h.Artifacts, m)
	if err != nil {
		return tx.Payload{}, err
	}
	if err := h.divide(m, words); err != nil {
		return tx.Payload{}, err
	}
	p, c, err := h.encode(ctx, r, m, i, words)
	if errors.Is(err, da.ErrTooLarge) {
		return p, job.Permanent(fmt.Errorf("publish %s: %w", m.SegmentKey, err))
	}
	*parts(m)[i].hashes, m.Layer = c.VersionedHashes, h.Sender.Layer
	return p, err
}

// readSegment reads the batch's segment. One that can't be right is a permanent failure.
func readSegment(ctx context.Context, store artifact.Store, m *job.DataSubmissionMeta) ([]felt.Felt, error) {
	words, err := artifact.ReadFelts(ctx, store, m.SegmentKey, maxWords)
	for _, bad := range []error{artifact.ErrCorrupt, artifact.ErrNotFound, artifact.ErrTooLarge} {
		if errors.Is(err, bad) {
			return nil, job.Permanent(err)
		}
	}
	return words, err
}

// compare compares the segment with what the batch's blocks changed, once, before a transaction is signed and without
// the wallet's lease. What differs fails the job for good; what can't be read is read again later.
func (h *Handler) compare(ctx context.Context, m *job.DataSubmissionMeta) error {
	if h.Compare == nil || begun(m) {
		return nil
	}
	words, err := readSegment(ctx, h.Artifacts, m)
	if err != nil {
		return err
	}
	return h.Compare.Once(ctx, &m.Compared, m.SegmentKey, words,
		da.Blocks{From: m.StartBlock, To: m.EndBlock, EndHash: m.EndHash})
}

// encode encodes a part of a segment that is divided.
func (h *Handler) encode(ctx context.Context, r *executor.Run, m *job.DataSubmissionMeta, i int,
	words []felt.Felt) (tx.Payload, da.Commitment, error) {
	size := m.PartWords
	if size == 0 { // a document of release 0.1, with one transaction
		size = len(words)
	}
	from := min(i*size, len(words))
	return h.Layer.Encode(ctx, da.Data{
		Batch: r.Job.Batch, StartBlock: m.StartBlock, EndBlock: m.EndBlock,
		Words: words[from:min(from+size, len(words))],
	})
}

// divide says how many transactions carry the segment. Once one of them may have been sent the division stays, and so
// must the segment.
func (h *Handler) divide(m *job.DataSubmissionMeta, words []felt.Felt) error {
	whole := h.Layer.Commit(words)
	begun := begun(m)
	if begun && len(m.More) > 0 {
		if whole.Hash != m.DataHash {
			return job.Permanentf("%s has changed since a part of it was published: bring back the segment with hash "+
				"%s", m.SegmentKey, m.DataHash)
		}
		return nil
	}
	if !begun || m.PartWords == 0 { // PartWords is 0 in documents of release 0.1, with one transaction
		m.PartWords = h.Layer.MaxWords()
	}
	n := max(1, (len(words)+m.PartWords-1)/m.PartWords)
	m.DataHash, m.DataSize, m.More = whole.Hash, whole.Size, make([]job.Publication, n-1)
	return nil
}

// Verify follows the transactions until all are confirmed, and then until all are final.
func (h *Handler) Verify(ctx context.Context, r *executor.Run) (job.Verdict, error) {
	m, err := executor.Meta[*job.DataSubmissionMeta](r)
	if err != nil {
		return job.Verdict{}, err
	}
	if err := h.elsewhere(m); err != nil {
		if r.Job.Status == job.Completed { // that wallet is not asked any more, and nothing is published twice
			return job.Verdict{Kind: job.VerdictFinal, Reason: err.Error()}, nil
		}
		return job.Verdict{}, err
	}
	return look.Value(ctx, func(ctx context.Context) (job.Verdict, error) {
		seen(ctx, m)
		if r.Job.Status == job.Completed {
			return h.watch(ctx, r, m)
		}
		return h.verify(ctx, r, m)
	})
}

func (h *Handler) verify(ctx context.Context, r *executor.Run, m *job.DataSubmissionMeta) (job.Verdict, error) {
	final := 0
	for {
		i, next, ok := open(m)
		if !ok {
			// what was published is read back while it is watched
			return job.Verdict{Kind: job.VerdictVerified, Watch: final < len(parts(m)) || h.Archive != nil}, nil
		}
		// before another one is signed: a reorganisation may have freed their nonces
		if i > 0 && len(next.journal.Records) == 0 {
			_, undone, err := h.look(ctx, m, i)
			switch {
			case errors.Is(err, errDoubted):
				return job.Pending("%v", err), nil
			case err != nil:
				return job.Verdict{}, err
			case undone:
				return job.Pending("a reorganisation undid a part of the publication"), nil
			}
		}
		p, err := h.advance(ctx, r, m, i, next)
		if err != nil {
			return job.Verdict{}, err
		}
		switch p.Step {
		case tx.Confirmed, tx.Final:
			*next.included = inclusion(p.Record, p.Status)
			if p.Step == tx.Final {
				final++
			}
		case tx.Reverted:
			next.journal.Lose(p.Record)
			return job.Rejected("publication %s reverted", p.Record.Hash), nil
		default:
			if n := len(m.More) + 1; n > 1 {
				p.Reason = fmt.Sprintf("transaction %d of %d: %s", i+1, n, p.Reason)
			}
			return p.Verdict(), nil
		}
	}
}

func inclusion(r tx.Record, s tx.Status) *job.Inclusion {
	return &job.Inclusion{
		Hash: r.Hash, Block: s.Block, BlockHash: s.BlockHash,
		GasUsed: s.GasUsed, DataGas: s.DataGasUsed, Fee: s.Cost().String(),
	}
}

// watch looks after a confirmed publication until it is final; what a reorganisation undid is published again.
func (h *Handler) watch(ctx context.Context, r *executor.Run, m *job.DataSubmissionMeta) (job.Verdict, error) {
	final, undone, err := h.look(ctx, m, len(m.More)+1)
	switch {
	case errors.Is(err, errDoubted):
		return job.Verdict{Kind: job.VerdictWatching, Reason: err.Error()}, nil
	case err != nil:
		return job.Verdict{}, err
	case undone:
		return job.Verdict{Kind: job.VerdictUndone, Reason: "a reorganisation undid the publication"}, nil
	case final:
		return h.readBack(ctx, r, m)
	}
	return job.Verdict{Kind: job.VerdictWatching, Reason: "confirmed, not final yet"}, nil
}

// errDoubted says that one look does not show what was confirmed.
var errDoubted = errors.New("one look does not show a confirmed publication: the node may lag")

// look asks about the first n parts, which were confirmed. Those that are not in the chain any more are open again.
func (h *Handler) look(ctx context.Context, m *job.DataSubmissionMeta, n int) (final, undone bool, err error) {
	final = true
	doubted := false
	for _, p := range parts(m)[:n] {
		d, err := h.Sender.Look(ctx, *p.journal)
		if err != nil {
			return false, false, err
		}
		switch {
		case d.Step == tx.Final: // a reorganisation may have put it into another block
			*p.included = inclusion(d.Record, d.Status)
		case d.Status.Phase == tx.Included && d.Status.Success:
			final = false
		default:
			final = false
			gone, err := h.Sender.Undone(ctx, *p.included, &m.DoubtedAt)
			switch {
			case err != nil:
				return false, false, err
			case gone:
				*p.included, undone = nil, true
			default:
				doubted = true
			}
		}
	}
	if !doubted && !undone {
		m.DoubtedAt = time.Time{}
	}
	if doubted && !undone {
		return false, false, errDoubted
	}
	return final, undone, nil
}
