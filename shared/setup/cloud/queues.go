package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/kafka"
	"github.com/madara-orchestrator/orchestrator/shared/client/sqs"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/topics"
)

// queues opens the queues of the configured kind. It makes no request except for secrets.
func (p *Process) queues(ctx context.Context, app *setup.App) error {
	q := p.Config.Queue
	if q.Kind != config.Kafka {
		app.Queue, app.Held = sqs.New(p.AWS), resource.Held
		return nil
	}
	c := kafka.Config{Brokers: q.Brokers, Auth: kafka.Auth(q.Auth), AWS: p.credentials,
		Topics: topics.Of(p.Config.Chain.Name, p.Config.Chain.Layer)}
	if q.AuthSecret != "" {
		var v struct {
			Username    string `json:"username"`
			Password    string `json:"password"`
			Certificate string `json:"certificate"`
			PrivateKey  string `json:"privateKey"`
		}
		const want = `{"username", "password"} or {"certificate", "privateKey"}`
		if err := p.secretJSON(ctx, q.AuthSecret, &v, want); err != nil {
			return err
		}
		c.User, c.Password, c.Certificate, c.Key = v.Username, v.Password, v.Certificate, v.PrivateKey
	}
	if q.CASecret != "" {
		var v struct {
			Certificate string `json:"certificate"`
		}
		if err := p.secretJSON(ctx, q.CASecret, &v, `{"certificate"}`); err != nil {
			return err
		}
		if c.RootCA = v.Certificate; c.RootCA == "" {
			return fmt.Errorf(`secret %s: want {"certificate"} with PEM certificates`, q.CASecret)
		}
	}
	client, err := kafka.New(c)
	if err != nil {
		return err
	}
	p.kafka = client
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

// secretJSON reads a secret that is a JSON object. The error does not show it.
func (p *Process) secretJSON(ctx context.Context, name string, v any, want string) error {
	raw, err := p.Secrets.Get(ctx, name)
	if err != nil {
		return err
	}
	if json.Unmarshal([]byte(raw), v) != nil {
		return fmt.Errorf("secret %s: want a JSON object %s (what is there is not shown)", name, want)
	}
	return nil
}

// credentials are the keys of the function's role.
func (p *Process) credentials(ctx context.Context) (kafka.Credentials, error) {
	c, err := p.AWS.Credentials.Retrieve(ctx)
	if err != nil {
		return kafka.Credentials{}, fmt.Errorf("AWS credentials for Kafka: %w", err)
	}
	return kafka.Credentials{AccessKey: c.AccessKeyID, SecretKey: c.SecretAccessKey,
		SessionToken: c.SessionToken}, nil
}
