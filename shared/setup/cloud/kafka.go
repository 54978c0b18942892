//go:build kafka

package cloud

// Functions are built with -tags kafka for chains with queue: kafka, and have the client of Kafka only then.
import _ "github.com/madara-orchestrator/orchestrator/shared/setup/topics"
