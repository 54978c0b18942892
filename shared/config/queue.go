package config

import (
	"net"
	"strconv"
	"strings"
)

// Kinds of queues.
const (
	SQS   = "sqs"
	Kafka = "kafka"
)

// Queue is what carries wake-ups. The stack sets it from `queue` and `kafka` in the file of chains.
type Queue struct {
	// What the queues are: sqs, or kafka, where they are topics of your brokers.
	Kind string `env:"KIND" envDefault:"sqs" set:"stack"`
	// Kafka: the brokers to begin with as host:port, with commas between them.
	Brokers []string `env:"BROKERS" set:"stack" example:"b-1.kafka.example:9096,b-2.kafka.example:9096"`
	// Kafka: how brokers know the functions: none, plain, scram-sha-256, scram-sha-512, mtls, or iam (Amazon MSK). All
	// but none are over TLS.
	Auth string `env:"AUTH" envDefault:"none" set:"stack"`
	// Kafka: the secret for that, in the form that Lambda wants: {"username", "password"}, or with mtls
	// {"certificate", "privateKey"}.
	AuthSecret string `env:"AUTH_SECRET" secret:"queue" set:"stack" example:"mychain/kafka"`
	// Kafka: the secret {"certificate"} with the PEM certificates of the only authorities that are trusted. Unset: the
	// system's.
	CASecret string `env:"CA_SECRET" secret:"queue" set:"stack" example:"mychain/kafka-ca"`
}

// credentials says whether the authentication needs a secret.
func (q Queue) credentials() bool { return q.Auth != "none" && q.Auth != "iam" }

func (q Queue) faults(f *faultList) {
	f.oneOf("QUEUE_KIND", q.Kind, SQS, Kafka)
	if q.Kind != Kafka {
		f.check(len(q.Brokers) == 0 && q.AuthSecret == "" && q.CASecret == "" && q.Auth == "none", "QUEUE_BROKERS",
			"brokers and what belongs to them are for QUEUE_KIND kafka")
		return
	}
	f.check(len(q.Brokers) > 0, "QUEUE_BROKERS", "missing: want Kafka's brokers as host:port")
	for i, b := range q.Brokers {
		host, port, err := net.SplitHostPort(b)
		_, perr := strconv.ParseUint(port, 10, 16)
		f.check(err == nil && perr == nil && host != "" && !strings.ContainsAny(b, "/@ "), "QUEUE_BROKERS",
			"broker %d of %d: want host:port, such as b-1.kafka.example:9096", i+1, len(q.Brokers))
	}
	f.oneOf("QUEUE_AUTH", q.Auth, "none", "plain", "scram-sha-256", "scram-sha-512", "mtls", "iam")
	f.check(q.credentials() == (q.AuthSecret != ""), "QUEUE_AUTH_SECRET",
		"%s: give it with plain, scram-sha-256, scram-sha-512 and mtls, and with none of the others", q.Auth)
}

// Heads is where the app chain announces new blocks.
type Heads struct {
	// URL of a node that announces new blocks over a websocket (ws or wss), for the function `heads`: batching wakes
	// within a second of a block. Unset: within a minute.
	Websocket string `env:"WEBSOCKET" url:"service" example:"wss://rpc.mychain.example/ws"`
	// The secret that is that URL, if it holds a key.
	WebsocketSecret string `env:"WEBSOCKET_SECRET" secret:"chain" example:"mychain/websocket"`
}

func (h Heads) faults(f *faultList) {
	f.check(h.Websocket == "" || h.WebsocketSecret == "", "CHAIN_WEBSOCKET_SECRET",
		"give either it or CHAIN_WEBSOCKET, not both")
	f.check(h.Websocket == "" || CheckWebsocket(h.Websocket) == nil, "CHAIN_WEBSOCKET", "not a ws or wss URL")
}
