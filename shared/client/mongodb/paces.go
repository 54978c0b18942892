package mongodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Paces is a pace.Store: one document a kind.
type Paces struct{ c collection }

var _ pace.Store = (*Paces)(nil)

// Paces returns what was learned of how long work takes.
func (d *DB) Paces() *Paces { return &Paces{c: d.collection(resource.PacesCollection)} }

type paceDoc struct {
	Samples []sampleDoc `bson:"samples"`
}

// sampleDoc is a sample in milliseconds.
type sampleDoc struct {
	After    int64 `bson:"after"`
	By       int64 `bson:"by"`
	Reported bool  `bson:"reported,omitempty"`
}

// Summary implements pace.Store.
func (s *Paces) Summary(ctx context.Context, k pace.Kind) (out pace.Summary, err error) {
	var d paceDoc
	err = s.c.findOne(ctx, bson.D{{Key: "_id", Value: k.Key()}}).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("read how long %s takes: %w", k.Key(), err)
	}
	for _, x := range d.Samples {
		one := pace.Sample{After: time.Duration(x.After) * time.Millisecond,
			By: time.Duration(x.By) * time.Millisecond, Reported: x.Reported}
		if one.Valid() {
			out.Samples = append(out.Samples, one)
		}
	}
	return out, nil
}

// Add implements pace.Store.
func (s *Paces) Add(ctx context.Context, k pace.Kind, x pace.Sample) error {
	if !x.Valid() {
		return nil
	}
	d := sampleDoc{After: x.After.Milliseconds(), By: max(x.By.Milliseconds(), 1), Reported: x.Reported}
	push := bson.D{{Key: "$push", Value: bson.D{{Key: "samples", Value: bson.D{
		{Key: "$each", Value: bson.A{d}}, {Key: "$slice", Value: -pace.Kept}}}}}}
	_, err := s.c.updateOne(ctx, bson.D{{Key: "_id", Value: k.Key()}}, push, options.UpdateOne().SetUpsert(true))
	if err != nil && !mongo.IsDuplicateKeyError(err) { // two first samples at once: one of them is enough
		return fmt.Errorf("store how long %s took: %w", k.Key(), err)
	}
	return nil
}
