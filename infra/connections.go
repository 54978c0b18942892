package main

import (
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// mongoConnections is what a small cluster takes.
const mongoConnections = 500

// concurrency is how many instances of functions there may be at a time: as many as the queues' mappings allow, one a
// schedule, and those of the API and the webhooks in a burst of requests. What the priority queues pass on runs in
// another function beside the one that waits for it.
func (c Chain) concurrency() int {
	n := len(schedulesOf(c))
	if c.Queue == config.Kafka { // the schedules' dead letters stay in a queue of SQS
		n += c.sqsQueues()[0].MaxConcurrency
	}
	for _, q := range queuesOf(c) {
		if q.Name == resource.PriorityProcessQueue || q.Name == resource.PriorityVerifyQueue {
			n += q.MaxConcurrency
		}
	}
	for _, f := range functionsOf(c) {
		most := 0
		for _, q := range queuesOf(c) {
			if q.Function == f.Name {
				most += q.MaxConcurrency
			}
		}
		if f.Name == resource.FnAPI || f.Name == resource.FnHooks {
			most = int(c.API.burst())
		}
		if f.Concurrency > 0 {
			most = min(most, f.Concurrency)
		}
		n += most
	}
	return n
}

// connections is how many connections to the database's primary that makes: each instance has a pool, and one that
// watches the server.
func (c Chain) connections(pool uint64) int { return c.concurrency() * (int(pool) + 1) }
