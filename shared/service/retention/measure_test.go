package retention_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/history"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/retention"
)

// sink is a store that counts what is written, and reads every thousandth file back.
type sink struct {
	artifact.Store
	files, bytes, lines atomic.Int64
}

// Put implements artifact.Store.
func (s *sink) Put(_ context.Context, key string, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.bytes.Add(int64(len(b)))
	s.lines.Add(int64(bytes.Count(b, []byte("\n")) - 2)) // of documents: neither the head nor the end
	if s.files.Add(1)%1000 != 0 {
		return nil
	}
	if _, err := history.Read(bytes.NewReader(b)); err != nil {
		return fmt.Errorf("read %s back: %w", key, err)
	}
	return nil
}

// What the worker may take, whatever the number of jobs.
const (
	mostHeap     = 64 << 20
	mostResident = 192 << 20 // of the whole process, with the driver and what the test links
)

// TestMeasure moves ORCHESTRATOR_RETENTION_JOBS jobs (such as 1000000) of an L2 on a real mongod: `make
// bench-retention`. It wants the memory to stay small, a line for each document that was removed, and all of them in
// the totals, as another connection reads them.
func TestMeasure(t *testing.T) {
	jobs, err := strconv.ParseUint(os.Getenv("ORCHESTRATOR_RETENTION_JOBS"), 10, 64)
	if err != nil {
		t.Skip("set ORCHESTRATOR_RETENTION_JOBS to measure")
	}
	const perUnit = 20
	each := uint64(2*perUnit + 2)
	moved := (jobs + each - 1) / each // units
	units := moved + retention.KeepUnits
	m := &measured{t: t, uri: tools.Mongod(t)}
	db := m.connect()
	if err := db.EnsureIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, db, units, perUnit)
	filled := m.documents()
	t.Logf("filled: %s", m.size())
	out := &sink{Store: memory.NewArtifacts(nil)}
	began, runs := time.Now(), 0
	k := &retention.Keeper{Layer: stage.L2, Jobs: db.Jobs(), Batches: db.Batches(), History: db.History(),
		Artifacts: out, After: age, Now: func() time.Time { return start.Add(age + time.Since(began)) }}
	heap, resident := m.peak(func() { runs = m.runs(k, moved) })
	took := time.Since(began)
	removed := filled - m.documents()
	totals, err := m.connect().History().Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var counted uint64
	for _, n := range totals.Jobs {
		counted += n
	}
	t.Logf("%d jobs of %d batches moved in %s and %d runs (%.0f jobs/s); %d files with %d lines and %d MB; "+
		"heap at most %d MB, the process %d MB", counted, totals.Units, took.Round(time.Second), runs,
		float64(counted)/took.Seconds(), out.files.Load(), out.lines.Load(), out.bytes.Load()>>20, heap>>20,
		resident>>20)
	t.Logf("moved: %s", m.size())
	if want := moved * (each + perUnit + 1); uint64(removed) != want || uint64(out.lines.Load()) != want {
		t.Errorf("%d documents were removed and %d lines written, want %d", removed, out.lines.Load(), want)
	}
	if counted != moved*each || totals.Units != moved || totals.Snos != moved*perUnit ||
		totals.Blocks != 10*moved*perUnit || totals.Fee.Cmp(new(big.Int).SetUint64(moved)) != 0 ||
		uint64(out.files.Load()) != moved {
		t.Errorf("%d files, totals %+v; want %d units", out.files.Load(), totals, moved)
	}
	if heap > mostHeap || resident > mostResident {
		t.Errorf("the heap grew to %d MB, the process to %d MB", heap>>20, resident>>20)
	}
}

// measured is the database that is measured.
type measured struct {
	t   *testing.T
	uri string
}

const measuredDB = "retention"

