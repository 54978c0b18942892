package topics

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/madara-orchestrator/orchestrator/shared/client/kafka"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

func init() { setup.OpenBrokers = open }

// open is setup.OpenBrokers. It makes no request except for secrets.
func open(ctx context.Context, of config.Config, secrets setup.Reader, keys aws.CredentialsProvider,
) (setup.Brokers, error) {
	q := of.Queue
	c := kafka.Config{Brokers: q.Brokers, Auth: kafka.Auth(q.Auth), Topics: Of(of.Chain.Name, of.Chain.Layer),
		AWS: func(ctx context.Context) (kafka.Credentials, error) { return credentials(ctx, keys) }}
	if q.AuthSecret != "" {
		var v struct {
			Username    string `json:"username"`
			Password    string `json:"password"`
			Certificate string `json:"certificate"`
			PrivateKey  string `json:"privateKey"`
		}
		const want = `{"username", "password"} or {"certificate", "privateKey"}`
		if err := secretJSON(ctx, secrets, q.AuthSecret, &v, want); err != nil {
			return nil, err
		}
		c.User, c.Password, c.Certificate, c.Key = v.Username, v.Password, v.Certificate, v.PrivateKey
	}
	if q.CASecret != "" {
		var v struct {
			Certificate string `json:"certificate"`
		}
		if err := secretJSON(ctx, secrets, q.CASecret, &v, `{"certificate"}`); err != nil {
			return nil, err
		}
		if c.RootCA = v.Certificate; c.RootCA == "" {
			return nil, fmt.Errorf(`secret %s: want {"certificate"} with PEM certificates`, q.CASecret)
		}
	}
	client, err := kafka.New(c)
	if err != nil {
		return nil, err // not client: a nil pointer in an interface is not nil
	}
	return client, nil
}

// secretJSON reads a secret that is a JSON object. The error does not show it.
func secretJSON(ctx context.Context, secrets setup.Reader, name string, v any, want string) error {
	raw, err := secrets.Get(ctx, name)
	if err != nil {
		return err
	}
	if json.Unmarshal([]byte(raw), v) != nil {
		return fmt.Errorf("secret %s: want a JSON object %s (what is there is not shown)", name, want)
	}
	return nil
}

// credentials are the keys of the function's role.
func credentials(ctx context.Context, keys aws.CredentialsProvider) (kafka.Credentials, error) {
	c, err := keys.Retrieve(ctx)
	if err != nil {
		return kafka.Credentials{}, fmt.Errorf("AWS credentials for Kafka: %w", err)
	}
	return kafka.Credentials{AccessKey: c.AccessKeyID, SecretKey: c.SecretAccessKey,
		SessionToken: c.SessionToken}, nil
}
