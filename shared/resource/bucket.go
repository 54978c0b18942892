package resource

import "github.com/madara-orchestrator/orchestrator/shared/core/artifact"

// ExpiryDays is how long what audits need of a batch stays after it is settled for good, and WorkDays how long what
// only the work on it needed stays (artifact.ExpireClass), where nothing else is set.
const (
	ExpiryDays = 14
	WorkDays   = 1
)

// Lifecycle is by which rules the artifacts bucket removes what nobody needs any more. The stack also removes the marks
// that deleting leaves in a bucket with versions.
func Lifecycle() []artifact.Lifecycle { return LifecycleOf(ExpiryDays, WorkDays) }

// LifecycleOf is Lifecycle with other times.
func LifecycleOf(settled, work int) []artifact.Lifecycle {
	return []artifact.Lifecycle{
		{ID: "settled", Tag: artifact.TagExpire, Value: artifact.TagExpireValue, Expire: settled},
		{ID: "uploads", Uploads: 1},
		{ID: "versions", Versions: 7},
		{ID: "work", Tag: artifact.TagExpire, Value: artifact.TagExpireWork, Expire: work, Versions: 1},
	}
}

// Names of the topic of the alerts and of the bus of the events.
const (
	AlertsTopic = "alerts"
	EventBus    = "events"
)
