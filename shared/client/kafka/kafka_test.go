package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/madara-orchestrator/orchestrator/shared/client/kafka"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue/queuetest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

const maxReceives = 3

var topics atomic.Int64

// fakeBrokers are three brokers in this process.
func fakeBrokers(t testing.TB, opts ...kfake.Opt) []string {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

// declared are a topic and its dead letters, of names that no other test has.
func declared(partitions int) (topic, dead kafka.Topic) {
	n := topics.Add(1)
	dead = kafka.Topic{Name: fmt.Sprintf("test-%d-dead", n), Partitions: 1, Visibility: time.Minute}
	return kafka.Topic{Name: fmt.Sprintf("test-%d", n), Partitions: partitions, Visibility: time.Minute,
		Retention: time.Hour, MaxReceives: maxReceives, DeadLetter: dead.Name}, dead
}

// open returns a client whose topics are there.
func open(t testing.TB, brokers []string, ts ...kafka.Topic) *kafka.Client {
	t.Helper()
	c, err := kafka.New(kafka.Config{Brokers: brokers, Topics: ts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func conform(t *testing.T, brokers []string) {
	queuetest.TestQueue(t, func(t *testing.T) queuetest.Queue {
		topic, dead := declared(3)
		return queuetest.Queue{Q: open(t, brokers, topic, dead), Name: topic.Name, DeadLetter: dead.Name,
			MaxReceives: maxReceives, NoDelay: true}
	})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	conform(t, fakeBrokers(t))
}

func TestConformanceOfABroker(t *testing.T) {
	t.Parallel()
	conform(t, []string{tools.Kafka(t).Address})
}

// drain receives and deletes until nothing comes.
func drain(t *testing.T, c *kafka.Client, topic string) []queue.Delivery {
	t.Helper()
	var all []queue.Delivery
	for {
		ds, err := c.Receive(t.Context(), topic, 10, 500*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if len(ds) == 0 {
			return all
		}
		for _, d := range ds {
			if err := c.Delete(t.Context(), topic, d.Handle); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, ds...)
	}
}

// A consumer gets again what an earlier one did not acknowledge, and nothing that it did.
func TestNextConsumerGetsTheRest(t *testing.T) {
	t.Parallel()
	brokers := fakeBrokers(t)
	topic, dead := declared(1)
	c := open(t, brokers, topic, dead)
	for _, body := range []string{"a", "b", "c"} {
		if err := c.Send(t.Context(), topic.Name, queue.Outgoing{Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	ds, err := c.Receive(t.Context(), topic.Name, 10, time.Second)
	for len(ds) < 3 && err == nil {
		var more []queue.Delivery
		more, err = c.Receive(t.Context(), topic.Name, 10, time.Second)
		ds = append(ds, more...)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 2} { // the second is open: the third can't be committed
		if err := c.Delete(t.Context(), topic.Name, ds[i].Handle); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range drain(t, open(t, brokers, topic, dead), topic.Name) {
		got = append(got, d.Body)
	}
	if !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("the next consumer got %q", got)
	}
}

// What outlives its visibility is sent again, counted and with its id, and in the end to the dead letters.
func TestVisibilityEnds(t *testing.T) {
	t.Parallel()
	topic, dead := declared(2)
	topic.Visibility = 50 * time.Millisecond
	c := open(t, fakeBrokers(t), topic, dead)
	if err := c.Send(t.Context(), topic.Name, queue.Outgoing{Body: "x"}); err != nil {
		t.Fatal(err)
	}
	var id string
	for n := 1; n <= maxReceives; n++ {
		ds, err := c.Receive(t.Context(), topic.Name, 1, 10*time.Second)
		if err != nil || len(ds) != 1 || ds[0].Receives != n || n > 1 && ds[0].ID != id {
			t.Fatalf("receive %d: %+v, %v", n, ds, err)
		}
		id = ds[0].ID
	}
	if ds, err := c.Receive(t.Context(), topic.Name, 1, time.Second); err != nil || len(ds) != 0 {
		t.Fatalf("received once more: %+v, %v", ds, err)
	}
	if ds := drain(t, c, dead.Name); len(ds) != 1 || ds[0].ID != id || ds[0].Receives != 1 {
		t.Errorf("dead letters %+v", ds)
	}
}

// Nothing is given back to a topic that is not ours.
func TestReturnToATopicOfOthers(t *testing.T) {
	t.Parallel()
	brokers := fakeBrokers(t, kfake.SeedTopics(1, "orders"))
	topic, dead := declared(1)
	c := open(t, brokers, topic, dead)
	err := c.Return(t.Context(), "orders", queue.Delivery{ID: "orders-0@7", Body: "theirs", Receives: 1})
	if !errors.Is(err, queue.ErrUnknownQueue) || !strings.Contains(err.Error(), "event source mapping") {
		t.Errorf("got %v", err)
	}
	if d, err := c.Depth(t.Context(), "orders"); err != nil || d.Ready != 0 {
		t.Errorf("the topic holds %+v, %v", d, err)
	}
}

// Topics that may not be made are named, and the others are made.
func TestEnsureNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	topic, dead := declared(1)
	cluster.ControlKey(int16(kmsg.CreateTopics), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req, ok := r.(*kmsg.CreateTopicsRequest)
		if !ok || req.Topics[0].Topic != topic.Name {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
		x := kmsg.NewCreateTopicsResponseTopic()
		x.Topic, x.ErrorCode = topic.Name, kerr.TopicAuthorizationFailed.Code
		resp.Topics = append(resp.Topics, x)
		return resp, nil, true
	})
	c, err := kafka.New(kafka.Config{Brokers: cluster.ListenAddrs(), Topics: []kafka.Topic{topic, dead}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Ensure(t.Context()); !errors.Is(err, kerr.TopicAuthorizationFailed) ||
		!strings.Contains(err.Error(), topic.Name+" is missing") {
		t.Errorf("got %v", err)
	}
	if err := c.Ping(t.Context(), dead.Name); err != nil {
		t.Errorf("the other one was not made: %v", err)
	}
}

// Without brokers every call says so within its time, and nothing hangs.
func TestBrokersAreDown(t *testing.T) {
	t.Parallel()
	c, err := kafka.New(kafka.Config{Brokers: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := c.Send(ctx, "x", queue.Outgoing{Body: "x"}); err == nil || errors.Is(err, queue.ErrUnknownQueue) {
		t.Errorf("Send: %v", err)
	}
	if err := c.Ping(ctx, "x"); err == nil || errors.Is(err, queue.ErrUnknownQueue) {
		t.Errorf("Ping: %v", err)
	}
}

// Bad configurations are refused by name, and no error shows a secret.
func TestBadConfig(t *testing.T) {
	t.Parallel()
	brokers := []string{"127.0.0.1:9092"}
	for name, tt := range map[string]struct {
		c    kafka.Config
		want string
	}{
		"no broker":       {kafka.Config{}, "host:port"},
		"no port":         {kafka.Config{Brokers: []string{"kafka.example"}}, "host:port"},
		"twice":           {kafka.Config{Brokers: []string{"a:1", "a:1"}}, "before"},
		"unknown auth":    {kafka.Config{Brokers: brokers, Auth: "magic"}, "magic"},
		"no password":     {kafka.Config{Brokers: brokers, Auth: kafka.Plain, User: "u"}, "password"},
		"no keys":         {kafka.Config{Brokers: brokers, Auth: kafka.IAM}, "credentials"},
		"bad certificate": {kafka.Config{Brokers: brokers, Auth: kafka.MTLS, Certificate: "c", Key: "hunter2"}, "pair"},
		"bad authority":   {kafka.Config{Brokers: brokers, RootCA: "hunter2"}, "PEM"},
		"lost dead letters": {kafka.Config{Brokers: brokers,
			Topics: []kafka.Topic{{Name: "a", DeadLetter: "b"}}}, "not declared"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := kafka.New(tt.c)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	for _, url := range []string{"", "127.0.0.1:9092", "http://a:1", "kafka://", "kafka://a", "kafka://u:hunter2@a:1"} {
		if _, err := kafka.ParseURL(url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if got, err := kafka.ParseURL("kafka://a:1,b:2/"); err != nil || !slices.Equal(got, []string{"a:1", "b:2"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

// A message that others wrote with other headers is a message.
func TestForeignHeaders(t *testing.T) {
	t.Parallel()
	brokers := fakeBrokers(t)
	topic, dead := declared(1)
	c := open(t, brokers, topic, dead)
	raw, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, r := range []*kgo.Record{
		{Topic: topic.Name, Value: nil}, // a tombstone
		{Topic: topic.Name, Value: []byte("x"), Headers: []kgo.RecordHeader{
			{Key: queue.ReceivesHeader, Value: []byte("-7")}, {Key: "trace", Value: []byte{0xff}}}},
	} {
		if err := raw.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	ds := drain(t, c, topic.Name)
	if len(ds) != 2 || ds[0].Body != "" || ds[1].Body != "x" || ds[1].Receives != 1 {
		t.Errorf("got %+v", ds)
	}
}
