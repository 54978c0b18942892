package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

// Client is a queue.Queue and a queue.Returner.
type Client struct {
	opts   []kgo.Opt
	api    *kgo.Client
	admin  *kadm.Client
	topics map[string]Topic

	mu    sync.Mutex
	there map[string]bool  // topics that were seen
	lines map[string]*line // those that are received from
}

var (
	_ queue.Queue    = (*Client)(nil)
	_ queue.Returner = (*Client)(nil)
)

// New returns a client. It makes no request.
func New(c Config) (*Client, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("Kafka: %w", err)
	}
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	api, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("Kafka: %w", err)
	}
	k := &Client{opts: opts, api: api, admin: kadm.NewClient(api), topics: map[string]Topic{},
		there: map[string]bool{}, lines: map[string]*line{}}
	for _, t := range c.Topics {
		k.topics[t.Name] = t
	}
	return k, nil
}

// Close acknowledges what was deleted, leaves the groups and ends the connections.
func (c *Client) Close() error {
	c.mu.Lock()
	lines := slices.Collect(maps.Values(c.lines))
	c.lines = map[string]*line{}
	c.mu.Unlock()
	var wg sync.WaitGroup
	for _, l := range lines {
		wg.Go(l.close)
	}
	wg.Wait()
	c.api.Close()
	return nil
}

// translate turns Kafka's errors into the port's.
func translate(topic, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID),
		errors.Is(err, kerr.InvalidTopicException):
		return fmt.Errorf("%s topic %s: %w (the trigger function makes the topics, or check CHAIN_NAME)",
			what, topic, queue.ErrUnknownQueue)
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return fmt.Errorf("%s topic %s: %w: %w", what, topic, queue.ErrTooLarge, err)
	}
	return fmt.Errorf("%s topic %s: %w", what, topic, err)
}

// find asks the brokers for topics: nil is one that is there. It is a request of its own: what the library keeps of
// topics may be older than a topic.
func (c *Client) find(ctx context.Context, topics ...string) (map[string]error, error) {
	req := kmsg.NewPtrMetadataRequest()
	out := map[string]error{}
	for _, t := range topics {
		x := kmsg.NewMetadataRequestTopic()
		x.Topic = kmsg.StringPtr(t)
		req.Topics, out[t] = append(req.Topics, x), kerr.UnknownTopicOrPartition
	}
	resp, err := req.RequestWith(ctx, c.api)
	if err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		if t.Topic != nil {
			out[*t.Topic] = kerr.ErrorForCode(t.ErrorCode)
		}
	}
	return out, nil
}

// look asks the brokers for a topic.
func (c *Client) look(ctx context.Context, topic, what string) error {
	found, err := c.find(ctx, topic)
	if err == nil {
		err = found[topic]
	}
	return translate(topic, what, err)
}

// known looks for a topic, once: writing to one that is not there would wait for it to appear.
func (c *Client) known(ctx context.Context, topic, what string) error {
	c.mu.Lock()
	there := c.there[topic]
	c.mu.Unlock()
	if there {
		return nil
	}
	if err := c.look(ctx, topic, what); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.there[topic] = true
	return nil
}

// forget has a topic looked for again.
func (c *Client) forget(topic string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.there, topic)
}

// Send implements queue.Sender. A message with a delay is dropped.
func (c *Client) Send(ctx context.Context, topic string, ms ...queue.Outgoing) error {
	rs := make([]*kgo.Record, 0, len(ms))
	for _, m := range ms {
		if len(m.Body) > queue.MaxBody {
			return fmt.Errorf("send to topic %s: %d bytes: %w", topic, len(m.Body), queue.ErrTooLarge)
		}
		if m.Delay <= 0 {
			rs = append(rs, &kgo.Record{Topic: topic, Value: []byte(m.Body)})
		}
	}
	if len(rs) == 0 {
		return ctx.Err()
	}
	return c.produce(ctx, topic, rs)
}

func (c *Client) produce(ctx context.Context, topic string, rs []*kgo.Record) (err error) {
	done := metric.Call(ctx, metric.Queues, "send")
	defer func() { done(err) }()
	if err := c.known(ctx, topic, "send to"); err != nil {
		return err
	}
	if err = translate(topic, "send to", c.api.ProduceSync(ctx, rs...).FirstErr()); errors.Is(err,
		queue.ErrUnknownQueue) {
		c.forget(topic)
	}
	return err
}

// Return implements queue.Returner.
func (c *Client) Return(ctx context.Context, topic string, d queue.Delivery) error {
	t, ok := c.topics[topic]
	if !ok {
		return fmt.Errorf("give message %s back to topic %s: %w: it is not a queue of this deployment, so nothing of "+
			"it is touched; correct the event source mapping", d.ID, topic, queue.ErrUnknownQueue)
	}
	to, receives := topic, d.Receives
	if t.MaxReceives > 0 && d.Receives >= t.MaxReceives && t.DeadLetter != "" {
		to, receives = t.DeadLetter, 0
	}
	// When it was written first is a header and no timestamp: the library counts sendTime from a record's timestamp.
	r := &kgo.Record{Topic: to, Value: []byte(d.Body)}
	for key, value := range queue.HeadersOf(d, receives) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	return c.produce(ctx, to, []*kgo.Record{r})
}

