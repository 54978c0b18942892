package cloud

import (
	"context"
	"errors"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/sqs"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// errNoKafka is what a function says that was built for SQS and is configured for Kafka.
var errNoKafka = errors.New("QUEUE_KIND is kafka, but this program was built without the client of Kafka: " +
	"build it with go build -tags kafka, or deploy it by make deploy, which does so for chains with queue: kafka")

// queues opens the queues of the configured kind. It makes no request except for secrets.
func (p *Process) queues(ctx context.Context, app *setup.App) error {
	if p.Config.Queue.Kind != config.Kafka {
		app.Queue, app.Held = sqs.New(p.AWS), resource.Held
		return nil
	}
	if setup.OpenBrokers == nil {
		return errNoKafka
	}
	client, err := setup.OpenBrokers(ctx, p.Config, p.Secrets, p.AWS.Credentials)
	if err != nil {
		return err
	}
	p.brokers = client
	p.OnClose(client.Close)
	app.Queue, app.Return, app.Hold = client, client, executor.Hold
	return nil
}

// Wakeups is what a function needs that wakes others and reads no document.
func (p *Process) Wakeups(ctx context.Context) (setup.App, error) {
	c := p.Config.Chain
	app := setup.App{Chain: c.Name, Layer: c.Layer, Now: time.Now, Log: p.Log,
		QueueName: func(n string) string { return resource.Physical(c.Name, n) }}
	return app, p.queues(ctx, &app)
}
