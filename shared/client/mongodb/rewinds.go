package mongodb

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Rewinds is a rewind.Store: one document, so that every change of it is one compare-and-set.
type Rewinds struct{ c collection }

var _ rewind.Store = (*Rewinds)(nil)

// Rewinds returns the record of rewinds.
func (d *DB) Rewinds() *Rewinds { return &Rewinds{c: d.collection(resource.RewindsCollection)} }

// rewindsID is the _id of the document.
const rewindsID = "rewinds"

type rewindsDoc struct {
	ID      string      `bson:"_id"`
	Version int64       `bson:"version"`
	Rewinds []rewindDoc `bson:"rewinds"`
}

type rewindDoc struct {
	Epoch     int64          `bson:"epoch"`
	From      int64          `bson:"from"`
	FromSnos  int64          `bson:"from_snos"`
	Asked     int64          `bson:"asked"`
	By        string         `bson:"by"`
	Reason    string         `bson:"reason"`
	At        bson.DateTime  `bson:"at"`
	Dead      []string       `bson:"dead,omitempty"`
	Gone      int64          `bson:"gone,omitempty"`
	Discarded int            `bson:"discarded"`
	Note      string         `bson:"note,omitempty"`
	DoneAt    *bson.DateTime `bson:"done_at,omitempty"`
}

func toRewindsDoc(s rewind.State) (rewindsDoc, error) {
	n := &ints{}
	d := rewindsDoc{ID: rewindsID, Version: n.of(s.Version), Rewinds: []rewindDoc{}}
	for _, r := range s.Rewinds {
		d.Rewinds = append(d.Rewinds, rewindDoc{
			Epoch: n.of(r.Epoch), From: n.of(r.From), FromSnos: n.of(r.FromSnos), Asked: n.of(r.Asked), By: r.By,
			Reason: r.Reason, At: bson.NewDateTimeFromTime(r.At), Dead: r.Dead, Gone: n.of(r.Gone),
			Discarded: r.Discarded, Note: r.Note, DoneAt: moment(r.DoneAt),
		})
	}
	return d, n.err
}

func (d rewindsDoc) state() (rewind.State, error) {
	n := &ints{}
	s := rewind.State{Version: n.back(d.Version)}
	for _, r := range d.Rewinds {
		s.Rewinds = append(s.Rewinds, rewind.Rewind{
			Epoch: n.back(r.Epoch), From: n.back(r.From), FromSnos: n.back(r.FromSnos), Asked: n.back(r.Asked),
			By: r.By, Reason: r.Reason, At: r.At.Time().UTC(), Dead: r.Dead, Gone: n.back(r.Gone),
			Discarded: r.Discarded, Note: r.Note, DoneAt: timeOf(r.DoneAt),
		})
	}
	return s, n.err
}

// Get implements rewind.Store.
func (s *Rewinds) Get(ctx context.Context) (rewind.State, error) {
	var d rewindsDoc
	err := s.c.findOne(ctx, bson.D{{Key: "_id", Value: rewindsID}}).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return rewind.State{}, nil
	}
	if err != nil {
		return rewind.State{}, fmt.Errorf("read the record of rewinds: %w", err)
	}
	return d.state()
}

// Put implements rewind.Store.
func (s *Rewinds) Put(ctx context.Context, next rewind.State) (rewind.State, error) {
	read := next.Version
	next = next.Clone()
	next.Version++
	d, err := toRewindsDoc(next)
	if err != nil {
		return rewind.State{}, fmt.Errorf("store the record of rewinds: %w", err)
	}
	if err := s.c.put(ctx, rewindsID, read, d, rewind.ErrConflict); err != nil {
		return rewind.State{}, fmt.Errorf("store the record of rewinds at version %d: %w", read, err)
	}
	return next, nil
}
