package scheduler_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/scheduler"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule/scheduletest"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	tools.AWS(t, func(t *testing.T, endpoint string) {
		scheduletest.TestScheduler(t, func(*testing.T) scheduletest.SchedulerHarness {
			chain := fmt.Sprintf("sched%d", n.Add(1))
			return scheduletest.SchedulerHarness{
				Scheduler: scheduler.New(devcloud.Config(endpoint), chain+"-schedules", chain+"-"),
				Target:    "arn:aws:sqs:" + devcloud.Region + ":123456789012:" + chain,
				Role:      "arn:aws:iam::123456789012:role/" + chain,
			}
		})
	})
}
