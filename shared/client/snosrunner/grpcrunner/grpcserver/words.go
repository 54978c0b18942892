package grpcserver

import (
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/grpcrunner/runnerpb"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// What the port's words are on the wire, and back.
var (
	kinds = map[snos.Kind]runnerpb.Kind{snos.Run: runnerpb.Kind_KIND_SNOS,
		snos.Aggregate: runnerpb.Kind_KIND_AGGREGATE}
	states = map[runnerpb.State]snos.State{
		runnerpb.State_STATE_QUEUED: snos.Queued, runnerpb.State_STATE_RUNNING: snos.Running,
		runnerpb.State_STATE_SUCCEEDED: snos.Succeeded,
		runnerpb.State_STATE_FAILED:    snos.Failed,
	}
	failures = map[runnerpb.Failure]snos.FailureKind{
		runnerpb.Failure_FAILURE_INTERRUPTED:       snos.Interrupted,
		runnerpb.Failure_FAILURE_OUT_OF_MEMORY:     snos.OutOfMemory,
		runnerpb.Failure_FAILURE_TIMED_OUT:         snos.TimedOut,
		runnerpb.Failure_FAILURE_CHAIN_UNAVAILABLE: snos.ChainUnavailable,
		runnerpb.Failure_FAILURE_REJECTED:          snos.Rejected,
	}
)

// back turns such a table round.
func back[K, V comparable](m map[K]V) map[V]K {
	out := make(map[V]K, len(m))
	for k, v := range m {
		out[v] = k
	}
	return out
}
