package admin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// Batch is a batch as operators see it: an aggregator batch or a SNOS batch.
type Batch struct {
	Index       uint64     `json:"index"`
	Kind        string     `json:"kind"`
	Name        string     `json:"name"` // such as "SNOS batch 3": a number alone may be that of the other kind
	StartBlock  uint64     `json:"start_block"`
	EndBlock    uint64     `json:"end_block"`
	SnosBatches int        `json:"snos_batches"`         // in an aggregator batch; 1 of a SNOS batch
	Aggregator  uint64     `json:"aggregator,omitempty"` // index of a SNOS batch's aggregator batch (L2)
	Status      string     `json:"status"`
	Settled     bool       `json:"settled"`
	ClosedBy    string     `json:"closed_by,omitempty"`
	DAWords     int        `json:"da_words,omitempty"`
	TraceID     string     `json:"trace_id"`
	OpenedAt    time.Time  `json:"opened_at,omitzero"`
	ClosedAt    time.Time  `json:"closed_at,omitzero"`
	SettledAt   time.Time  `json:"settled_at,omitzero"`
	Ledger      Ledger     `json:"ledger"`
	Stages      []Progress `json:"stages"` // those with jobs, in the order of the pipeline
}

// Ledger is what a batch cost.
type Ledger struct {
	Tx          string `json:"tx,omitempty"`
	TxURL       string `json:"tx_url,omitempty"` // at the explorer of the settings
	GasUsed     uint64 `json:"gas_used"`
	BlobGasUsed uint64 `json:"blob_gas_used"`
	Blobs       int    `json:"blobs"`
	Fee         string `json:"fee,omitempty"`       // decimal, in Unit
	FeeSaved    string `json:"fee_saved,omitempty"` // by waiting for lower fees, at base fees; may be negative
	Unit        string `json:"unit"`                // wei or fri
	DataFee     string `json:"data_fee,omitempty"`  // in wei, of publications on a layer of their own
	ProverTask  string `json:"prover_task,omitempty"`
	ProverSteps uint64 `json:"prover_steps"` // Cairo steps given to the prover, by which provers charge
	Requests    int    `json:"requests"`     // attempts of its jobs
	StoredBytes int64  `json:"stored_bytes"` // of its artifacts, counted once they may expire
}

// BatchDetail is a batch with its jobs and, for an aggregator batch, the SNOS batches in it.
type BatchDetail struct {
	Batch
	Snos []Batch `json:"snos"` // ascending
	Jobs []Job   `json:"jobs"` // by stage, then by batch
}

// BatchPage is one page of batches.
type BatchPage struct {
	Batches []Batch `json:"batches"`
	// Before continues a listing from the newest batch on: ask for the batches before it. 0 on the last page.
	Before uint64 `json:"before,omitempty"`
	// After continues a listing by status, which ascends: ask for the batches after it. 0 on the last page.
	After uint64 `json:"after,omitempty"`
}

// BatchQuery selects batches for a listing.
type BatchQuery struct {
	Kind   string       // KindAggregator or KindSnos; "": what one state update settles
	Status batch.Status // "": any, from the newest on; else ascending
	Before uint64       // only batches with a lower index; 0: all
	After  uint64       // only batches with a higher index
	Limit  int          // 1..MaxBatches; 0: MaxBatches
}

// MaxBatches is the longest page of batches.
const MaxBatches = 50

