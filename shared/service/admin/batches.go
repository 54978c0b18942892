package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Batch is what one state update settles, as operators see it: an aggregator batch on an L2, a SNOS batch on an L3.
type Batch struct {
	Index       uint64           `json:"index"`
	Kind        string           `json:"kind"`
	StartBlock  uint64           `json:"start_block"`
	EndBlock    uint64           `json:"end_block"`
	SnosBatches int              `json:"snos_batches"`
	Status      string           `json:"status"`
	ClosedBy    string           `json:"closed_by,omitempty"`
	DAWords     int              `json:"da_words,omitempty"`
	TraceID     string           `json:"trace_id"`
	OpenedAt    time.Time        `json:"opened_at,omitzero"`
	ClosedAt    time.Time        `json:"closed_at,omitzero"`
	Ledger      Ledger           `json:"ledger"`
	Stages      map[string]Stage `json:"stages,omitempty"`
}

// Ledger is what a batch cost. Fees are decimal, in the settlement layer's smallest unit.
type Ledger struct {
	Tx          string `json:"tx,omitempty"`
	GasUsed     uint64 `json:"gas_used"`
	BlobGasUsed uint64 `json:"blob_gas_used"`
	Blobs       int    `json:"blobs"`
	Fee         string `json:"fee,omitempty"`
	ProverTask  string `json:"prover_task,omitempty"`
}

// Stage is a batch's passage through one stage.
type Stage struct {
	Jobs    int     `json:"jobs"`
	Seconds float64 `json:"seconds"`
}

// BatchPage is one page of batches, the newest first.
type BatchPage struct {
	Batches []Batch `json:"batches"`
	// Before continues the listing: ask for the batches before it. 0 on the last page.
	Before uint64 `json:"before,omitempty"`
}

// MaxBatches is the longest page of batches.
const MaxBatches = 50

// ListBatches returns a page of batches with an index below before (0: from the newest), the newest first.
func (s *Service) ListBatches(ctx context.Context, before uint64, limit int) (BatchPage, error) {
	page := BatchPage{Batches: []Batch{}}
	limit, err := pageLimit(limit, MaxBatches)
	if err != nil {
		return page, err
	}
	if before == 0 {
		last, err := s.lastBatch(ctx)
		if errors.Is(err, batch.ErrNotFound) {
			return page, nil
		}
		if err != nil {
			return page, err
		}
		before = last.Index + 1
	}
	for i := before - 1; i >= 1 && len(page.Batches) < limit; i-- {
		b, err := s.BatchByIndex(ctx, i)
		if errors.Is(err, batch.ErrNotFound) { // the first batch may have a higher index than 1
			return page, nil
		}
		if err != nil {
			return page, err
		}
		page.Batches = append(page.Batches, b)
	}
	if n := len(page.Batches); n == limit && page.Batches[n-1].Index > 1 {
		page.Before = page.Batches[n-1].Index
	}
	return page, nil
}

// BatchByIndex returns a batch, or batch.ErrNotFound.
func (s *Service) BatchByIndex(ctx context.Context, index uint64) (Batch, error) {
	if s.l2() {
		b, err := s.Batches.Aggregator(ctx, index)
		return aggregatorView(b), err
	}
	b, err := s.Batches.Snos(ctx, index)
	return snosView(b), err
}

func (s *Service) lastBatch(ctx context.Context) (Batch, error) {
	if s.l2() {
		b, err := s.Batches.LastAggregator(ctx)
		return aggregatorView(b), err
	}
	b, err := s.Batches.LastSnos(ctx)
	return snosView(b), err
}

// BatchOfBlock returns the batch that a block is in. ErrUnknown where it is in none.
func (s *Service) BatchOfBlock(ctx context.Context, number uint64) (Batch, error) {
	var b Batch
	var err error
	if s.l2() {
		var a batch.AggregatorBatch
		a, err = s.Batches.AggregatorOfBlock(ctx, number)
		b = aggregatorView(a)
	} else {
		var x batch.SnosBatch
		x, err = s.Batches.SnosOfBlock(ctx, number)
		b = snosView(x)
	}
	if errors.Is(err, batch.ErrNotFound) {
		return b, fmt.Errorf("block %d is in no batch: %w", number, ErrUnknown)
	}
	return b, err
}

func aggregatorView(b batch.AggregatorBatch) Batch {
	v := spanView(b.Span, b.Ledger)
	v.Index, v.Kind, v.SnosBatches, v.Status, v.DAWords, v.TraceID = b.Index, KindAggregator, len(b.Snos), string(b.Status), b.DAWords, b.TraceID
	return v
}

