package mongodb

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Reports is an alert.Store.
type Reports struct{ c collection }

var _ alert.Store = (*Reports)(nil)

var reportErrors = sentinels{notFound: alert.ErrNotFound, exists: alert.ErrConflict}

// Reports returns the store of open reports.
func (d *DB) Reports() *Reports { return &Reports{c: d.collection(resource.ReportsCollection)} }

type reportDoc struct {
	Key          string         `bson:"_id"`
	Severity     alert.Severity `bson:"severity"`
	Title        string         `bson:"title"`
	Detail       string         `bson:"detail"`
	Jobs         []touchedDoc   `bson:"jobs,omitempty"`
	Since        *bson.DateTime `bson:"since,omitempty"`
	SeenAt       *bson.DateTime `bson:"seen_at,omitempty"`
	ReportedAt   *bson.DateTime `bson:"reported_at,omitempty"`
	ClaimedUntil *bson.DateTime `bson:"claimed_until,omitempty"`
	Version      int64          `bson:"version"`
}

type touchedDoc struct {
	ID    string `bson:"id"`
	Type  string `bson:"type"`
	Batch int64  `bson:"batch"`
}

func toReportDoc(r alert.Report) (reportDoc, error) {
	n := &ints{}
	d := reportDoc{
		Key: r.Key, Severity: r.Severity, Title: r.Title, Detail: r.Detail,
		Version: n.of(r.Version), Since: moment(r.Since),
		SeenAt: moment(r.SeenAt), ReportedAt: moment(r.ReportedAt), ClaimedUntil: moment(r.ClaimedUntil),
	}
	for _, j := range r.Jobs {
		d.Jobs = append(d.Jobs, touchedDoc{ID: j.ID, Type: j.Type, Batch: n.of(j.Batch)})
	}
	return d, n.err
}

func (d reportDoc) report() (alert.Report, error) {
	n := &ints{}
	r := alert.Report{
		Key: d.Key, Severity: d.Severity, Title: d.Title, Detail: d.Detail,
		Version: n.back(d.Version), Since: timeOf(d.Since),
		SeenAt: timeOf(d.SeenAt), ReportedAt: timeOf(d.ReportedAt), ClaimedUntil: timeOf(d.ClaimedUntil),
	}
	for _, j := range d.Jobs {
		r.Jobs = append(r.Jobs, alert.Job{ID: j.ID, Type: j.Type, Batch: n.back(j.Batch)})
	}
	return r, n.err
}

// Get implements alert.Store.
func (s *Reports) Get(ctx context.Context, key string) (alert.Report, error) {
	var d reportDoc
	if err := s.c.findOne(ctx, bson.D{{Key: "_id", Value: key}}).Decode(&d); err != nil {
		return alert.Report{}, reportErrors.translate(err, "read report %s", key)
	}
	return d.report()
}

// Open implements alert.Store. Keys are printable ASCII, so DEL is above every character of one.
func (s *Reports) Open(ctx context.Context, prefix string, limit int) ([]alert.Report, error) {
	within := bson.D{{Key: "$gte", Value: prefix}, {Key: "$lt", Value: prefix + "\x7f"}}
	o := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(max(limit, 1)))
	cur, err := s.c.find(ctx, bson.D{{Key: "_id", Value: within}}, o)
	if err != nil {
		return nil, fmt.Errorf("list reports %s: %w", prefix, err)
	}
	rs, err := all(ctx, cur, reportDoc.report)
	if err != nil {
		return nil, fmt.Errorf("list reports %s: %w", prefix, err)
	}
	return rs, nil
}

// Save implements alert.Store.
func (s *Reports) Save(ctx context.Context, r alert.Report) (alert.Report, error) {
	read := r.Version
	r.Version++
	d, err := toReportDoc(r)
	if err != nil {
		return r, fmt.Errorf("save report %s: %w", r.Key, err)
	}
	if err := s.c.put(ctx, r.Key, read, d, alert.ErrConflict); err != nil {
		return r, fmt.Errorf("save report %s at version %d: %w", r.Key, read, err)
	}
	return d.report()
}

// Delete implements alert.Store.
func (s *Reports) Delete(ctx context.Context, r alert.Report) error {
	dropped, err := s.c.drop(ctx, r.Key, r.Version)
	if err == nil && !dropped {
		err = alert.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("delete report %s at version %d: %w", r.Key, r.Version, err)
	}
	return nil
}
