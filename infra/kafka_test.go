package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// brokers are chains whose queues are Kafka's topics: brokers of one's own, and Amazon MSK by role and by password.
const brokers = `
region: eu-west-1
account: "123456789012"
chains:
  - name: own
    environment: prod
    layer: l3
    vpc: {create: true}
    queue: kafka
    kafka: {bootstrap_servers: ["b-1.kafka.example:9096", "b-2.kafka.example:9096"], auth: scram-sha-256, secret: kafka,
      ca_secret: kafka-ca}
    settings: &l3
      CHAIN_ID: GAME
      CHAIN_RPC: https://rpc.example
      SETTLEMENT_KIND: starknet
      SETTLEMENT_RPC: https://starknet.example
      SETTLEMENT_CHAIN_ID: SN_SEPOLIA
      SETTLEMENT_CONTRACT: "0x1"
      SETTLEMENT_ACCOUNT: "0x2"
      SETTLEMENT_KEY_SECRET: wallet
      PROVER_KIND: atlantic
      PROVER_KEY_SECRET: prover
      PROVER_ATLANTIC_NETWORK: TESTNET
      PROVER_ATLANTIC_VERIFIER_PROGRAM_HASH: "0x5"
      SNOS_URL: https://snos.example
      MONGO_URI_SECRET: mongo
    alerts: {emails: [ops@example.org]}
  - name: msk
    environment: prod
    layer: l3
    queue: kafka
    kafka: {bootstrap_servers: ["b-1.x.kafka.eu-west-1.amazonaws.com:9198"], auth: iam,
      cluster: "arn:aws:kafka:eu-west-1:123456789012:cluster/wakeups/01234567-89ab-cdef-0123-456789abcdef-2"}
    settings: {<<: *l3, SETTLEMENT_ACCOUNT: "0x3"}
    alerts: {emails: [ops@example.org]}
  - name: scram
    environment: dev
    layer: l3
    queue: kafka
    kafka: {bootstrap_servers: ["b-1.x.kafka.eu-west-1.amazonaws.com:9196"], auth: scram-sha-512, secret: kafka,
      cluster: "arn:aws:kafka:eu-west-1:123456789012:cluster/wakeups/01234567-89ab-cdef-0123-456789abcdef-2"}
    settings: {<<: *l3, SETTLEMENT_ACCOUNT: "0x4"}
`

var kafkaTemplates = sync.OnceValues(func() (map[string]template, error) {
	zips, err := testZips()
	if err != nil {
		return nil, err
	}
	f, err := parse(strings.NewReader(brokers))
	if err != nil {
		return nil, err
	}
	chains := map[string]Chain{}
	for _, c := range f.Chains {
		if c.Name == "own" {
			c.Heads, c.Settings["CHAIN_WEBSOCKET_SECRET"] = true, "websocket"
			if fs := c.faults(); len(fs) > 0 {
				return nil, fmt.Errorf("with heads: %v", fs)
			}
		}
		chains[c.Name] = c
	}
	return synthesized(chains, zips)
})

func kafkaTemplate(t *testing.T, name string) template {
	t.Helper()
	all, err := kafkaTemplates()
	if err != nil {
		t.Fatal(err)
	}
	return all[name]
}