func (m *measured) connect() *mongodb.DB {
	m.t.Helper()
	db, err := mongodb.Connect(mongodb.Config{URI: m.uri, Database: measuredDB, PoolSize: 16, Timeout: time.Minute})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// runs runs the worker until all units are moved, as its schedule does, and returns how often.
func (m *measured) runs(k *retention.Keeper, units uint64) int {
	m.t.Helper()
	for n := 1; ; n++ {
		before, err := k.History.Totals(m.t.Context())
		if err = errors.Join(err, k.Run(m.t.Context())); err != nil {
			m.t.Fatal(err)
		}
		after, err := k.History.Totals(m.t.Context())
		if err != nil || after.Through == before.Through {
			m.t.Fatalf("run %d moved nothing beyond unit %d, %v", n, after.Through, err)
		}
		if after.Through == units {
			return n
		}
	}
}

// peak is the most memory in use by the heap, and resident of the whole process, while f runs.
func (m *measured) peak(f func()) (heap, resident uint64) {
	m.t.Helper()
	debug.FreeOSMemory()                                                              // what filling left
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200); err != nil { // VmHWM begins again
		m.t.Fatal(err)
	}
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		high := uint64(0)
		for {
			var s runtime.MemStats
			runtime.ReadMemStats(&s)
			high = max(high, s.HeapInuse)
			select {
			case <-stop:
				most <- high
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	defer func() { close(stop); heap = <-most }()
	f()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		m.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "VmHWM:")
	if _, err := fmt.Sscan(after, &resident); err != nil {
		m.t.Fatalf("read VmHWM: %v", err)
	}
	return 0, resident << 10
}

// command is the answer to a command of the server.
func (m *measured) command(name string) (d bson.M) {
	m.t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(m.uri))
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = c.Disconnect(context.Background()) }()
	if err := c.Database(measuredDB).RunCommand(m.t.Context(), bson.D{{Key: name, Value: 1}}).Decode(&d); err != nil {
		m.t.Fatal(err)
	}
	return d
}

// documents is how many there are but the totals: every other one is a batch or a job.
func (m *measured) documents() int64 {
	m.t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(m.uri))
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = c.Disconnect(context.Background()) }()
	var sum int64
	for _, name := range []string{resource.JobsCollection, resource.SnosCollection, resource.AggregatorsCollection} {
		n, err := c.Database(measuredDB).Collection(name).CountDocuments(m.t.Context(), bson.D{})
		if err != nil {
			m.t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// size says how large the database is, and its server.
func (m *measured) size() string {
	m.t.Helper()
	d := m.command("dbStats")
	mb := func(v any) string {
		var n float64
		_, _ = fmt.Sscan(fmt.Sprint(v), &n)
		return fmt.Sprintf("%.0f MB", n/(1<<20))
	}
	server, _ := m.command("serverStatus")["mem"].(bson.D)
	resident := ""
	for _, e := range server {
		if e.Key == "resident" {
			resident = fmt.Sprint(e.Value)
		}
	}
	return fmt.Sprintf("%v documents of %s, on disk %s and indexes %s, mongod resident %s MB", d["objects"],
		mb(d["dataSize"]), mb(d["storageSize"]), mb(d["indexSize"]), resident)
}

// fill stores archived units with their jobs.
func fill(t *testing.T, db *mongodb.DB, units, perUnit uint64) {
	t.Helper()
	next := make(chan uint64)
	var wg sync.WaitGroup
	for range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				if err := fillUnit(t.Context(), db, i, perUnit); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for i := range units {
		next <- i + 1
	}
	close(next)
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func fillUnit(ctx context.Context, db *mongodb.DB, i, perUnit uint64) error {
	create := func(m job.Metadata, index uint64) error {
		j := job.New(fmt.Sprintf("%02x%030x", len(m.JobType()), index), index, m, "t", start)
		j.Status, j.NextAction, j.DueAt = job.Completed, job.None, time.Time{}
		return db.Jobs().Create(ctx, j)
	}
	first := perUnit*(i-1) + 1
	var spans []batch.Span
	for x := range perUnit {
		b := batch.SnosBatch{Index: first + x, Aggregator: i, Status: batch.Proven, UpdatedAt: start,
			Span: batch.Span{StartBlock: 10 * (first + x), EndBlock: 10*(first+x) + 9}}
		spans = append(spans, b.Span)
		if err := db.Batches().CreateSnos(ctx, b); err != nil {
			return err
		}
		m := &job.SnosRunMeta{TaskID: "task", OutputPrefix: artifact.SNOSPrefix(b.Index, 0)}
		if err := create(m, b.Index); err != nil {
			return err
		}
		if err := create(&job.ProofCreationMeta{Task: "task"}, b.Index); err != nil {
			return err
		}
	}
	if err := create(&job.AggregatorMeta{Task: "task"}, i); err != nil {
		return err
	}
	if err := create(&job.StateTransitionMeta{Finalized: true}, i); err != nil {
		return err
	}
	return db.Batches().CreateAggregator(ctx, batch.AggregatorBatch{Index: i, FirstSnos: first, Snos: spans,
		Span:   batch.Span{StartBlock: spans[0].StartBlock, EndBlock: spans[perUnit-1].EndBlock},
		Status: batch.Archived, UpdatedAt: start, Ledger: batch.Ledger{Fee: big.NewInt(1)}})
}
