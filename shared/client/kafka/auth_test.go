package kafka_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/madara-orchestrator/orchestrator/shared/client/kafka"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

// authority is a certificate for 127.0.0.1 that signs itself, with its PEM text.
func authority(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	var text strings.Builder
	if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}); err != nil {
		t.Fatal(err)
	}
	return s.TLS.Certificates[0], text.String()
}

// Brokers are reached over TLS with a password; a wrong password and an unknown authority are errors that name what is
// wrong and show nothing.
func TestSecureBrokers(t *testing.T) {
	t.Parallel()
	certificate, root := authority(t)
	for auth, mechanism := range map[kafka.Auth]string{
		kafka.Plain: "PLAIN", kafka.Scram256: "SCRAM-SHA-256", kafka.Scram512: "SCRAM-SHA-512",
	} {
		t.Run(string(auth), func(t *testing.T) {
			t.Parallel()
			brokers := fakeBrokers(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}}),
				kfake.EnableSASL(), kfake.Superuser(mechanism, "orchestrator", "hunter2"))
			topic, dead := declared(1)
			good := kafka.Config{Brokers: brokers, Auth: auth, User: "orchestrator", Password: "hunter2", RootCA: root,
				Topics: []kafka.Topic{topic, dead}}
			c := secure(t, good)
			if err := c.Ensure(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := c.Send(t.Context(), topic.Name, queue.Outgoing{Body: "x"}); err != nil {
				t.Fatal(err)
			}
			if ds := drain(t, c, topic.Name); len(ds) != 1 {
				t.Errorf("got %+v", ds)
			}
			bad := good
			bad.Password = "hunter3"
			if err := ping(t, bad, topic.Name); err == nil || strings.Contains(err.Error(), "hunter") {
				t.Errorf("a wrong password: %v", err)
			}
			bad = good
			bad.RootCA = ""
			var unknown x509.UnknownAuthorityError
			if err := ping(t, bad, topic.Name); err == nil || !strings.Contains(err.Error(), unknown.Error()) {
				t.Errorf("an unknown authority: %v", err)
			}
		})
	}
}

func secure(t *testing.T, cfg kafka.Config) *kafka.Client {
	t.Helper()
	c, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func ping(t *testing.T, cfg kafka.Config, topic string) error {
	t.Helper()
	began := time.Now()
	err := secure(t, cfg).Ping(t.Context(), topic)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %s to say %v", took, err)
	}
	return err
}
