package mongodb

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Batches is a batch.Store.
type Batches struct {
	snos        shelf[snosDoc, batch.SnosBatch]
	aggregators shelf[aggregatorDoc, batch.AggregatorBatch]
}

var _ batch.Store = (*Batches)(nil)

var batchErrors = sentinels{notFound: batch.ErrNotFound, exists: batch.ErrExists}

// Batches returns the store of batches.
func (d *DB) Batches() *Batches {
	return &Batches{
		snos: shelf[snosDoc, batch.SnosBatch]{
			c: d.collection(resource.SnosCollection), kind: "SNOS", to: toSnosDoc, from: snosDoc.batch,
			meta: func(d *snosDoc) *metaDoc { return &d.Meta }, with: snosWith,
		},
		aggregators: shelf[aggregatorDoc, batch.AggregatorBatch]{
			c: d.collection(resource.AggregatorsCollection), kind: "aggregator",
			to: toAggregatorDoc, from: aggregatorDoc.batch,
			meta: func(d *aggregatorDoc) *metaDoc { return &d.Meta }, with: withStatus,
		},
	}
}

// CreateSnos implements batch.SnosStore.
func (s *Batches) CreateSnos(ctx context.Context, b batch.SnosBatch) error {
	return s.snos.create(ctx, b)
}

// Snos implements batch.SnosStore.
func (s *Batches) Snos(ctx context.Context, i uint64) (batch.SnosBatch, error) {
	return s.snos.one(ctx, i)
}

// LastSnos implements batch.SnosStore.
func (s *Batches) LastSnos(ctx context.Context) (batch.SnosBatch, error) { return s.snos.last(ctx) }

// SnosOfBlock implements batch.SnosStore.
func (s *Batches) SnosOfBlock(ctx context.Context, number uint64) (batch.SnosBatch, error) {
	b, err := s.snos.ofBlock(ctx, number)
	if err == nil && b.EndBlock < number {
		return batch.SnosBatch{}, notOfBlock("SNOS", number)
	}
	return b, err
}

// ListSnos implements batch.SnosStore.
func (s *Batches) ListSnos(ctx context.Context, st batch.Status, from uint64, limit int) ([]batch.SnosBatch, error) {
	return s.snos.list(ctx, st, from, limit)
}

// SnosRange implements batch.SnosStore.
func (s *Batches) SnosRange(ctx context.Context, first, last uint64) ([]batch.SnosBatch, error) {
	return s.snos.span(ctx, first, last)
}

// UpdateSnos implements batch.SnosStore.
func (s *Batches) UpdateSnos(ctx context.Context, b batch.SnosBatch) (batch.SnosBatch, error) {
	return s.snos.update(ctx, b)
}

// DeleteSnos implements batch.SnosStore.
func (s *Batches) DeleteSnos(ctx context.Context, b batch.SnosBatch) error {
	return s.snos.delete(ctx, b)
}

// CreateAggregator implements batch.AggregatorStore.
func (s *Batches) CreateAggregator(ctx context.Context, b batch.AggregatorBatch) error {
	return s.aggregators.create(ctx, b)
}

// Aggregator implements batch.AggregatorStore.
func (s *Batches) Aggregator(ctx context.Context, i uint64) (batch.AggregatorBatch, error) {
	return s.aggregators.one(ctx, i)
}

// LastAggregator implements batch.AggregatorStore.
func (s *Batches) LastAggregator(ctx context.Context) (batch.AggregatorBatch, error) {
	return s.aggregators.last(ctx)
}

// AggregatorOfBlock implements batch.AggregatorStore.
func (s *Batches) AggregatorOfBlock(ctx context.Context, number uint64) (batch.AggregatorBatch, error) {
	b, err := s.aggregators.ofBlock(ctx, number)
	if err == nil && b.EndBlock < number {
		return batch.AggregatorBatch{}, notOfBlock("aggregator", number)
	}
	return b, err
}

// ListAggregators implements batch.AggregatorStore.
func (s *Batches) ListAggregators(ctx context.Context, st batch.Status, from uint64,
	limit int) ([]batch.AggregatorBatch, error) {
	return s.aggregators.list(ctx, st, from, limit)
}

// AggregatorRange implements batch.AggregatorStore.
func (s *Batches) AggregatorRange(ctx context.Context, first, last uint64) ([]batch.AggregatorBatch, error) {
	return s.aggregators.span(ctx, first, last)
}

// UpdateAggregator implements batch.AggregatorStore.
func (s *Batches) UpdateAggregator(ctx context.Context, b batch.AggregatorBatch) (batch.AggregatorBatch, error) {
	return s.aggregators.update(ctx, b)
}

// DeleteAggregator implements batch.AggregatorStore.
func (s *Batches) DeleteAggregator(ctx context.Context, b batch.AggregatorBatch) error {
	return s.aggregators.delete(ctx, b)
}

func notOfBlock(kind string, number uint64) error {
	return fmt.Errorf("read the %s batch of block %d: %w", kind, number, batch.ErrNotFound)
}

// shelf keeps batches of one kind in a collection.
type shelf[D, B any] struct {
	c    collection
	kind string
	to   func(B) (D, error)
	from func(D) (B, error)
	meta func(*D) *metaDoc
	with func(batch.Status) bson.D // the filter for a status
}

func (s *shelf[D, B]) create(ctx context.Context, b B) error {
	d, err := s.to(b)
	if err != nil {
		return fmt.Errorf("create %s batch: %w", s.kind, err)
	}
	m := s.meta(&d)
	err = s.c.insertOne(ctx, d)
	if mongo.IsDuplicateKeyError(err) && m.Epoch > 0 { // one of an earlier epoch gives way
		filter := bson.D{{Key: "_id", Value: m.Index}, earlier(m.Epoch)}
		if res, rerr := s.c.replaceOne(ctx, filter, d); rerr != nil || res.MatchedCount == 1 {
			err = rerr
		}
	}
	return batchErrors.translate(err, "create %s batch %d", s.kind, m.Index)
}