// Each topic has a mapping to its function, and the one queue of SQS that is left takes the schedules' dead letters.
func TestKafkaMappings(t *testing.T) {
	for name, tt := range map[string]struct{ source, access string }{
		"own": {`"SelfManagedEventSource":{"Endpoints":{"KafkaBootstrapServers":["b-1.kafka.example:9096",` +
			`"b-2.kafka.example:9096"]}}`,
			"SASL_SCRAM_256_AUTH SERVER_ROOT_CA_CERTIFICATE VPC_SECURITY_GROUP VPC_SUBNET VPC_SUBNET"},
		"msk":   {`"EventSourceArn":"arn:aws:kafka:`, ""},
		"scram": {`"EventSourceArn":"arn:aws:kafka:`, "SASL_SCRAM_512_AUTH"},
	} {
		t.Run(name, func(t *testing.T) {
			s := kafkaTemplate(t, name)
			functions := s.of("AWS::Lambda::Function")
			want, got, sqs := map[string]string{}, map[string]string{}, 0
			for _, q := range queuesOf(s.chain) {
				want[resource.Physical(name, q.Name)] = resource.Physical(name, q.Function)
			}
			for _, m := range s.of("AWS::Lambda::EventSourceMapping") {
				if m["Topics"] == nil {
					sqs++
					continue
				}
				topic := fmt.Sprint(list(m["Topics"])[0])
				got[topic] = fmt.Sprint(functions[id(m["FunctionName"])]["FunctionName"])
				if all := text(m); !strings.Contains(all, tt.source) ||
					!strings.Contains(all, `"ConsumerGroupId":"`+topic+`"`) ||
					m["StartingPosition"] != "TRIM_HORIZON" || m["FunctionResponseTypes"] != nil ||
					m["ScalingConfig"] != nil {
					t.Errorf("mapping of %s: %s", topic, text(m))
				}
				var access []string
				for _, a := range list(m["SourceAccessConfigurations"]) {
					if a, ok := a.(map[string]any); ok {
						access = append(access, fmt.Sprint(a["Type"]))
					}
				}
				slices.Sort(access)
				if strings.Join(access, " ") != tt.access {
					t.Errorf("%s is reached by %q, want %q", topic, access, tt.access)
				}
			}
			if sqs != 1 || len(s.of("AWS::SQS::Queue")) != 1 || len(want) < 10 || fmt.Sprint(want) != fmt.Sprint(got) {
				t.Errorf("%d mappings of SQS; topics and functions %v, want %v", sqs, got, want)
			}
		})
	}
}

// The functions know the brokers, and no value of a secret is in their environment.
func TestKafkaEnvironment(t *testing.T) {
	s := kafkaTemplate(t, "own")
	for _, p := range s.of("AWS::Lambda::Function") {
		vars := text(p["Environment"])
		for _, want := range []string{`"ORCHESTRATOR_QUEUE_KIND":"kafka"`, `"ORCHESTRATOR_QUEUE_AUTH":"scram-sha-256"`,
			`"ORCHESTRATOR_QUEUE_AUTH_SECRET":"own/kafka"`, `"ORCHESTRATOR_QUEUE_CA_SECRET":"own/kafka-ca"`,
			`"ORCHESTRATOR_QUEUE_BROKERS":"b-1.kafka.example:9096,b-2.kafka.example:9096"`} {
			if !strings.Contains(vars, want) {
				t.Errorf("%v lacks %s", p["FunctionName"], want)
			}
		}
	}
}

// A role of MSK may read its own topics, write those that it sends to and those where failed messages go, and no
// others.
func TestKafkaRights(t *testing.T) {
	s := kafkaTemplate(t, "msk")
	for _, f := range functionsOf(s.chain) {
		a := s.chain.accessOf(f.Name)
		of := func(names []string) (out []string) {
			for _, n := range names {
				if slices.ContainsFunc(queuesOf(s.chain), func(q resource.Queue) bool { return q.Name == n }) {
					out = append(out, `"arn:aws:kafka:eu-west-1:123456789012:topic/wakeups/`+
						`01234567-89ab-cdef-0123-456789abcdef-2/msk-`+n+`"`)
				}
			}
			slices.Sort(out)
			return slices.Compact(out)
		}
		writes := slices.Concat(a.Sends, a.Consumes)
		if len(a.Consumes) > 0 {
			writes = append(writes, resource.DeadLetterQueue)
		}
		if got := s.may(f.Name, "kafka-cluster:ReadData"); !slices.Equal(got, of(a.Consumes)) {
			t.Errorf("%s may read %q", f.Name, got)
		}
		if got := s.may(f.Name, "kafka-cluster:WriteData"); !slices.Equal(got, of(writes)) {
			t.Errorf("%s may write %q, want %q", f.Name, got, of(writes))
		}
		if got := len(s.may(f.Name, "kafka-cluster:CreateTopic")) > 0; got != (f.Name == resource.FnTrigger) {
			t.Errorf("%s may make topics: %t", f.Name, got)
		}
		if got := s.may(f.Name, "sqs:SendMessage"); len(got) != 0 {
			t.Errorf("%s may send to queues of SQS: %q", f.Name, got)
		}
	}
	for _, f := range functionsOf(kafkaTemplate(t, "own").chain) {
		if got := kafkaTemplate(t, "own").may(f.Name, "kafka:DescribeCluster"); len(got) > 0 {
			t.Errorf("%s may look at clusters of Amazon MSK: %q", f.Name, got)
		}
	}
}

