package setup

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

// Brokers is a client of Kafka, whose topics are the queues where QUEUE_KIND is kafka.
type Brokers interface {
	queue.Sender
	queue.Returner
	// Ensure makes the topics that are missing.
	Ensure(ctx context.Context) error
	Close() error
}

// Reader reads secrets by their names.
type Reader interface {
	Get(ctx context.Context, name string) (string, error)
}

// OpenBrokers makes the client that the configuration's Queue describes, with the chain's topics. Package topics puts
// it here where a program links that package, as drivers of database/sql register themselves. nil: the program has no
// client of Kafka, which makes a function's code a tenth smaller.
var OpenBrokers func(context.Context, config.Config, Reader, aws.CredentialsProvider) (Brokers, error)
