package tools

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// KafkaBroker is a real Kafka broker in KRaft mode for one test. Its data outlives its process. Safe for concurrent
// use.
type KafkaBroker struct {
	Address string // host:port

	dir   string
	java  []string // command without the main class
	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
}

// Kills is how often tests kill a broker: three times, and ten times in a soak (`make soak`).
func Kills() int {
	if os.Getenv("ORCHESTRATOR_SOAK_TIME") != "" {
		return 10
	}
	return 3
}

// URL is the broker as `make run QUEUE=` takes it.
func (b *KafkaBroker) URL() string { return "kafka://" + b.Address }

// Kafka starts a broker of its own for a test.
func Kafka(t testing.TB) *KafkaBroker {
	t.Helper()
	b, err := newKafka()
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

func newKafka() (*KafkaBroker, error) {
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
	port, err := freePort()
	if err != nil {
		return b, err
	}
	controller, err := freePort()
	if err != nil {
		return b, err
	}
	b.Address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	logs := filepath.Join(b.dir, "log4j2.properties")
	b.java = []string{java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.configurationFile=" + logs,
		"-cp", filepath.Join(root, "kafka", "*")}
	if err := errors.Join(os.WriteFile(logs, []byte(kafkaLog), 0o600),
		os.WriteFile(b.properties(), fmt.Appendf(nil, kafkaProperties, b.Address,
			net.JoinHostPort("127.0.0.1", strconv.Itoa(controller)), b.dir), 0o600)); err != nil {
		return b, err
	}
	format := exec.Command(b.java[0], append(b.java[1:], "kafka.tools.StorageTool", "format", "-t", kafkaID,
		"-c", b.properties())...)
	if out, err := format.CombinedOutput(); err != nil {
		return b, fmt.Errorf("format the broker's folder: %w: %s", err, out)
	}
	return b, b.Start()
}

func (b *KafkaBroker) properties() string { return filepath.Join(b.dir, "server.properties") }

// Start starts the broker and waits until it answers.
func (b *KafkaBroker) Start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out tail
	cmd := exec.Command(b.java[0], append(b.java[1:len(b.java):len(b.java)], "kafka.Kafka", b.properties())...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started, ended := make(chan error, 1), make(chan struct{})
	go func() { // Pdeathsig follows the thread that started the process
		lockThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		return err
	}
	b.cmd, b.ended = cmd, ended
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	_, port, _ := strings.Cut(b.Address, ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	for dial(ctx, n) != nil {
		select {
		case <-ended:
			return fmt.Errorf("the Kafka broker ended at its start: %s", out.String())
		case <-ctx.Done():
			return fmt.Errorf("the Kafka broker did not answer within %s: %s", startTimeout, out.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Kill ends the broker's process as a crash does, and waits until it is gone.
func (b *KafkaBroker) Kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Kill()
	<-b.ended
	b.cmd = nil
}

func (b *KafkaBroker) close() {
	b.Kill()
	_ = os.RemoveAll(b.dir)
}
