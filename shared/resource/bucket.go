package resource

import "github.com/madara-orchestrator/orchestrator/shared/core/artifact"

// ExpiryDays is how long the artifacts of a batch stay after it is settled for good.
const ExpiryDays = 14

// Lifecycle is by which rules the artifacts bucket removes what nobody needs any more. The stack also removes the marks
// that deleting leaves in a bucket with versions.
func Lifecycle() []artifact.Lifecycle {
	return []artifact.Lifecycle{
		{ID: "settled", Tag: artifact.TagExpire, Value: artifact.TagExpireValue, Expire: ExpiryDays},
		{ID: "uploads", Uploads: 1},
		{ID: "versions", Versions: 7},
	}
}

// Names of the topic of the alerts and of the bus of the events.
const (
	AlertsTopic = "alerts"
	EventBus    = "events"
)