func snosView(b batch.SnosBatch) Batch {
	v := spanView(b.Span, b.Ledger)
	v.Index, v.Kind, v.SnosBatches, v.Status, v.TraceID = b.Index, KindSnos, 1, string(b.Status), b.TraceID
	return v
}

func spanView(s batch.Span, l batch.Ledger) Batch {
	v := Batch{
		StartBlock: s.StartBlock, EndBlock: s.EndBlock, ClosedBy: string(s.Reason), OpenedAt: utc(s.OpenedAt), ClosedAt: utc(s.ClosedAt),
		Ledger: Ledger{Tx: l.Tx, GasUsed: l.GasUsed, BlobGasUsed: l.DataGasUsed, Blobs: l.Blobs, ProverTask: Redact(l.ProverTask)},
	}
	if l.Fee != nil {
		v.Ledger.Fee = l.Fee.String()
	}
	if len(l.Stages) > 0 {
		v.Stages = map[string]Stage{}
	}
	for name, st := range l.Stages {
		v.Stages[name] = Stage{Jobs: st.Jobs, Seconds: st.EndedAt.Sub(st.StartedAt).Seconds()}
	}
	return v
}

// Lag answers where the chain's settlement is and what blocks it.
type Lag struct {
	Chain   string  `json:"chain"`
	Head    *uint64 `json:"head"`    // newest block of the app chain; null where it can't be read
	Batched *uint64 `json:"batched"` // last block that is in a batch; null while none is
	Settled *uint64 `json:"settled"` // last settled block; null while none is, or where the contract can't be read
	// Blocks is how many blocks the settlement is behind the head; null where one of the two is unknown.
	Blocks *uint64 `json:"blocks"`
	// Blocking is the lowest job that is not completed, stage by stage from the last; null where none is.
	Blocking *Job `json:"blocking"`
	// Failed counts the jobs that wait for an operator, up to 100 a type.
	Failed int `json:"failed"`
	// Paused are the stages that an operator has stopped.
	Paused []stage.Name `json:"paused,omitempty"`
	// Unknown says what could not be read.
	Unknown []string `json:"unknown,omitempty"`
}

// Lag reads how far head, batching and settlement are. What can't be read is named and left out.
func (s *Service) Lag(ctx context.Context) (Lag, error) {
	l := Lag{Chain: s.Chain}
	if s.Head != nil {
		if n, err := s.Head.Head(ctx); err == nil {
			l.Head = &n
		} else {
			l.Unknown = append(l.Unknown, "head: "+reasonOf(err))
		}
	}
	if s.Contract != nil {
		if st, err := s.Contract.State(ctx, false); err != nil {
			l.Unknown = append(l.Unknown, "settled: "+reasonOf(err))
		} else if st.Settled {
			l.Settled = &st.Block
		}
	}
	last, err := s.lastBatch(ctx)
	if err == nil {
		l.Batched = &last.EndBlock
	} else if !errors.Is(err, batch.ErrNotFound) {
		return l, err
	}
	pauses, err := s.Control.Pauses(ctx)
	if err != nil {
		l.Unknown = append(l.Unknown, "paused: "+reasonOf(err))
	}
	for _, p := range pauses {
		l.Paused = append(l.Paused, p.Stage)
	}
	if l.Head != nil && l.Settled != nil && *l.Head >= *l.Settled {
		behind := *l.Head - *l.Settled
		l.Blocks = &behind
	}
	return l, s.blocking(ctx, &l)
}

// unfinished are the statuses of jobs that have not done their work.
var unfinished = []job.Status{
	job.Created, job.LockedForProcessing, job.PendingVerification, job.VerificationFailed, job.VerificationTimeout, job.Failed, job.PendingRetry,
}

// blocking finds what blocks the rest: of the job types the last one in the pipeline with an unfinished job that has
// failed, else the last one with any.
func (s *Service) blocking(ctx context.Context, l *Lag) error {
	for _, statuses := range [][]job.Status{waiting, unfinished} {
		for i := len(job.Types) - 1; i >= 0 && l.Blocking == nil; i-- {
			js, err := s.Jobs.List(ctx, job.Filter{Type: job.Types[i], Statuses: statuses, Limit: 1})
			if err != nil {
				return fmt.Errorf("list %s jobs: %w", job.Types[i], err)
			}
			if len(js) > 0 {
				v := s.view(js[0])
				l.Blocking = &v
			}
		}
	}
	for _, t := range job.Types {
		counts, err := s.Jobs.Count(ctx, t, waiting, 100)
		if err != nil {
			return fmt.Errorf("count %s jobs: %w", t, err)
		}
		for _, n := range counts {
			l.Failed += n
		}
	}
	return nil
}