// What is wrong with brokers is named by its field, and no secret is shown.
func TestKafkaFaults(t *testing.T) {
	for name, tt := range map[string]struct{ old, new, want string }{
		"unknown queue":   {"queue: kafka", "queue: rabbit", `own: queue: "rabbit": want sqs or kafka`},
		"kafka of no use": {"queue: kafka", "queue: sqs", "it belongs to queue: kafka"},
		"no brokers": {`["b-1.kafka.example:9096", "b-2.kafka.example:9096"]`, "[]",
			"own: kafka.bootstrap_servers: missing"},
		"two ports": {`"b-2.kafka.example:9096"`, `"b-2.kafka.example:9096:1"`,
			"own: kafka.bootstrap_servers: broker 2 of 2"},
		"no port":   {`"b-2.kafka.example:9096"`, `"b-2"`, "own: kafka.bootstrap_servers: broker 2 of 2"},
		"no secret": {"secret: kafka,", "", "own: kafka.secret: scram-sha-256: give it with"},
		"secret's value": {"secret: kafka,", "secret: '{\"password\": \"hunter2\"}',",
			"own: kafka.secret: want a word"},
		"iam without MSK": {"auth: scram-sha-256, secret: kafka", "auth: iam",
			"own: kafka.auth: iam is for Amazon MSK"},
		"open in prod": {"auth: scram-sha-256, secret: kafka", "auth: none",
			"in prod the brokers must know who writes"},
		"no cluster": {"cluster: \"arn:aws:kafka:", "cluster: \"arn:aws:sqs:", "msk: kafka.cluster"},
		"plain on MSK": {"auth: iam", "auth: plain, secret: kafka",
			"msk: kafka.auth: \"plain\": for Amazon MSK want"},
		"setting of stack": {"CHAIN_ID: GAME", "CHAIN_ID: GAME\n      QUEUE_KIND: kafka", "the stack sets it itself"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(brokers, tt.old) {
				t.Fatalf("the file has no %s", tt.old)
			}
			_, err := parse(strings.NewReader(strings.Replace(brokers, tt.old, tt.new, 1)))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// Only the functions of chains whose queues are Kafka's topics are compiled with the client of Kafka.
func TestKafkaBuild(t *testing.T) {
	sqs, kafka := Chain{Architecture: x86}.variant(), kafkaTemplate(t, "own").chain.variant()
	if strings.Contains(sqs.Tags(), "kafka") || !strings.Contains(kafka.Tags(), "lambda.norpc,kafka") {
		t.Errorf("tags: %s without and %s with Kafka", sqs.Tags(), kafka.Tags())
	}
	if sqs.Architecture = kafka.Architecture; sqs.Folder() == kafka.Folder() {
		t.Errorf("both builds are in %s", sqs.Folder())
	}
	if maxZip[false] >= maxZip[true] {
		t.Error("functions without the client may be as large as those with it")
	}
}
