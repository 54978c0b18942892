package tools

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// KafkaBroker is a real Kafka broker in KRaft mode for one test. Its data outlives its process. Safe for concurrent
// use.
type KafkaBroker struct {
	Address string // host:port

	dir              string
	java             []string // command without the main class
	port, controller *port    // for as long as its data is there

	mu      sync.Mutex
	process *process // nil: none runs
}

// Kills is how often tests kill a broker: three times, and ten times in a soak (`make soak`).
func Kills() int {
	if soak() {
		return 10
	}
	return 3
}

func soak() bool { return os.Getenv("ORCHESTRATOR_SOAK_TIME") != "" }

// URL is the broker as `make run QUEUE=` takes it.
func (b *KafkaBroker) URL() string { return "kafka://" + b.Address }

// Kafka starts a broker of its own for a test.
func Kafka(t testing.TB) *KafkaBroker {
	t.Helper()
	b, err := newKafka(reserve)
	if b != nil {
		t.Cleanup(b.close)
	}
	switch {
	case err == nil:
		return b
	case os.Getenv(Require) == "" && (errors.Is(err, os.ErrNotExist) || errors.Is(err, exec.ErrNotFound)):
		t.Skipf("Kafka is not here (%v): install it with `make tools`", err)
	}
	t.Fatal(err)
	return nil
}

// kafkaProperties is the broker's configuration: one node that is broker and controller, and answers groups at once.
// Its controller takes a killed broker for gone within a second: until then it does not let it register again.
const kafkaProperties = `process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s
advertised.listeners=PLAINTEXT://%[1]s
controller.listener.names=CONTROLLER
controller.quorum.voters=1@%[2]s
log.dirs=%[3]s/data
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
controller.quorum.election.timeout.ms=200
controller.quorum.fetch.timeout.ms=500
auto.create.topics.enable=false
default.replication.factor=1
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
`

// kafkaLog has the broker print its errors alone.
const kafkaLog = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c)%n
rootLogger.level = error
rootLogger.appenderRef.out.ref = out
`

// kafkaID is the cluster's id, any 16 bytes in base64.
const kafkaID = "b3JjaGVzdHJhdG9yLXRlc3"

func newKafka(choose func() (*port, error)) (*KafkaBroker, error) {
	root, err := Tools()
	if err != nil {
		return nil, err
	}
	if jars, err := filepath.Glob(filepath.Join(root, "kafka/kafka_*.jar")); err != nil || len(jars) == 0 {
		return nil, fmt.Errorf("%s/kafka has no broker: %w", root, os.ErrNotExist)
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, err
	}
	b := &KafkaBroker{}
	if b.dir, err = os.MkdirTemp("", "testenv-kafka-"); err != nil {
		return nil, err
	}
	logs := filepath.Join(b.dir, "log4j2.properties")
	// Most of a broker's start is Java loading its classes: they are compiled once and not verified.
	b.java = []string{java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
		"-XX:+UnlockDiagnosticVMOptions", "-XX:-BytecodeVerificationRemote", "-Dlog4j2.configurationFile=" + logs,
		"-cp", filepath.Join(root, "kafka", "*")}
	if err := os.WriteFile(logs, []byte(kafkaLog), 0o600); err != nil {
		return b, err
	}
	if err := b.configure(1, 2); err != nil { // its data does not depend on ports
		return b, err
	}
	format := exec.Command(java, append(b.java[1:len(b.java):len(b.java)], "kafka.tools.StorageTool", "format", "-t",
		kafkaID, "-c", b.properties())...)
	if out, err := format.CombinedOutput(); err != nil {
		return b, fmt.Errorf("format the broker's folder: %w: %s", err, out)
	}
	return b, onPort(choose, b.startOn)
}

// startOn starts the broker on a port.
func (b *KafkaBroker) startOn(p *port) error {
	b.controller.release() // it may be the one that was taken
	controller, err := reserve()
	if err != nil {
		return err
	}
	b.port, b.controller = p, controller
	if err := b.configure(p.number, controller.number); err != nil {
		return err
	}
	return b.Start()
}

// configure writes the configuration, with the ports of the broker and its controller.
func (b *KafkaBroker) configure(own, controller int) error {
	b.Address = net.JoinHostPort("127.0.0.1", strconv.Itoa(own))
	return os.WriteFile(b.properties(), fmt.Appendf(nil, kafkaProperties, b.Address,
		net.JoinHostPort("127.0.0.1", strconv.Itoa(controller)), b.dir), 0o600)
}

func (b *KafkaBroker) properties() string { return filepath.Join(b.dir, "server.properties") }

// Start starts the broker and waits until it answers.
func (b *KafkaBroker) Start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	cmd := exec.Command(b.java[0], append(b.java[1:len(b.java):len(b.java)], "kafka.Kafka", b.properties())...)
	p, err := run(cmd, func() {})
	if err != nil {
		return err
	}
	b.process = p
	if err := p.answers(b.port.number, nil); err != nil {
		return fmt.Errorf("start the Kafka broker: %w", err)
	}
	return nil
}

// Kill ends the broker's process as a crash does, and waits until it is gone.
func (b *KafkaBroker) Kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process == nil {
		return
	}
	b.process.kill()
	b.process = nil
}

func (b *KafkaBroker) close() {
	b.Kill()
	b.port.release()
	b.controller.release()
	_ = os.RemoveAll(b.dir)
}
