package sqs_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/sqs"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue/queuetest"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

var stacks atomic.Int64

func TestConformance(t *testing.T) {
	t.Parallel()
	tools.AWS(t, func(t *testing.T, endpoint string) {
		cfg := devcloud.Config(endpoint)
		queuetest.TestQueue(t, func(t *testing.T) queuetest.Queue {
			chain := fmt.Sprintf("sqs%d", stacks.Add(1))
			if _, err := devcloud.Provision(t.Context(), cfg,
				devcloud.Options{Chain: chain, Layer: stage.L2}); err != nil {
				t.Fatal(err)
			}
			q := resource.Queues()[0]
			return queuetest.Queue{
				Q: sqs.New(cfg), Name: resource.Physical(chain, q.Name),
				DeadLetter: resource.Physical(chain, q.DeadLetter), MaxReceives: q.MaxReceives,
			}
		})
	})
}
