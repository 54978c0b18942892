package mongodb

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Locks is a lock.Locker. A lease's document is never removed, so that its fence never repeats.
type Locks struct {
	c   collection
	now func() time.Time
}

var _ lock.Locker = (*Locks)(nil)

// Locks returns the leases; now is the clock by which they end.
func (d *DB) Locks(now func() time.Time) *Locks {
	return &Locks{c: d.collection(resource.LocksCollection), now: now}
}

type lockDoc struct {
	Name    string        `bson:"_id"`
	Owner   string        `bson:"owner"` // "" while free
	Fence   int64         `bson:"fence"`
	Expires bson.DateTime `bson:"expires_at"`
}

func (d lockDoc) lease() lock.Lease {
	return lock.Lease{Name: d.Name, Owner: d.Owner, Fence: uint64(d.Fence), ExpiresAt: d.Expires.Time().UTC()}
}

// Acquire implements lock.Locker. One atomic call: where another owner's lease lasts the filter finds nothing, and the
// insert that would follow fails on the name.
func (s *Locks) Acquire(ctx context.Context, name, owner string, ttl time.Duration) (lock.Lease, error) {
	now := s.now()
	filter := bson.D{{Key: "_id", Value: name}, {Key: "$or", Value: bson.A{
		bson.D{{Key: "owner", Value: bson.D{{Key: "$in", Value: bson.A{"", owner}}}}},
		bson.D{{Key: "expires_at", Value: bson.D{{Key: "$lte", Value: bson.NewDateTimeFromTime(now)}}}},
	}}}
	change := bson.D{
		{Key: "$set", Value: bson.D{{Key: "owner", Value: owner},
			{Key: "expires_at", Value: bson.NewDateTimeFromTime(now.Add(ttl))}}},
		{Key: "$inc", Value: bson.D{{Key: "fence", Value: int64(1)}}},
	}
	o := options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)
	var d lockDoc
	err := s.c.findOneAndUpdate(ctx, filter, change, o).Decode(&d)
	if mongo.IsDuplicateKeyError(err) {
		return lock.Lease{}, fmt.Errorf("acquire %s: %w", name, lock.ErrHeld)
	}
	if err != nil {
		return lock.Lease{}, fmt.Errorf("acquire %s: %w", name, err)
	}
	return d.lease(), nil
}

// Renew implements lock.Locker.
func (s *Locks) Renew(ctx context.Context, l lock.Lease, ttl time.Duration) (lock.Lease, error) {
	now := s.now()
	filter := append(mine(l),
		bson.E{Key: "expires_at", Value: bson.D{{Key: "$gt", Value: bson.NewDateTimeFromTime(now)}}})
	expires := bson.NewDateTimeFromTime(now.Add(ttl))
	res, err := s.c.updateOne(ctx, filter, bson.D{{Key: "$set", Value: bson.D{{Key: "expires_at", Value: expires}}}})
	if err != nil {
		return l, fmt.Errorf("renew %s: %w", l.Name, err)
	}
	if res.MatchedCount == 0 {
		return l, fmt.Errorf("renew %s: %w", l.Name, lock.ErrLost)
	}
	l.ExpiresAt = expires.Time().UTC()
	return l, nil
}

// Release implements lock.Locker.
func (s *Locks) Release(ctx context.Context, l lock.Lease) error {
	if _, err := s.c.updateOne(ctx, mine(l),
		bson.D{{Key: "$set", Value: bson.D{{Key: "owner", Value: ""}}}}); err != nil {
		return fmt.Errorf("release %s: %w", l.Name, err)
	}
	return nil
}

func mine(l lock.Lease) bson.D {
	return bson.D{{Key: "_id", Value: l.Name}, {Key: "owner", Value: l.Owner}, {Key: "fence", Value: bound(l.Fence)}}
}
