package mongodb_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/job/jobtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// recorder keeps the commands that a client sends.
type recorder struct {
	mu       sync.Mutex
	commands []bson.D
}

func (r *recorder) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		var d bson.D
		if bson.Unmarshal(slices.Clone(e.Command), &d) != nil {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.commands = append(r.commands, d)
	}}
}

// Every query of the client is served by an index, without a sort in memory: each command that was sent is explained.
func TestQueriesUseIndexes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rec := &recorder{}
	uri := tools.Mongod(t)
	db, err := mongodb.Connect(
		mongodb.Config{URI: uri, Database: "explain", Monitor: rec.monitor(), Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	if err := db.EnsureIndexes(ctx); err != nil {
		t.Fatal(err)
	}
	useEverything(t, db)

	raw, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Disconnect(context.Background()) })
	explained := map[string]int{}
	for _, c := range rec.commands {
		name := c[0].Key
		switch name {
		case "find", "update", "delete", "findAndModify", "aggregate", "count":
		default:
			continue
		}
		var out bson.M
		cmd := bson.D{{Key: "explain", Value: forExplain(c)}, {Key: "verbosity", Value: "queryPlanner"}}
		if err := raw.Database("explain").RunCommand(ctx, cmd).Decode(&out); err != nil {
			t.Fatalf("explain %v: %v", c, err)
		}
		plan := stages(out)
		if len(plan) == 0 || slices.Contains(plan, "COLLSCAN") || slices.Contains(plan, "SORT") {
			t.Errorf("%s is not served by an index: stages %v of %v", name, plan, c)
		}
		if name == "find" && !slices.ContainsFunc(c, func(e bson.E) bool { return e.Key == "limit" }) {
			t.Errorf("find without a limit: %v", c)
		}
		explained[name]++
	}
	t.Logf("explained %v", explained)
	for _, name := range []string{"find", "update", "delete", "findAndModify", "aggregate"} {
		if explained[name] == 0 {
			t.Errorf("no %s was seen: the test does not use everything", name)
		}
	}
}

// forExplain leaves out what explain does not take.
func forExplain(c bson.D) bson.D {
	drop := []string{"lsid", "$clusterTime", "$db", "writeConcern", "readConcern", "txnNumber",
		"maxTimeMS", "$readPreference", "ordered"}
	return slices.DeleteFunc(slices.Clone(c), func(e bson.E) bool { return slices.Contains(drop, e.Key) })
}

// stages lists the stages of all winning plans in an explanation.
func stages(v any) []string {
	var out []string
	switch x := v.(type) {
	case bson.M:
		for k, e := range x {
			if k == "stage" {
				out = append(out, e.(string))
			}
			if k != "rejectedPlans" {
				out = append(out, stages(e)...)
			}
		}
	case bson.D:
		for _, e := range x {
			if e.Key == "stage" {
				out = append(out, e.Value.(string))
			}
			if e.Key != "rejectedPlans" {
				out = append(out, stages(e.Value)...)
			}
		}
	case bson.A:
		for _, e := range x {
			out = append(out, stages(e)...)
		}
	}
	return slices.DeleteFunc(out, func(s string) bool { return strings.HasPrefix(s, "$") })
}

// useEverything makes every kind of call once.
func useEverything(t *testing.T, db *mongodb.DB) {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	js := db.Jobs()
	for i := range uint64(20) {
		check(js.Create(ctx, jobtest.New(i, &job.SnosRunMeta{})))
	}
	j, err := js.Find(ctx, job.SnosRun, 1)
	check(err)
	_, err = js.Update(ctx, j)
	check(err)
	for _, without := range [][]job.Type{nil, {job.SnosRun, job.Aggregator}} {
		_, err = js.Due(ctx, time.Now(), 5, without...)
		check(err)
	}
	for _, f := range []job.Filter{
		{Type: job.SnosRun, Limit: 5}, {Type: job.SnosRun, Order: job.Descending, From: 2, To: 9, Limit: 5},
		{Type: job.SnosRun, Statuses: []job.Status{job.Created}, Limit: 5},
		{Type: job.SnosRun, Statuses: []job.Status{job.Created, job.Failed}, Order: job.Descending, Limit: 5},
	} {
		_, err = js.List(ctx, f)
		check(err)
	}
	_, err = js.Count(ctx, job.SnosRun, job.Statuses, 10)
	check(err)

	bs := db.Batches()
	for i := uint64(1); i < 6; i++ {
		check(bs.CreateSnos(ctx,
			batch.SnosBatch{Index: i, Span: batch.Span{StartBlock: i, EndBlock: i}, Status: batch.Closed}))
		check(bs.CreateAggregator(ctx,
			batch.AggregatorBatch{Index: i, Span: batch.Span{StartBlock: i, EndBlock: i}, Status: batch.Closed}))
	}
	b, err := bs.LastSnos(ctx)
	check(err)
	_, err = bs.UpdateSnos(ctx, b)
	check(err)
	a, err := bs.LastAggregator(ctx)
	check(err)
	_, err = bs.UpdateAggregator(ctx, a)
	check(err)
	a.Version++
	a.Epoch = 1
	check(bs.CreateAggregator(ctx, a))
	check(bs.DeleteAggregator(ctx, a))
	check(js.Create(ctx, job.New(job.NewID(), 2, &job.SnosRunMeta{}, "", time.Now()).InEpoch(1)))
	j, err = js.Find(ctx, job.SnosRun, 3)
	check(err)
	check(js.Delete(ctx, j))
	for range 2 {
		st, err := db.Rewinds().Get(ctx)
		check(err)
		_, err = db.Rewinds().Put(ctx, st)
		check(err)
	}
	_, err = bs.SnosOfBlock(ctx, 3)
	check(err)
	_, err = bs.AggregatorOfBlock(ctx, 3)
	check(err)
	_, err = bs.ListSnos(ctx, batch.Closed, 2, 3)
	check(err)
	_, err = bs.ListAggregators(ctx, batch.Closed, 2, 3)
	check(err)
	_, err = bs.SnosRange(ctx, 1, 3)
	check(err)

	var locks lock.Locker = db.Locks(time.Now)
	l, err := locks.Acquire(ctx, "n", "o", time.Minute)
	check(err)
	l, err = locks.Renew(ctx, l, time.Minute)
	check(err)
	check(locks.Release(ctx, l))
	rs := db.Reports()
	r, err := rs.Save(ctx, alert.Report{Key: "a/b"})
	check(err)
	r, err = rs.Save(ctx, r)
	check(err)
	_, err = rs.Get(ctx, "a/b")
	check(err)
	_, err = rs.Open(ctx, "a/", 10)
	check(err)
	check(rs.Delete(ctx, r))
	cs := db.Controls()
	check(cs.Pause(ctx, schedule.Pause{Stage: "x"}))
	_, err = cs.Pauses(ctx)
	check(err)
	check(cs.Resume(ctx, "x"))
}