// ofEpoch selects documents of an epoch. Those of epoch 0, as all were before the first rewind, have no such field.
func ofEpoch(epoch int64) bson.E {
	if epoch == 0 {
		return bson.E{Key: "epoch", Value: nil}
	}
	return bson.E{Key: "epoch", Value: epoch}
}

// earlier selects documents of epochs before one.
func earlier(epoch int64) bson.E {
	return bson.E{Key: "epoch", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gte", Value: epoch}}}}}
}

func (s *shelf[D, B]) one(ctx context.Context, index uint64) (B, error) {
	return s.first(ctx, bson.D{{Key: "_id", Value: bound(index)}}, nil, fmt.Sprintf("read %s batch %d", s.kind, index))
}

func (s *shelf[D, B]) last(ctx context.Context) (B, error) {
	return s.first(ctx, bson.D{}, bson.D{{Key: "_id", Value: -1}}, "read the last "+s.kind+" batch")
}

// ofBlock returns the last batch that starts at the block or before.
func (s *shelf[D, B]) ofBlock(ctx context.Context, number uint64) (B, error) {
	return s.first(ctx, bson.D{{Key: "start_block", Value: bson.D{{Key: "$lte", Value: bound(number)}}}},
		bson.D{{Key: "start_block", Value: -1}}, fmt.Sprintf("read the %s batch of block %d", s.kind, number))
}

func (s *shelf[D, B]) first(ctx context.Context, filter, sort bson.D, what string) (B, error) {
	o := options.FindOne()
	if sort != nil {
		o.SetSort(sort)
	}
	var d D
	if err := s.c.findOne(ctx, filter, o).Decode(&d); err != nil {
		var none B
		return none, batchErrors.translate(err, "%s", what)
	}
	return s.from(d)
}

func (s *shelf[D, B]) list(ctx context.Context, st batch.Status, from uint64, limit int) ([]B, error) {
	filter := append(s.with(st), bson.E{Key: "_id", Value: bson.D{{Key: "$gte", Value: bound(from)}}})
	return s.find(ctx, filter, limit, "list "+s.kind+" batches with status "+string(st))
}

func (s *shelf[D, B]) span(ctx context.Context, first, last uint64) ([]B, error) {
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: bound(first)}, {Key: "$lte", Value: bound(last)}}}}
	return s.find(ctx, filter, batch.MaxPage, "list a range of "+s.kind+" batches")
}

func (s *shelf[D, B]) find(ctx context.Context, filter bson.D, limit int, what string) ([]B, error) {
	o := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(min(max(limit, 1), batch.MaxPage)))
	cur, err := s.c.find(ctx, filter, o)
	if err != nil {
		return nil, batchErrors.translate(err, "%s", what)
	}
	bs, err := all(ctx, cur, s.from)
	return bs, batchErrors.translate(err, "%s", what)
}

// update replaces a batch in one compare-and-set on version and fence; what stood in its way is found out afterwards.
func (s *shelf[D, B]) update(ctx context.Context, b B) (B, error) {
	var none B
	d, err := s.to(b)
	if err != nil {
		return none, fmt.Errorf("update %s batch: %w", s.kind, err)
	}
	m := s.meta(&d)
	read := m.Version
	m.Version++
	filter := bson.D{{Key: "_id", Value: m.Index}, {Key: "version", Value: read}, ofEpoch(m.Epoch),
		{Key: "fence", Value: bson.D{{Key: "$lte", Value: m.Fence}}}}
	res, err := s.c.replaceOne(ctx, filter, d)
	if err != nil {
		return none, batchErrors.translate(err, "update %s batch %d", s.kind, m.Index)
	}
	if res.MatchedCount == 1 {
		return s.from(d)
	}
	var stored D
	err = s.c.findOne(ctx, bson.D{{Key: "_id", Value: m.Index}}).Decode(&stored)
	switch was := s.meta(&stored); {
	case err != nil:
		return none, batchErrors.translate(err, "update %s batch %d", s.kind, m.Index)
	case was.Fence > m.Fence:
		return none, fmt.Errorf("update %s batch %d under fence %d, stored is %d: %w",
			s.kind, m.Index, m.Fence, was.Fence, batch.ErrFenced)
	default:
		return none, fmt.Errorf("update %s batch %d at version %d of epoch %d, stored is %d of %d: %w",
			s.kind, m.Index, read, m.Epoch, was.Version, was.Epoch, batch.ErrConflict)
	}
}

// delete removes a batch in one compare-and-set on version and epoch.
func (s *shelf[D, B]) delete(ctx context.Context, b B) error {
	d, err := s.to(b)
	if err != nil {
		return fmt.Errorf("delete %s batch: %w", s.kind, err)
	}
	m := s.meta(&d)
	res, err := s.c.deleteOne(ctx,
		bson.D{{Key: "_id", Value: m.Index}, {Key: "version", Value: m.Version}, ofEpoch(m.Epoch)})
	if err == nil && res.DeletedCount == 0 {
		var stored D
		if err = s.c.findOne(ctx, bson.D{{Key: "_id", Value: m.Index}}).Decode(&stored); err == nil {
			err = batch.ErrConflict
		}
	}
	return batchErrors.translate(err, "delete %s batch %d at version %d of epoch %d", s.kind, m.Index, m.Version,
		m.Epoch)
}
