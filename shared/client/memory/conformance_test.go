package memory_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert/alerttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact/artifacttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch/batchtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/event/eventtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/history/historytest"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/job/jobtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock/locktest"
	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
	"github.com/madara-orchestrator/orchestrator/shared/core/pace/pacetest"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue/queuetest"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind/rewindtest"
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
		locktest.TestLocker(t,
			func(_ *testing.T, c *locktest.Clock) lock.Locker { return memory.NewLocks(&fault.Env{Now: c.Now}) })
	})
	t.Run("Paces", func(t *testing.T) {
		pacetest.TestStore(t, func(*testing.T) pace.Store { return memory.NewPaces(nil) })
	})
	t.Run("Control", func(t *testing.T) {
		scheduletest.TestControl(t, func(*testing.T) schedule.Control { return memory.NewControls(nil) })
	})
	t.Run("Rewinds", func(t *testing.T) {
		rewindtest.TestStore(t, func(*testing.T) rewind.Store { return memory.NewRewinds(nil) })
	})
	t.Run("Scheduler", func(t *testing.T) {
		scheduletest.TestScheduler(t, func(*testing.T) scheduletest.SchedulerHarness {
			return scheduletest.SchedulerHarness{Scheduler: memory.NewScheduler(nil), Target: "queue", Role: "role"}
		})
	})
	t.Run("History", func(t *testing.T) {
		historytest.TestStore(t, func(*testing.T) historytest.Stores {
			jobs, batches := memory.NewJobs(nil), memory.NewBatches(nil)
			return historytest.Stores{Store: memory.NewHistory(nil, jobs, batches), Jobs: jobs, Batches: batches}
		})
	})
	t.Run("Reports", func(t *testing.T) {
		alerttest.TestStore(t, func(*testing.T) alert.Store { return memory.NewReports(nil) })
	})
}

func TestQueueConformance(t *testing.T) {
	t.Parallel()
	queuetest.TestQueue(t, func(t *testing.T) queuetest.Queue {
		q, err := memory.NewQueues(nil, memory.Declaration{Name: "q", Visibility: time.Hour, MaxReceives: 3,
			DeadLetter: "dead"}, memory.Declaration{Name: "dead", Visibility: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return queuetest.Queue{Q: q, Name: "q", DeadLetter: "dead", MaxReceives: 3}
	})
}

func TestArtifactConformance(t *testing.T) {
	t.Parallel()
	artifacttest.TestStore(t, func(*testing.T) (artifact.Store, artifacttest.Tags) {
		s := memory.NewArtifacts(nil)
		return s, func(key string) (map[string]string, error) { return s.Tags(key), nil }
	})
}

func TestBucketConformance(t *testing.T) {
	t.Parallel()
	artifacttest.TestBucket(t, func(t *testing.T) (artifact.Bucket, artifact.Store) {
		s := memory.NewArtifacts(nil)
		if err := s.Bucket().Delete(t.Context()); err != nil { // a new store has one
			t.Fatal(err)
		}
		return s.Bucket(), s
	})
}

func TestLinkConformance(t *testing.T) {
	t.Parallel()
	artifacttest.TestLinker(t, func(t *testing.T) artifacttest.Links {
		s, mux := memory.NewArtifacts(nil), http.NewServeMux()
		srv := httptest.NewServer(mux)
		t.Cleanup(srv.Close)
		l := memory.NewLinks(s, srv.URL+"/files")
		mux.Handle("/files/", l)
		return artifacttest.Links{Linker: l, Store: s}
	})
}

func TestRouterConformance(t *testing.T) {
	t.Parallel()
	eventtest.TestRouter(t, func(*testing.T) eventtest.RouterHarness {
		const target = "arn:aws:sqs:eu-west-1:123456789012:q"
		var mu sync.Mutex
		var came []event.Event
		r := memory.NewRouter(nil, func(to string, e event.Event) {
			mu.Lock()
			defer mu.Unlock()
			if to == target {
				came = append(came, e)
			}
		})
		return eventtest.RouterHarness{Router: r, Bus: r, Target: target,
			Received: func(context.Context) ([]event.Event, error) {
				mu.Lock()
				defer mu.Unlock()
				out := came
				came = nil
				return out, nil
			}}
	})
}

func TestTopicConformance(t *testing.T) {
	t.Parallel()
	alerttest.TestTopics(t, func(*testing.T) alerttest.TopicHarness {
		return alerttest.TopicHarness{Topics: memory.NewTopics(nil), Asks: true, Shows: true,
			Queue: "arn:aws:sqs:eu-west-1:123456789012:q"}
	})
}

func TestAlertConformance(t *testing.T) {
	t.Parallel()
	alerttest.TestNotifier(t, func(*testing.T) alerttest.Harness {
		a, seen := memory.NewAlerts(nil), 0
		return alerttest.Harness{Notifier: a, Received: func(context.Context) ([]alert.Alert, error) {
			all := a.Sent()
			defer func() { seen = len(all) }()
			return all[seen:], nil
		}}
	})
}

func TestEventConformance(t *testing.T) {
	t.Parallel()
	eventtest.TestBus(t, func(*testing.T) eventtest.Harness {
		b, seen := memory.NewEvents(nil), 0
		return eventtest.Harness{Bus: b, Received: func(context.Context) ([]event.Event, error) {
			all := b.Published()
			defer func() { seen = len(all) }()
			return all[seen:], nil
		}}
	})
}