// Receive implements queue.Queue.
func (c *Client) Receive(ctx context.Context, topic string, most int, wait time.Duration) ([]queue.Delivery, error) {
	if err := c.known(ctx, topic, "receive from"); err != nil {
		return nil, err
	}
	l, err := c.line(topic)
	if err != nil {
		return nil, err
	}
	return l.receive(ctx, min(max(most, 1), maxReceive), wait)
}

// maxReceive is how many messages one call may return.
const maxReceive = 10

// line is what receives from a topic, joined to its group once.
func (c *Client) line(topic string) (*line, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.lines[topic]; l != nil {
		return l, nil
	}
	t, ok := c.topics[topic]
	if !ok {
		t = Topic{Name: topic}
	}
	l, err := newLine(c, t)
	if err != nil {
		return nil, translate(topic, "receive from", err)
	}
	c.lines[topic] = l
	return l, nil
}

// joined is the line of a topic, nil where this process receives nothing from it.
func (c *Client) joined(topic string) *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lines[topic]
}

// Delete implements queue.Queue.
func (c *Client) Delete(_ context.Context, topic, handle string) error {
	if l := c.joined(topic); l != nil {
		l.acknowledge(handle)
	}
	return nil // another process's, or acknowledged long ago
}

// ChangeVisibility implements queue.Queue. What is visible at once is sent again now, the rest when its time has come,
// by this process.
func (c *Client) ChangeVisibility(ctx context.Context, topic, handle string, d time.Duration) error {
	l := c.joined(topic)
	if l == nil {
		return nil
	}
	if d > 0 {
		l.extend(handle, d)
		return nil
	}
	return l.release(ctx, handle)
}

// Depth implements queue.Queue: Ready is what the group has not received, InFlight what this process holds.
func (c *Client) Depth(ctx context.Context, topic string) (queue.Depth, error) {
	if err := c.known(ctx, topic, "count"); err != nil {
		return queue.Depth{}, err
	}
	starts, err := c.admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return queue.Depth{}, translate(topic, "count", err)
	}
	ends, err := c.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return queue.Depth{}, translate(topic, "count", err)
	}
	committed, err := c.admin.FetchOffsets(ctx, topic)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return queue.Depth{}, translate(topic, "count", err)
	}
	next, held := map[int32]int64{}, 0
	if l := c.joined(topic); l != nil {
		next, held = l.positions()
	}
	d := queue.Depth{InFlight: held}
	ends.Each(func(end kadm.ListedOffset) {
		at := int64(0)
		if s, ok := starts.Lookup(topic, end.Partition); ok {
			at = s.Offset
		}
		if o, ok := committed.Lookup(topic, end.Partition); ok {
			at = max(at, o.At)
		}
		at = max(at, next[end.Partition])
		d.Ready += int(max(0, end.Offset-at))
	})
	return d, nil
}

// Purge implements queue.Queue: the brokers drop everything up to now.
func (c *Client) Purge(ctx context.Context, topic string) error {
	if err := c.known(ctx, topic, "purge"); err != nil {
		return err
	}
	ends, err := c.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return translate(topic, "purge", err)
	}
	if l := c.joined(topic); l != nil {
		l.purge(ends)
	}
	gone, err := c.admin.DeleteRecords(ctx, ends.Offsets())
	if err == nil {
		err = gone.Error()
	}
	return translate(topic, "purge", err)
}

// Ping implements queue.Queue. It needs the right to describe the topic, which the right to write includes.
func (c *Client) Ping(ctx context.Context, topic string) error { return c.look(ctx, topic, "find") }

// Ensure makes the topics that are missing. Where it may not, the error names those that are not there.
func (c *Client) Ensure(ctx context.Context) error {
	found, err := c.find(ctx, slices.Sorted(maps.Keys(c.topics))...)
	if err != nil {
		return fmt.Errorf("list Kafka topics: %w", err)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.topics)) {
		if found[name] == nil {
			continue
		}
		t := c.topics[name]
		configs := map[string]*string{"cleanup.policy": kadm.StringPtr("delete")}
		if t.Retention > 0 {
			configs["retention.ms"] = kadm.StringPtr(strconv.FormatInt(t.Retention.Milliseconds(), 10))
		}
		_, err := c.admin.CreateTopic(ctx, int32(max(t.Partitions, 1)), -1, configs, name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			errs = append(errs, fmt.Errorf("topic %s is missing and can't be made: %w", name, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return c.appear(ctx)
}

// appear waits until the brokers show all topics: the one that is asked may learn of a new topic a moment later than
// the one that made it.
func (c *Client) appear(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	for {
		found, err := c.find(ctx, slices.Collect(maps.Keys(c.topics))...)
		for _, terr := range found {
			err = errors.Join(err, terr)
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("topics were made and do not appear: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Remove deletes the declared topics with all messages, as a run does with its own.
func (c *Client) Remove(ctx context.Context) error {
	gone, err := c.admin.DeleteTopics(ctx, slices.Sorted(maps.Keys(c.topics))...)
	if err == nil {
		err = gone.Error()
	}
	if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("delete Kafka topics: %w", err)
	}
	return nil
}
