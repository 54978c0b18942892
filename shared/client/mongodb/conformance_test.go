package mongodb_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert/alerttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch/batchtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/history/historytest"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/job/jobtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock/locktest"
	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
	"github.com/madara-orchestrator/orchestrator/shared/core/pace/pacetest"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind/rewindtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule/scheduletest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

var databases atomic.Int64

// open returns an empty database with its indexes.
func open(t *testing.T) *mongodb.DB {
	t.Helper()
	db, err := mongodb.Connect(mongodb.Config{
		URI: tools.Mongod(t), Database: fmt.Sprintf("test%d", databases.Add(1)), PoolSize: 8, Timeout: 30 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	for range 2 { // again changes nothing
		if err := db.EnsureIndexes(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("Jobs", func(t *testing.T) {
		jobtest.TestStore(t, func(t *testing.T) job.Store { return open(t).Jobs() })
	})
	t.Run("Batches", func(t *testing.T) {
		batchtest.TestStore(t, func(t *testing.T) batch.Store { return open(t).Batches() })
	})
	t.Run("Locks", func(t *testing.T) {
		locktest.TestLocker(t, func(t *testing.T, c *locktest.Clock) lock.Locker { return open(t).Locks(c.Now) })
	})
	t.Run("Rewinds", func(t *testing.T) {
		rewindtest.TestStore(t, func(t *testing.T) rewind.Store { return open(t).Rewinds() })
	})
	t.Run("History", func(t *testing.T) {
		historytest.TestStore(t, func(t *testing.T) historytest.Stores {
			db := open(t)
			return historytest.Stores{Store: db.History(), Jobs: db.Jobs(), Batches: db.Batches()}
		})
	})
	t.Run("Reports", func(t *testing.T) {
		alerttest.TestStore(t, func(t *testing.T) alert.Store { return open(t).Reports() })
	})
	t.Run("Paces", func(t *testing.T) {
		pacetest.TestStore(t, func(t *testing.T) pace.Store { return open(t).Paces() })
	})
	t.Run("Control", func(t *testing.T) {
		scheduletest.TestControl(t, func(t *testing.T) schedule.Control { return open(t).Controls() })
	})
}
