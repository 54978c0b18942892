// Package topics are the queues of a deployment as topics of Kafka.
package topics

import (
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/client/kafka"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Of are a chain's topics. A topic has as many partitions as its queue allows invocations at a time: Lambda works on
// each partition with one.
func Of(chain string, layer stage.Layer) []kafka.Topic {
	var ts []kafka.Topic
	for _, q := range resource.Queues() {
		if !slices.Contains(q.Layers, layer) {
			continue
		}
		t := kafka.Topic{Name: resource.Physical(chain, q.Name), Partitions: q.MaxConcurrency, Retention: q.Retention,
			Visibility: q.Visibility, MaxReceives: q.MaxReceives}
		if q.DeadLetter != "" {
			t.DeadLetter = resource.Physical(chain, q.DeadLetter)
		}
		ts = append(ts, t)
	}
	return ts
}
