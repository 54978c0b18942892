package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// members is how many mongods a ReplicaSet has.
const members = 3

// ReplicaSet is three mongods that replicate one another, for one test. Safe for concurrent use.
type ReplicaSet struct {
	URI string // of all three; it says neither w nor retryWrites

	mu      sync.Mutex
	members [members]*member
}

// member is one mongod with its port and data, which outlive its process.
type member struct {
	address string
	dir     string
	port    *port
	process *process // nil: none was started
}

// replicaSetName is what the members call themselves.
const replicaSetName = "rs0"

// MongodReplicaSet starts a replica set that elects within seconds, and waits for its first primary.
func MongodReplicaSet(t testing.TB) *ReplicaSet {
	t.Helper()
	rs := &ReplicaSet{}
	t.Cleanup(rs.close)
	if err := rs.start(t); err != nil {
		if os.Getenv(Require) == "" && errors.Is(err, os.ErrNotExist) {
			t.Skipf("mongod is not here (%v): install it with `make tools`", err)
		}
		t.Fatal(err)
	}
	return rs
}

func (rs *ReplicaSet) start(t testing.TB) error {
	if err := rs.run(); err != nil {
		return err
	}
	var hosts []string
	config := bson.A{}
	for i, m := range rs.members {
		hosts = append(hosts, m.address)
		config = append(config, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: m.address}})
	}
	rs.URI = "mongodb://" + strings.Join(hosts, ",") + "/?replicaSet=" + replicaSetName
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	for _, m := range rs.members {
		if err := m.command(ctx, bson.D{{Key: "ping", Value: 1}}); err != nil {
			return fmt.Errorf("mongod %s does not answer: %w", m.address, err)
		}
	}
	initiate := bson.D{{Key: "replSetInitiate", Value: bson.D{
		{Key: "_id", Value: replicaSetName}, {Key: "members", Value: config},
		{Key: "settings",
			Value: bson.D{{Key: "electionTimeoutMillis", Value: 1000}, {Key: "heartbeatIntervalMillis", Value: 200}}},
	}}}
	if err := rs.members[0].command(ctx, initiate); err != nil {
		return fmt.Errorf("initiate the replica set: %w", err)
	}
	_, err := rs.Primary(ctx)
	return err
}

// run starts the members at once.
func (rs *ReplicaSet) run() error {
	var starts sync.WaitGroup
	errs := make([]error, members)
	for i := range rs.members {
		m := &member{}
		rs.members[i] = m
		starts.Go(func() { errs[i] = onPort(reserve, m.startOn) })
	}
	starts.Wait()
	return errors.Join(errs...)
}

// startOn makes the member on a port, without any data, starts it and waits until it answers.
func (m *member) startOn(p *port) (err error) {
	_ = os.RemoveAll(m.dir) // of an attempt on another port
	if m.dir, err = os.MkdirTemp("", "testenv-replica-"); err != nil {
		return err
	}
	m.port, m.address = p, fmt.Sprintf("127.0.0.1:%d", p.number)
	if err := m.run(); err != nil {
		return err
	}
	return m.process.answers(p.number, nil)
}

// run starts the member's process.
func (m *member) run() error {
	root, err := Tools()
	if err != nil {
		return err
	}
	cmd := mongodCommand("--replSet", replicaSetName, "--oplogSize", "64")(root, m.port.number, m.dir)
	if _, err := os.Stat(cmd.Path); err != nil {
		return err
	}
	m.process, err = run(cmd, func() {})
	return err
}

// command runs an administrative command on the member itself.
func (m *member) command(ctx context.Context, c bson.D) error {
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + m.address +
		"/?directConnection=true").SetServerSelectionTimeout(startTimeout))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	return client.Database("admin").RunCommand(ctx, c).Err()
}

// Primary waits until a member is the primary and returns its address.
func (rs *ReplicaSet) Primary(ctx context.Context) (string, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(rs.URI).SetServerSelectionTimeout(startTimeout))
	if err != nil {
		return "", err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	var hello struct {
		Me string `bson:"me"`
	}
	if err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return "", fmt.Errorf("find the primary: %w", err)
	}
	return hello.Me, nil
}

// StepDown makes the primary a secondary for some seconds; another member is elected.
func (rs *ReplicaSet) StepDown(ctx context.Context) error {
	m, err := rs.primary(ctx)
	if err != nil {
		return err
	}
	return m.command(ctx, bson.D{{Key: "replSetStepDown", Value: 5}, {Key: "secondaryCatchUpPeriodSecs", Value: 3},
		{Key: "force", Value: true}})
}

// Kill ends the primary with SIGKILL and starts it again with its data; another member is elected meanwhile.
func (rs *ReplicaSet) Kill(ctx context.Context) error {
	m, err := rs.primary(ctx)
	if err != nil {
		return err
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	m.kill()
	return m.run()
}

func (rs *ReplicaSet) primary(ctx context.Context) (*member, error) {
	address, err := rs.Primary(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range rs.members {
		if m.address == address {
			return m, nil
		}
	}
	return nil, fmt.Errorf("the primary %s is not a member", address)
}

func (m *member) kill() {
	if m.process != nil {
		m.process.kill()
	}
}

// close ends the member and removes its data.
func (m *member) close() {
	m.kill()
	m.port.release()
	_ = os.RemoveAll(m.dir)
}

func (rs *ReplicaSet) close() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, m := range rs.members {
		if m != nil {
			m.close()
		}
	}
}
