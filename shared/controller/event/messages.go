package event

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/core/once"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
)

// Messages takes the messages out of what queues deliver: SQS events, and events of Kafka topics. SQS delivers again
// what the answer names. A Kafka mapping knows only how far a partition was read (partial answers exist in its
// provisioned mode alone, which costs by the hour), so what failed is given back to its topic, counted, and the event
// is done: no message holds up those behind it. Where giving back fails, the whole event does, and Lambda delivers it
// again.
type Messages struct {
	// Return takes back what came from Kafka; nil: no queue of this deployment is a topic.
	Return queue.Returner
	// Hold waits before what failed is given back; nil: it is given back at once.
	Hold func(context.Context, time.Duration) error
	Pace Pace
	Log  *slog.Logger
}

// Pace is how the messages of one event are worked on.
type Pace struct {
	// Parallel is how many are worked on at a time; 0: as many as an event of SQS has, handlers wait for the network
	// most of the time.
	Parallel int
	// Linger is how long a message that an invocation sends is held back for others, at most; 0: until its end.
	Linger time.Duration
}

// shape shows which kind an event is. Go takes field names of any case, so both have to be named.
type shape struct {
	EventSource string          `json:"eventSource"`
	SQS         json.RawMessage `json:"Records"`
	Kafka       json.RawMessage `json:"records"`
}

// Sources of Kafka events: Amazon MSK, and a cluster of one's own in its newer and its older form.
var kafkaSources = []string{"aws:kafka", "SelfManagedKafka", "aws:SelfManagedKafka"}

// messages says whether an event is of a queue.
func (s shape) messages() bool { return s.EventSource != "" || s.SQS != nil || s.Kafka != nil }

// each runs f for every message of an event. The answer is what the service expects.
func (m Messages) each(ctx context.Context, raw json.RawMessage,
	f func(context.Context, queue.Delivery) error) (any, error) {
	var s shape
	if err := decodeOnly(raw, &s); err != nil {
		return nil, err
	}
	switch {
	case s.EventSource != "" || s.Kafka != nil:
		return nil, m.kafka(ctx, raw, s.EventSource, f)
	case s.SQS == nil:
		return nil, errors.New(`event has no "Records" and no "records": want an event of SQS or Kafka`)
	}
	var e events.SQSEvent
	if err := decodeOnly(raw, &e); err != nil {
		return nil, err
	}
	return m.sqs(ctx, e, f), nil
}

// sqs names the messages that SQS is to deliver again (ReportBatchItemFailures).
func (m Messages) sqs(ctx context.Context, e events.SQSEvent,
	f func(context.Context, queue.Delivery) error) events.SQSEventResponse {
	ds := make([]queue.Delivery, len(e.Records))
	for i, r := range e.Records {
		receives, _ := strconv.Atoi(r.Attributes["ApproximateReceiveCount"])
		ds[i] = queue.Delivery{ID: r.MessageId, Handle: r.ReceiptHandle, Body: r.Body, Receives: receives}
	}
	resp := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i, err := range m.inParallel(ctx, ds, f) {
		if err == nil {
			continue
		}
		m.failed(ctx, ds[i], err)
		resp.BatchItemFailures = append(resp.BatchItemFailures,
			events.SQSBatchItemFailure{ItemIdentifier: ds[i].ID})
	}
	return resp
}

// record is a message of a Kafka event.
type record struct {
	topic string
	queue.Delivery
}

// kafka gives what fails back to its topic. An error is the whole event's.
func (m Messages) kafka(ctx context.Context, raw json.RawMessage, source string,
	f func(context.Context, queue.Delivery) error) error {
	if !slices.Contains(kafkaSources, source) {
		return fmt.Errorf("event is of %q: want SQS's, or one of %q", source, kafkaSources)
	}
	if m.Return == nil {
		return errors.New("event is of Kafka, but the queues of this deployment are SQS's (QUEUE_KIND): remove the " +
			"event source mapping")
	}
	var e events.KafkaEvent
	if err := decodeOnly(raw, &e); err != nil {
		return err
	}
	rs, err := m.records(ctx, e)
	if err != nil {
		return err
	}
	ds := make([]queue.Delivery, len(rs))
	for i, r := range rs {
		ds[i] = r.Delivery
	}
	errs := m.inParallel(ctx, ds, f)
	m.pause(ctx, ds, errs)
	var lost []error
	for i, err := range errs {
		if err == nil {
			continue
		}
		m.failed(ctx, ds[i], err)
		if rerr := m.Return.Return(ctx, rs[i].topic, ds[i]); rerr != nil {
			lost = append(lost, fmt.Errorf("message %s failed (%w) and can't be given back: %w", ds[i].ID, err, rerr))
		}
	}
	return errors.Join(lost...)
}

