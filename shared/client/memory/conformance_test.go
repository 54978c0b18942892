package memory_test

import (
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact/artifacttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch/batchtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/cache"
	"github.com/madara-orchestrator/orchestrator/shared/core/cache/cachetest"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/job/jobtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock/locktest"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue/queuetest"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule/scheduletest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("Jobs", func(t *testing.T) {
		jobtest.TestStore(t, func(*testing.T) job.Store { return memory.NewJobs(nil) })
	})
	t.Run("Batches", func(t *testing.T) {
		batchtest.TestStore(t, func(*testing.T) batch.Store { return memory.NewBatches(nil) })
	})
	t.Run("Locks", func(t *testing.T) {
		locktest.TestLocker(t, func(_ *testing.T, c *locktest.Clock) lock.Locker { return memory.NewLocks(&memory.Env{Now: c.Now}) })
	})
	t.Run("Control", func(t *testing.T) {
		scheduletest.TestControl(t, func(*testing.T) schedule.Control { return memory.NewControls(nil) })
	})
	t.Run("Cache", func(t *testing.T) {
		c := &locktest.Clock{}
		cachetest.TestCache(t, cachetest.Harness{
			New:  func(*testing.T) cache.Cache { return memory.NewCache(&memory.Env{Now: c.Now}, 0) },
			Pass: func(_ cache.Cache, d time.Duration) { c.Advance(d) },
		})
	})
}

func TestQueueConformance(t *testing.T) {
	t.Parallel()
	queuetest.TestQueue(t, func(t *testing.T) queuetest.Queue {
		q, err := memory.NewQueues(nil, memory.Declaration{Name: "q", Visibility: time.Hour, MaxReceives: 3, DeadLetter: "dead"}, memory.Declaration{Name: "dead", Visibility: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return queuetest.Queue{Q: q, Name: "q", DeadLetter: "dead", MaxReceives: 3}
	})
}

func TestArtifactConformance(t *testing.T) {
	t.Parallel()
	artifacttest.TestStore(t, func(*testing.T) artifact.Store { return memory.NewArtifacts(nil) })
}
