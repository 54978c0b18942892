package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

// Handle names a message by its place, as Lambda's events do.
func Handle(topic string, partition int32, offset int64) string {
	return fmt.Sprintf("%s-%d@%d", topic, partition, offset)
}

// ParseHandle is the reverse of Handle.
func ParseHandle(handle string) (topic string, partition int32, offset int64, err error) {
	rest, o, ok := strings.Cut(handle, "@")
	i := strings.LastIndexByte(rest, '-')
	if ok && i > 0 {
		p, perr := strconv.ParseInt(rest[i+1:], 10, 32)
		offset, err = strconv.ParseInt(o, 10, 64)
		if err == nil && perr == nil {
			return rest[:i], int32(p), offset, nil
		}
	}
	return "", 0, 0, fmt.Errorf("%.100q is not a message's place, such as topic-0@12", handle)
}

const (
	// buffered is how many messages of a topic may wait in this process.
	buffered = 200
	// session is after how long the group takes a consumer that is silent for dead.
	session = 10 * time.Second
	// commitEvery is how often acknowledgements reach the brokers.
	commitEvery = 250 * time.Millisecond
	// joinTime is how long a first receive waits for the group.
	joinTime = 15 * time.Second
	// leaveTime bounds the end: a broker that is down is not waited for.
	leaveTime = 3 * time.Second
)

// line receives from one topic as a member of the group of its name.
type line struct {
	c      *Client
	t      Topic
	api    *kgo.Client
	cancel context.CancelFunc
	ended  chan struct{}
	joined chan struct{} // closed when the group has given this consumer its first partitions

	mu      sync.Mutex
	parts   map[int32]*part
	ready   []*kgo.Record // received from the broker, delivered to nobody
	held    map[string]*flight
	changed chan struct{} // closed when ready or held has changed
	room    chan struct{} // closed when ready has room again
	err     error         // of the last poll
}

// part is a partition: what was received of it and is not committed, in order.
type part struct {
	open  []int64        // offsets
	done  map[int64]bool // those that are acknowledged
	epoch int32
	next  int64 // the first that was delivered to nobody
	floor int64 // what is below was purged
}

// flight is a message that was delivered.
type flight struct {
	queue.Delivery
	partition int32
	offset    int64
	until     time.Time // when it is sent again; zero: never
}

func newLine(c *Client, t Topic) (*line, error) {
	l := &line{c: c, t: t, ended: make(chan struct{}), joined: make(chan struct{}),
		parts: map[int32]*part{}, held: map[string]*flight{}, changed: make(chan struct{}), room: make(chan struct{})}
	joined := sync.OnceFunc(func() { close(l.joined) })
	lost := func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { l.drop(gone[t.Name]) }
	api, err := kgo.NewClient(append(append([]kgo.Opt{}, c.opts...),
		kgo.ConsumeTopics(t.Name), kgo.ConsumerGroup(t.Name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(session), kgo.HeartbeatInterval(session/4), kgo.RebalanceTimeout(session),
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(commitEvery), kgo.BlockRebalanceOnPoll(),
		kgo.FetchMaxWait(time.Second),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { joined() }),
		kgo.OnPartitionsRevoked(func(ctx context.Context, api *kgo.Client, gone map[string][]int32) {
			_ = api.CommitMarkedOffsets(ctx) // what is not committed is received again, by whoever has it now
			lost(ctx, api, gone)
		}), kgo.OnPartitionsLost(lost))...)
	if err != nil {
		return nil, err
	}
	l.api = api
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	go l.follow(ctx)
	return l, nil
}

// close commits and leaves the group.
func (l *line) close() {
	l.cancel()
	<-l.ended
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	_ = l.api.CommitMarkedOffsets(ctx)
	_ = l.api.LeaveGroupContext(ctx)
	l.api.CloseAllowingRebalance()
}

// follow takes messages from the brokers while there is room for them.
func (l *line) follow(ctx context.Context) {
	defer close(l.ended)
	for ctx.Err() == nil {
		l.mu.Lock()
		n, room := buffered-len(l.ready), l.room
		l.mu.Unlock()
		if n <= 0 {
			select {
			case <-ctx.Done():
			case <-room:
			}
			continue
		}
		fs := l.api.PollRecords(ctx, n)
		l.take(fs)
		l.api.AllowRebalance()
	}
}

func (l *line) take(fs kgo.Fetches) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = nil
	fs.EachError(func(_ string, _ int32, err error) { l.err = err })
	fs.EachRecord(func(r *kgo.Record) {
		p := l.parts[r.Partition]
		if p == nil {
			p = &part{done: map[int64]bool{}, next: r.Offset}
			l.parts[r.Partition] = p
		}
		p.open, p.epoch = append(p.open, r.Offset), r.LeaderEpoch
		l.ready = append(l.ready, r)
	})
	l.wake(&l.changed)
}

// wake ends the waiting on a channel. The caller holds the lock.
func (l *line) wake(c *chan struct{}) {
	close(*c)
	*c = make(chan struct{})
}

// drop forgets partitions that the group has given to others.
func (l *line) drop(partitions []int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := map[int32]bool{}
	for _, p := range partitions {
		gone[p] = true
		delete(l.parts, p)
	}
	left := l.ready[:0]
	for _, r := range l.ready {
		if !gone[r.Partition] {
			left = append(left, r)
		}
	}
	l.ready = left
	for h, f := range l.held {
		if gone[f.partition] {
			delete(l.held, h)
		}
	}
	l.wake(&l.room)
}