// maxPause bounds how long an invocation waits before it gives back what failed.
const maxPause = 15 * time.Second

// pause waits before what failed is given back: a topic keeps nothing back, so without it a short outage would use up
// all the times that a message may be received. What must be left of the invocation's time bounds it.
func (m Messages) pause(ctx context.Context, ds []queue.Delivery, errs []error) {
	most := 0
	for i, err := range errs {
		if err != nil {
			most = max(most, ds[i].Receives)
		}
	}
	if most == 0 || m.Hold == nil {
		return
	}
	d := min(time.Second<<min(most, 4), maxPause)
	if end, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(end)-2*sending)
	}
	if d > 0 {
		_ = m.Hold(ctx, d) // ctx has ended: giving back says so
	}
}

// records are the messages of an event, partition by partition. A record without a value (a tombstone) says nothing and
// is passed over. One that can't be read at all was not written by Lambda, which encodes every value: nothing of its
// event is touched.
func (m Messages) records(ctx context.Context, e events.KafkaEvent) ([]record, error) {
	var out []record
	for _, partition := range slices.Sorted(maps.Keys(e.Records)) {
		for _, r := range e.Records[partition] {
			place := fmt.Sprintf("%s-%d@%d", r.Topic, r.Partition, r.Offset)
			if r.Topic == "" {
				return nil, fmt.Errorf("record %d of %q names no topic", r.Offset, partition)
			}
			body, err := base64.StdEncoding.DecodeString(r.Value)
			if err != nil {
				return nil, fmt.Errorf("record %s: its value is not base64, as Lambda writes it: %w", place, err)
			}
			if len(body) == 0 {
				logger(m.Log).WarnContext(ctx, "a record without a value is passed over", "message_id", place)
				continue
			}
			d := queue.Delivery{ID: place, Handle: place, Body: string(body), Receives: 1, SentAt: r.Timestamp.UTC()}
			for _, h := range r.Headers {
				for key, value := range h {
					queue.Header(&d, key, string(value))
				}
			}
			out = append(out, record{r.Topic, d})
		}
	}
	return out, nil
}

func (m Messages) failed(ctx context.Context, d queue.Delivery, err error) {
	logger(m.Log).ErrorContext(ctx, "message is to be delivered again", "message_id", d.ID,
		"receives", strconv.Itoa(d.Receives), "error", err)
}

// parallel is how many messages an event has at most.
const parallel = 10

// sending is how long an invocation may take to send its messages after its work is done.
const sending = 2 * time.Second

// together runs f, sends the messages of all its parts together, and reads what is the same for all of them once.
func (m Messages) together(ctx context.Context, f func(context.Context)) {
	within, flush := queue.Gather(once.Begin(ctx), m.Pace.Linger)
	f(within)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sending)
	defer cancel()
	if err := flush(ctx); err != nil {
		logger(m.Log).WarnContext(ctx, "wake-ups not sent, reconcile or a schedule will", "error", err)
	}
}

// inParallel runs f for each message and returns their errors. A failure or panic of one leaves the others alone.
func (m Messages) inParallel(ctx context.Context, ds []queue.Delivery,
	f func(context.Context, queue.Delivery) error) []error {
	errs := make([]error, len(ds))
	m.together(ctx, func(ctx context.Context) {
		var wg sync.WaitGroup
		slots := make(chan struct{}, cmp.Or(m.Pace.Parallel, parallel))
		for i, d := range ds {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				errs[i] = contained(ctx, d, f)
			})
		}
		wg.Wait()
	})
	return errs
}

// onceEach runs f for one of the messages that say the same; its error is that of all of them.
func onceEach(f func(context.Context, queue.Delivery) error) func(context.Context, queue.Delivery) error {
	type result struct {
		sync.Once
		err error
	}
	var results sync.Map // by body
	return func(ctx context.Context, d queue.Delivery) error {
		v, _ := results.LoadOrStore(d.Body, &result{})
		r := v.(*result)
		r.Do(func() { r.err = contained(ctx, d, f) })
		return r.err
	}
}

// contained turns a panic into an error of its message.
func contained(ctx context.Context, d queue.Delivery, f func(context.Context, queue.Delivery) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return f(ctx, d)
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.Default()
	}
	return l
}

// decodeOnly reads one JSON object into v and says what is wrong with a body that is none.
func decodeOnly(raw json.RawMessage, v any) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("event is not the JSON object that it should be: %w", err)
	}
	return nil
}