// ListBatches returns a page of batches. Errors: ErrInvalid, ErrUnknown (the chain has no batches of the kind).
func (s *Service) ListBatches(ctx context.Context, q BatchQuery) (BatchPage, error) {
	page := BatchPage{Batches: []Batch{}}
	limit, err := pageLimit(q.Limit, MaxBatches)
	if err != nil {
		return page, err
	}
	store, err := s.store(q.Kind)
	if err != nil {
		return page, err
	}
	if q.After == math.MaxInt64 { // nothing follows, and stores keep 63 bits
		return page, nil
	}
	var ds []document
	if q.Status != "" {
		ds, err = store.list(ctx, q.Status, q.After+1, limit)
		if n := len(ds); n == limit {
			page.After = ds[n-1].index
		}
	} else {
		ds, err = newest(ctx, store, q.Before, limit)
		if n := len(ds); n == limit && ds[n-1].index > q.After+1 {
			page.Before = ds[n-1].index
		}
	}
	if err != nil {
		return page, err
	}
	ds = slices.DeleteFunc(ds,
		func(d document) bool { return d.index <= q.After || q.Before != 0 && d.index >= q.Before })
	page.Batches, err = s.viewAll(ctx, ds)
	return page, err
}

// newest reads the batches with an index below before (0: from the newest on), the newest first.
func newest(ctx context.Context, store batches, before uint64, limit int) ([]document, error) {
	if before == 0 {
		last, err := store.last(ctx)
		if errors.Is(err, batch.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		before = last.index + 1
	}
	if before <= 1 {
		return nil, nil
	}
	last := before - 1
	first := last - min(last-1, uint64(limit)-1) // the first batch may have a higher index than 1
	out, err := store.span(ctx, first, last)
	slices.Reverse(out)
	return out, err
}

// BatchByIndex returns a batch of a kind ("": what one state update settles), or batch.ErrNotFound.
func (s *Service) BatchByIndex(ctx context.Context, kind string, index uint64) (BatchDetail, error) {
	store, err := s.store(kind)
	if err != nil {
		return BatchDetail{}, err
	}
	d, err := store.at(ctx, index)
	if err != nil {
		return BatchDetail{}, s.moved(ctx, kind, index, err)
	}
	return s.batchDetail(ctx, d)
}

func (s *Service) batchDetail(ctx context.Context, d document) (BatchDetail, error) {
	jobs, err := s.jobsOf(ctx, []document{d})
	if err != nil {
		return BatchDetail{}, err
	}
	out := BatchDetail{Batch: s.batchView(d, jobs), Snos: []Batch{}, Jobs: []Job{}}
	st := s.standing(ctx)
	for _, j := range jobs {
		out.Jobs = append(out.Jobs, s.view(j, st))
	}
	if d.kind != KindAggregator {
		return out, nil
	}
	stored, err := s.Batches.SnosRange(ctx, d.firstSnos, d.lastSnos)
	if err != nil {
		return out, fmt.Errorf("read the SNOS batches of aggregator batch %d: %w", d.index, err)
	}
	for i, span := range d.snos { // the newest ones have no document yet
		x := document{kind: KindSnos, index: d.firstSnos + uint64(i), span: span, status: batch.Closed,
			aggregator: d.index, trace: d.trace}
		if span.Reason == "" {
			x.status = batch.Open
		}
		for _, b := range stored {
			if b.Index == x.index {
				x = snosDocument(b)
			}
		}
		x.settled = d.settled
		out.Snos = append(out.Snos, s.batchView(x, jobs))
	}
	return out, nil
}

// BlockStatus says how far a block is settled.
type BlockStatus struct {
	Block     uint64    `json:"block"`
	Settled   bool      `json:"settled"`
	SettledAt time.Time `json:"settled_at,omitzero"`
	// Batch is what one state update settles: the aggregator batch of an L2, the SNOS batch of an L3.
	Batch Batch `json:"batch"`
	// Snos is the block's SNOS batch; null while it has no document.
	Snos *Batch `json:"snos"`
	// Jobs are those that carry this block, by stage.
	Jobs []Job `json:"jobs"`
}

// Block returns how far a block is settled. ErrUnknown where it is in no batch.
func (s *Service) Block(ctx context.Context, number uint64) (BlockStatus, error) {
	out := BlockStatus{Block: number, Jobs: []Job{}}
	d, err := s.batchOf(ctx, number)
	if errors.Is(err, batch.ErrNotFound) {
		if t, terr := s.totals(ctx); terr == nil && t.Through > 0 {
			return out, fmt.Errorf("block %d is in no batch of the database; batches up to %d are settled and were "+
				"moved to history: %w", number, t.Through, ErrUnknown)
		}
		return out, fmt.Errorf("block %d is in no batch: %w", number, ErrUnknown)
	}
	if err != nil {
		return out, err
	}
	jobs, err := s.jobsOf(ctx, []document{d})
	if err != nil {
		return out, err
	}
	out.Batch = s.batchView(d, jobs)
	out.Settled, out.SettledAt = out.Batch.Settled, out.Batch.SettledAt
	snos := d
	if d.kind == KindAggregator {
		b, err := s.Batches.SnosOfBlock(ctx, number)
		if err != nil && !errors.Is(err, batch.ErrNotFound) {
			return out, err
		}
		if snos = snosDocument(b); err != nil {
			snos = document{}
		}
		snos.settled = d.settled
	}
	if snos.index != 0 {
		v := s.batchView(snos, jobs)
		out.Snos = &v
	}
	st := s.standing(ctx)
	for _, j := range jobs {
		if s.batchKind(j.Type) == KindAggregator || j.Batch == snos.index {
			out.Jobs = append(out.Jobs, s.view(j, st))
		}
	}
	return out, nil
}

func (s *Service) batchOf(ctx context.Context, number uint64) (document, error) {
	if s.l2() {
		a, err := s.Batches.AggregatorOfBlock(ctx, number)
		return aggregatorDocument(a), err
	}
	b, err := s.Batches.SnosOfBlock(ctx, number)
	return snosDocument(b), err
}

func (s *Service) lastBatch(ctx context.Context) (Batch, error) {
	store, err := s.store("")
	if err != nil {
		return Batch{}, err
	}
	d, err := store.last(ctx)
	return Batch{Index: d.index, EndBlock: d.span.EndBlock}, err
}

// batchView is a batch as operators see it; jobs are those of the batch, and may hold others.
func (s *Service) batchView(d document, jobs []job.Job) Batch {
	v := Batch{
		Index: d.index, Kind: d.kind, Name: nameOf(d.kind, d.index),
		StartBlock: d.span.StartBlock, EndBlock: d.span.EndBlock,
		SnosBatches: max(len(d.snos), 1), Aggregator: d.aggregator, Status: string(d.status), Settled: d.settled,
		ClosedBy: string(d.span.Reason), DAWords: d.daWords, TraceID: d.trace, OpenedAt: utc(d.span.OpenedAt),
		ClosedAt: utc(d.span.ClosedAt),
		Ledger:   s.ledgerView(d.ledger), Stages: s.progress(d, jobs),
	}
	for _, p := range v.Stages {
		if d.settled && p.Stage == string(job.StateTransition) {
			v.SettledAt = p.EndedAt
		}
	}
	return v
}

func (s *Service) ledgerView(l batch.Ledger) Ledger {
	v := Ledger{
		Tx: l.Tx, GasUsed: l.GasUsed, BlobGasUsed: l.DataGasUsed, Blobs: l.Blobs, Unit: s.FeeUnit,
		ProverTask: Redact(l.ProverTask), ProverSteps: l.ProverSteps, StoredBytes: l.StoredBytes,
	}
	for _, n := range l.Requests {
		v.Requests += n
	}
	if l.Fee != nil {
		v.Fee = l.Fee.String()
	}
	if l.FeeSaved != nil {
		v.FeeSaved = l.FeeSaved.String()
	}
	if l.DataFee != nil {
		v.DataFee = l.DataFee.String()
	}
	if s.Explorer != "" && hexHash(l.Tx) {
		v.TxURL = s.Explorer + l.Tx
	}
	return v
}

// hexHash says whether a text is a transaction's hash: nothing else goes into a link.
func hexHash(tx string) bool {
	if len(tx) < 3 || len(tx) > 66 || tx[:2] != "0x" {
		return false
	}
	for _, c := range tx[2:] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}