// join waits for the group, the first time: that counts as no waiting for messages.
func (l *line) join(ctx context.Context) error {
	select {
	case <-l.joined:
		return nil
	default:
	}
	timer := time.NewTimer(joinTime)
	defer timer.Stop()
	select {
	case <-l.joined:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("join the group of topic %s: %w", l.t.Name, ctx.Err())
	case <-timer.C:
		l.mu.Lock()
		defer l.mu.Unlock()
		return errors.Join(fmt.Errorf("join the group of topic %s: nothing within %s", l.t.Name, joinTime), l.err)
	}
}

// receive waits for messages until there is one.
func (l *line) receive(ctx context.Context, most int, wait time.Duration) ([]queue.Delivery, error) {
	if err := l.join(ctx); err != nil {
		return nil, err
	}
	until := time.Now().Add(wait)
	for {
		if err := l.redeliver(ctx); err != nil {
			return nil, err
		}
		l.mu.Lock()
		ds, changed, err := l.deliver(most, time.Now()), l.changed, l.err
		next := l.nextExpiry()
		l.mu.Unlock()
		if len(ds) > 0 {
			return ds, nil
		}
		now := time.Now()
		left := until.Sub(now)
		if left <= 0 {
			return nil, translate(l.t.Name, "receive from", err)
		}
		if !next.IsZero() {
			left = min(left, max(next.Sub(now), time.Millisecond))
		}
		timer := time.NewTimer(left)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("receive from topic %s: %w", l.t.Name, ctx.Err())
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// deliver hands out what is ready. The caller holds the lock.
func (l *line) deliver(most int, now time.Time) []queue.Delivery {
	var ds []queue.Delivery
	for len(l.ready) > 0 && len(ds) < most {
		r := l.ready[0]
		l.ready = l.ready[1:]
		p := l.parts[r.Partition]
		p.next = max(p.next, r.Offset+1)
		if r.Offset < p.floor {
			l.mark(r.Partition, r.Offset)
			continue
		}
		f := &flight{Delivery: delivery(r), partition: r.Partition, offset: r.Offset}
		if l.t.Visibility > 0 {
			f.until = now.Add(l.t.Visibility)
		}
		l.held[f.Handle] = f
		ds = append(ds, f.Delivery)
	}
	l.wake(&l.room)
	return ds
}

// delivery is a record as the port has it.
func delivery(r *kgo.Record) queue.Delivery {
	h := Handle(r.Topic, r.Partition, r.Offset)
	d := queue.Delivery{ID: h, Handle: h, Body: string(r.Value), Receives: 1, SentAt: r.Timestamp.UTC()}
	for _, x := range r.Headers {
		queue.Header(&d, x.Key, string(x.Value))
	}
	return d
}

// acknowledge is done with a message. One that is not held was acknowledged before, or is another consumer's now.
func (l *line) acknowledge(handle string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.held[handle]; f != nil {
		delete(l.held, handle)
		l.mark(f.partition, f.offset)
	}
}

// mark has everything below the first message that is not acknowledged committed. The caller holds the lock.
func (l *line) mark(partition int32, offset int64) {
	p := l.parts[partition]
	if p == nil {
		return
	}
	p.done[offset] = true
	last := int64(-1)
	for len(p.open) > 0 && p.done[p.open[0]] {
		last = p.open[0]
		delete(p.done, last)
		p.open = p.open[1:]
	}
	if last >= 0 {
		l.api.MarkCommitOffsets(map[string]map[int32]kgo.EpochOffset{
			l.t.Name: {partition: {Epoch: p.epoch, Offset: last + 1}}})
	}
}

// extend moves the end of a message's visibility.
func (l *line) extend(handle string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.held[handle]; f != nil {
		f.until = time.Now().Add(d)
		l.wake(&l.changed)
	}
}

// release gives a message back: it is sent again, or to the dead letters, and then acknowledged. If that fails it is
// held as before.
func (l *line) release(ctx context.Context, handle string) error {
	l.mu.Lock()
	f := l.held[handle]
	l.mu.Unlock()
	if f == nil {
		return nil
	}
	if _, declared := l.c.topics[l.t.Name]; !declared {
		return fmt.Errorf("give a message back to topic %s: it is not declared", l.t.Name)
	}
	if err := l.c.Return(ctx, l.t.Name, f.Delivery); err != nil {
		return err
	}
	l.acknowledge(handle)
	return nil
}

// redeliver gives back what was held for longer than its visibility.
func (l *line) redeliver(ctx context.Context) error {
	now := time.Now()
	l.mu.Lock()
	var over []string
	for h, f := range l.held {
		if !f.until.IsZero() && !now.Before(f.until) {
			over = append(over, h)
			f.until = now.Add(max(l.t.Visibility, time.Second)) // nobody else gives it back meanwhile
		}
	}
	l.mu.Unlock()
	for _, h := range over {
		if err := l.release(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// nextExpiry is when the first held message is to be given back. The caller holds the lock.
func (l *line) nextExpiry() time.Time {
	var next time.Time
	for _, f := range l.held {
		if !f.until.IsZero() && (next.IsZero() || f.until.Before(next)) {
			next = f.until
		}
	}
	return next
}

// positions are the first offsets that were delivered to nobody, and how many messages are held.
func (l *line) positions() (next map[int32]int64, held int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next = map[int32]int64{}
	for n, p := range l.parts {
		next[n] = p.next
	}
	return next, len(l.held)
}

// purge drops what lies below offsets.
func (l *line) purge(ends kadm.ListedOffsets) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends.Each(func(end kadm.ListedOffset) {
		if p := l.parts[end.Partition]; p != nil {
			p.floor, p.next = end.Offset, max(p.next, end.Offset)
		}
	})
}
