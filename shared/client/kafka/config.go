// Package kafka is Apache Kafka: a queue.Queue whose queues are topics. Functions only send and give back what failed;
// receiving is Lambda's work in the cloud, and the local run's and the tests' elsewhere.
//
// What Kafka does not have, this package makes of what it has:
//
//   - Delete acknowledges. A partition's offset is committed up to the first message that is not acknowledged, some
//     hundred milliseconds later: a consumer that dies in between gets its last messages again.
//   - Kafka keeps no visibility. A message that a consumer received is its own until it is acknowledged, is given back,
//     or its visibility ends by this process's clock; then it is sent again. When the process dies, the group gives its
//     messages to another one at once.
//   - Receives are counted in a header, and only what was given back counts: not what a dying consumer left. What was
//     received as often as its topic allows goes to the topic's dead letters.
//   - A message with a delay is dropped: a topic is read in order, so holding one message back would hold all those
//     behind it. The job's document knows when it is due, and Reconcile wakes it then.
package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/aws"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Topic is one queue.
type Topic struct {
	Name string
	// Partitions are what Ensure makes; so many consumers work on the topic at a time.
	Partitions int
	// Retention is how long Ensure has the broker keep messages; 0: as it likes.
	Retention time.Duration
	// Visibility is how long a received message may stay unacknowledged before it is sent again; 0: for ever.
	Visibility time.Duration
	// MaxReceives is after how many receives a message that is given back goes to DeadLetter; 0: it stays.
	MaxReceives int
	DeadLetter  string
}

// Auth is how brokers know who we are.
type Auth string

// Ways to authenticate.
const (
	NoAuth   Auth = "none"
	Plain    Auth = "plain"         // user and password, over TLS
	Scram256 Auth = "scram-sha-256" // likewise
	Scram512 Auth = "scram-sha-512" // likewise
	MTLS     Auth = "mtls"          // a client certificate
	IAM      Auth = "iam"           // Amazon MSK: the function's role, over TLS
)

// Auths are all of them.
func Auths() []Auth { return []Auth{NoAuth, Plain, Scram256, Scram512, MTLS, IAM} }

// Credentials are the caller's keys in AWS, which sign for Amazon MSK.
type Credentials struct{ AccessKey, SecretKey, SessionToken string }

// Config says where the brokers are and how to reach them.
type Config struct {
	Brokers []string // host:port
	Auth    Auth     // "" is NoAuth
	// User and Password are for Plain and Scram.
	User, Password string
	// Certificate and Key are the PEM files' contents for MTLS.
	Certificate, Key string
	// RootCA is a PEM file's content: the only authorities that are trusted. "": the system's.
	RootCA string
	// AWS returns the keys for IAM.
	AWS    func(context.Context) (Credentials, error)
	Topics []Topic
}

// MaxBrokers is how many brokers one may name: three are enough to find all others.
const MaxBrokers = 16

// CheckBrokers says what is wrong with a list of brokers.
func CheckBrokers(brokers []string) error {
	if len(brokers) == 0 || len(brokers) > MaxBrokers {
		return fmt.Errorf("%d brokers: want 1 to %d, as host:port", len(brokers), MaxBrokers)
	}
	for i, b := range brokers {
		host, port, err := net.SplitHostPort(b)
		n, perr := strconv.Atoi(port)
		if err != nil || perr != nil || host == "" || strings.ContainsAny(host, "/@ ") || n < 1 || n > 65535 {
			return fmt.Errorf("broker %d of %d: want host:port, such as kafka.example:9092", i+1, len(brokers))
		}
		if slices.Contains(brokers[:i], b) {
			return fmt.Errorf("broker %d of %d is there before: give each once", i+1, len(brokers))
		}
	}
	return nil
}

// ParseURL reads kafka://host:port[,host:port…]. The error does not show the URL, which may hold a password.
func ParseURL(raw string) ([]string, error) {
	rest, ok := strings.CutPrefix(raw, "kafka://")
	if !ok {
		return nil, errors.New("want kafka://host:port, with commas between several brokers")
	}
	if strings.Contains(rest, "@") {
		return nil, errors.New("a user and a password in the URL are not supported: want kafka://host:port")
	}
	brokers := strings.Split(strings.TrimSuffix(rest, "/"), ",")
	if err := CheckBrokers(brokers); err != nil {
		return nil, err
	}
	return brokers, nil
}

// secure says whether connections are encrypted.
func (c Config) secure() bool { return c.RootCA != "" || c.Auth != "" && c.Auth != NoAuth }

// validate names every fault; none shows a secret.
func (c Config) validate() error {
	errs := []error{CheckBrokers(c.Brokers)}
	if c.Auth != "" && !slices.Contains(Auths(), c.Auth) {
		errs = append(errs, fmt.Errorf("authentication %q: want one of %q", c.Auth, Auths()))
	}
	switch c.Auth {
	case Plain, Scram256, Scram512:
		if c.User == "" || c.Password == "" {
			errs = append(errs, fmt.Errorf("%s: user or password is missing", c.Auth))
		}
	case IAM:
		if c.AWS == nil {
			errs = append(errs, errors.New("iam: no AWS credentials to sign with"))
		}
	}
	names := map[string]bool{}
	for _, t := range c.Topics {
		if t.Name == "" || names[t.Name] {
			errs = append(errs, fmt.Errorf("topic %q: want a name of its own", t.Name))
		}
		names[t.Name] = true
	}
	for _, t := range c.Topics {
		if t.DeadLetter != "" && !names[t.DeadLetter] {
			errs = append(errs, fmt.Errorf("topic %s has dead letters in %q, which is not declared", t.Name,
				t.DeadLetter))
		}
	}
	return errors.Join(errs...)
}

// sendTime is how long a message may take to be written before it is an error: brokers may be restarting.
const sendTime = 10 * time.Second

// options are those of every connection.
func (c Config) options() ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.ClientID("orchestrator"),
		kgo.DialTimeout(5 * time.Second), kgo.RetryTimeout(sendTime), kgo.MetadataMinAge(250 * time.Millisecond),
		// A message that is written twice costs nothing, and one that can't be given up blocks an invocation.
		kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0),
		kgo.RecordDeliveryTimeout(sendTime), kgo.UnknownTopicRetries(2),
	}
	if m := c.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	if !c.secure() {
		return opts, nil
	}
	t, err := c.tls()
	if err != nil {
		return nil, err
	}
	return append(opts, kgo.DialTLSConfig(t)), nil
}

func (c Config) tls() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.RootCA != "" {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM([]byte(c.RootCA)) {
			return nil, errors.New("Kafka: the authority's certificate is not a PEM certificate")
		}
	}
	if c.Auth == MTLS {
		pair, err := tls.X509KeyPair([]byte(c.Certificate), []byte(c.Key))
		if err != nil { // the error may quote the key
			return nil, errors.New("Kafka: the client certificate and its key are not a pair of PEM texts")
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

func (c Config) mechanism() sasl.Mechanism {
	switch c.Auth {
	case Plain:
		return plain.Auth{User: c.User, Pass: c.Password}.AsMechanism()
	case Scram256:
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha256Mechanism()
	case Scram512:
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha512Mechanism()
	case IAM:
		return aws.ManagedStreamingIAM(func(ctx context.Context) (aws.Auth, error) {
			k, err := c.AWS(ctx)
			return aws.Auth{AccessKey: k.AccessKey, SecretKey: k.SecretKey, SessionToken: k.SessionToken,
				UserAgent: "orchestrator"}, err
		})
	}
	return nil
}
