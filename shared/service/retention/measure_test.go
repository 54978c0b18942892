package retention_test

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/service/retention"
)

// sink is a store that counts what is written.
type sink struct {
	artifact.Store
	files, bytes atomic.Int64
}

// Put implements artifact.Store.
func (s *sink) Put(_ context.Context, _ string, r io.Reader) error {
	n, err := io.Copy(io.Discard, r)
	s.files.Add(1)
	s.bytes.Add(n)
	return err
}

// TestMeasure moves ORCHESTRATOR_RETENTION_JOBS jobs (such as 1000000) of an L2 on a real mongod, and wants the heap to
// stay small.
func TestMeasure(t *testing.T) {
	jobs, err := strconv.ParseUint(os.Getenv("ORCHESTRATOR_RETENTION_JOBS"), 10, 64)
	if err != nil {
		t.Skip("set ORCHESTRATOR_RETENTION_JOBS to measure")
	}
	const perUnit, most = 20, 64 << 20
	units := jobs/(2*perUnit+2) + retention.KeepUnits
	db, err := mongodb.Connect(mongodb.Config{URI: tools.Mongod(t), Database: "retention", PoolSize: 16,
		Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	if err := db.EnsureIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, db, units, perUnit)
	out := &sink{Store: memory.NewArtifacts(nil)}
	k := &retention.Keeper{Layer: stage.L2, Jobs: db.Jobs(), Batches: db.Batches(), History: db.History(),
		Artifacts: out, After: age, Now: func() time.Time { return start.Add(age) }}
	var peak uint64
	began, runs := time.Now(), 0
	for {
		runs++
		if err := k.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
		totals, err := db.History().Totals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if totals.Through == units-retention.KeepUnits {
			var n uint64
			for _, x := range totals.Jobs {
				n += x
			}
			t.Logf("%d jobs of %d batches moved in %s and %d runs; %d files with %d MB; heap at most %d MB", n,
				totals.Units, time.Since(began).Round(time.Second), runs, out.files.Load(), out.bytes.Load()>>20,
				peak>>20)
			break
		}
	}
	if peak > most {
		t.Errorf("the heap grew to %d MB", peak>>20)
	}
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
