package mongodb

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Controls is a schedule.Control.
type Controls struct{ c collection }

var _ schedule.Control = (*Controls)(nil)

// Controls returns the list of paused stages.
func (d *DB) Controls() *Controls { return &Controls{c: d.collection(resource.PausesCollection)} }

type pauseDoc struct {
	Stage  string        `bson:"_id"`
	Since  bson.DateTime `bson:"since"`
	By     string        `bson:"by"`
	Reason string        `bson:"reason"`
}

func (d pauseDoc) pause() (schedule.Pause, error) {
	n, err := stage.Parse(d.Stage)
	if err != nil { // a later release knows more stages; this one can't run them, so it can't fail to pause them
		n = stage.Name(d.Stage)
	}
	return schedule.Pause{Stage: n, Since: d.Since.Time().UTC(), By: d.By, Reason: d.Reason}, nil
}

// maxPauses bounds the listing; there are far fewer stages.
const maxPauses = 100

// Pauses implements schedule.Control.
func (s *Controls) Pauses(ctx context.Context) (schedule.Pauses, error) {
	cur, err := s.c.find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(maxPauses))
	if err != nil {
		return nil, fmt.Errorf("list pauses: %w", err)
	}
	ps, err := all(ctx, cur, pauseDoc.pause)
	if err != nil {
		return nil, fmt.Errorf("list pauses: %w", err)
	}
	return ps, nil
}

// Pause implements schedule.Control.
func (s *Controls) Pause(ctx context.Context, p schedule.Pause) error {
	d := pauseDoc{Stage: string(p.Stage), Since: bson.NewDateTimeFromTime(p.Since), By: p.By, Reason: p.Reason}
	if err := s.c.insertOne(ctx, d); err != nil && !mongo.IsDuplicateKeyError(err) {
		return fmt.Errorf("pause %s: %w", p.Stage, err)
	}
	return nil
}

// Resume implements schedule.Control.
func (s *Controls) Resume(ctx context.Context, n stage.Name) error {
	ids := bson.A{string(n)}
	for _, was := range stage.Was(n) {
		ids = append(ids, was)
	}
	if err := s.c.deleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}); err != nil {
		return fmt.Errorf("resume %s: %w", n, err)
	}
	return nil
}
