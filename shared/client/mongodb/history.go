package mongodb

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/madara-orchestrator/orchestrator/shared/core/history"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// History is a history.Store.
type History struct{ totals, jobs, snos, aggregators collection }

var _ history.Store = (*History)(nil)

// History returns the store of what stays of removed documents.
func (d *DB) History() *History {
	return &History{
		totals: d.collection(resource.HistoryCollection), jobs: d.collection(resource.JobsCollection),
		snos: d.collection(resource.SnosCollection), aggregators: d.collection(resource.AggregatorsCollection),
	}
}

var historyErrors = sentinels{notFound: mongo.ErrNoDocuments, exists: history.ErrConflict}

// totalsID is the one document's id.
const totalsID = "totals"

type totalsDoc struct {
	ID          string           `bson:"_id"`
	Through     int64            `bson:"through"`
	Units       int64            `bson:"units"`
	Snos        int64            `bson:"snos"`
	Blocks      int64            `bson:"blocks"`
	Jobs        map[string]int64 `bson:"jobs,omitempty"`
	GasUsed     int64            `bson:"gas_used"`
	DataGasUsed int64            `bson:"data_gas_used"`
	Blobs       int64            `bson:"blobs"`
	Fee         string           `bson:"fee,omitempty"` // decimal: beyond 64 bits
	FeeSaved    string           `bson:"fee_saved,omitempty"`
	DataFee     string           `bson:"data_fee,omitempty"`
	ProverSteps int64            `bson:"prover_steps"`
	Requests    int64            `bson:"requests"`
	StoredBytes int64            `bson:"stored_bytes"`
	Version     int64            `bson:"version"`
}

func toTotalsDoc(t history.Totals) (totalsDoc, error) {
	n := &ints{}
	d := totalsDoc{
		ID: totalsID, Through: n.of(t.Through), Units: n.of(t.Units), Snos: n.of(t.Snos), Blocks: n.of(t.Blocks),
		GasUsed: n.of(t.GasUsed), DataGasUsed: n.of(t.DataGasUsed), Blobs: n.of(t.Blobs),
		ProverSteps: n.of(t.ProverSteps), Requests: n.of(t.Requests), StoredBytes: t.StoredBytes,
		Version: n.of(t.Version),
	}
	if t.Fee != nil {
		d.Fee = t.Fee.String()
	}
	if t.FeeSaved != nil {
		d.FeeSaved = t.FeeSaved.String()
	}
	if t.DataFee != nil {
		d.DataFee = t.DataFee.String()
	}
	for k, v := range t.Jobs {
		if d.Jobs == nil {
			d.Jobs = map[string]int64{}
		}
		d.Jobs[string(k)] = n.of(v)
	}
	return d, n.err
}

func (d totalsDoc) history() (history.Totals, error) {
	n := &ints{}
	t := history.Totals{
		Through: n.back(d.Through), Units: n.back(d.Units), Snos: n.back(d.Snos), Blocks: n.back(d.Blocks),
		GasUsed: n.back(d.GasUsed), DataGasUsed: n.back(d.DataGasUsed), Blobs: n.back(d.Blobs),
		ProverSteps: n.back(d.ProverSteps), Requests: n.back(d.Requests), StoredBytes: d.StoredBytes,
		Version: n.back(d.Version),
	}
	t.Fee, t.FeeSaved, t.DataFee = n.amount(d.Fee), n.amount(d.FeeSaved), n.amount(d.DataFee)
	for k, v := range d.Jobs {
		if t.Jobs == nil {
			t.Jobs = map[job.Type]uint64{}
		}
		t.Jobs[job.Type(k)] = n.back(v)
	}
	return t, n.err
}

// Totals implements history.Store.
func (s *History) Totals(ctx context.Context) (history.Totals, error) {
	var d totalsDoc
	err := s.totals.findOne(ctx, bson.D{{Key: "_id", Value: totalsID}}).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return history.Totals{}, nil
	}
	if err != nil {
		return history.Totals{}, historyErrors.translate(err, "read the totals of history")
	}
	return d.history()
}

// Count implements history.Store.
func (s *History) Count(ctx context.Context, t history.Totals) (history.Totals, error) {
	read := t.Version
	t.Version++
	d, err := toTotalsDoc(t)
	if err != nil {
		return t, fmt.Errorf("count history: %w", err)
	}
	if err := s.totals.put(ctx, totalsID, read, d, history.ErrConflict); err != nil {
		return t, fmt.Errorf("count history at version %d: %w", read, err)
	}
	return t, nil
}

// between is the filter for a range of numbers.
func between(first, last uint64) bson.D {
	return bson.D{{Key: "$gte", Value: bound(first)}, {Key: "$lte", Value: bound(min(last, first+history.MaxRange-1))}}
}

// RemoveJobs implements history.Store.
func (s *History) RemoveJobs(ctx context.Context, t job.Type, first, last uint64) error {
	err := s.jobs.deleteMany(ctx, bson.D{{Key: "type", Value: t}, {Key: "status", Value: job.Completed},
		{Key: "internal_id", Value: between(first, last)},
		{Key: "due_at", Value: bson.D{{Key: "$exists", Value: false}}}})
	return historyErrors.translate(err, "remove %s jobs of batches %d to %d", t, first, last)
}

// RemoveSnos implements history.Store.
func (s *History) RemoveSnos(ctx context.Context, first, last uint64) error {
	err := s.snos.deleteMany(ctx, bson.D{{Key: "_id", Value: between(first, last)}})
	return historyErrors.translate(err, "remove SNOS batches %d to %d", first, last)
}

// RemoveAggregator implements history.Store.
func (s *History) RemoveAggregator(ctx context.Context, index uint64) error {
	_, err := s.aggregators.deleteOne(ctx, bson.D{{Key: "_id", Value: bound(index)}})
	return historyErrors.translate(err, "remove aggregator batch %d", index)
}
