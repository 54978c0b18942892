package event_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	eventcontroller "github.com/madara-orchestrator/orchestrator/shared/controller/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

var discard = eventcontroller.Messages{Log: slog.New(slog.DiscardHandler)}

// calls counts what reached the services.
type calls struct {
	mu           sync.Mutex
	ran, invoked int
	closed       uint64
}

func (c *calls) Run(_ context.Context, w stage.Name) error {
	if _, err := stage.Parse(string(w)); err != nil {
		return err
	}
	c.ran++
	return nil
}

func (c *calls) Close(_ context.Context, _ stage.Name, index uint64) error {
	c.closed = index
	return nil
}

func (c *calls) Handle(context.Context, job.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.invoked++
	return nil
}

// Ended implements event.JobHandler.
func (c *calls) Ended(context.Context, job.Type, uint64) error { return nil }

func (c *calls) Invoke(_ context.Context, t job.Type, body string) error {
	if m, err := job.DecodeMessage(body); err != nil || m.Type != t {
		return errors.New("a message that is none was passed on")
	}
	c.invoked++
	return nil
}

const good = `{"job_id":"0123456789abcdef0123456789abcdef","job_type":"SnosRun","action":"process","generation":1}`

func sqsEvent(bodies ...string) json.RawMessage {
	var e events.SQSEvent
	for i, b := range bodies {
		e.Records = append(e.Records, events.SQSMessage{MessageId: string(rune('a' + i)), Body: b})
	}
	raw, _ := json.Marshal(e)
	return raw
}

// Every event is a schedule's, a queue's or refused; in a queue's only the bad records are delivered again.
func TestTriggers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		event        string
		ran, invoked int
		failed       string // message ids
		err          string
	}{
		"schedule":         {`{"stage":"SnosBatching"}`, 1, 0, "", ""},
		"of release 0.1":   {`{"worker":"Proving"}`, 1, 0, "", ""},
		"two names":        {`{"stage":"SnosRun","worker":"Snos"}`, 0, 0, "", "want one"},
		"unknown stage":    {`{"stage":"Nonsense"}`, 0, 0, "", "Nonsense"},
		"neither":          {`{}`, 0, 0, "", "no \"stage\""},
		"both":             {`{"stage":"SnosBatching","Records":[]}`, 0, 0, "", "both"},
		"no JSON":          {`nonsense`, 0, 0, "", "invalid"},
		"no object":        {`[1]`, 0, 0, "", "cannot"},
		"wake-up":          {string(sqsEvent(`{"stage":"SnosBatching"}`)), 1, 0, "", ""},
		"priority":         {string(sqsEvent(good)), 0, 1, "", ""},
		"close":            {string(sqsEvent(`{"stage":"SnosBatching","close":7}`)), 0, 0, "", ""},
		"one bad of three": {string(sqsEvent(good, "junk", `{"stage":"SnosBatching"}`)), 1, 1, "b", ""},
		"all bad":          {string(sqsEvent("", `{"stage":"x"}`)), 0, 0, "ab", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &calls{}
			h := &eventcontroller.Triggers{Messages: discard, Service: c, Invoker: c}
			out, err := h.Handle(t.Context(), json.RawMessage(tt.event))
			if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want one with %q", err, tt.err)
			}
			failed := ""
			if r, ok := out.(events.SQSEventResponse); ok {
				for _, f := range r.BatchItemFailures {
					failed += f.ItemIdentifier
				}
			}
			if asked := strings.Contains(tt.event, "close"); asked != (c.closed == 7) {
				t.Errorf("closed %d", c.closed)
			}
			if c.ran != tt.ran || c.invoked != tt.invoked || failed != tt.failed {
				t.Errorf("ran %d, invoked %d, failed %q; want %d, %d, %q",
					c.ran, c.invoked, failed, tt.ran, tt.invoked, tt.failed)
			}
		})
	}
}

// returned are messages that were given back.
type returned struct {
	ids   []string
	topic []string
	err   error
}

func (r *returned) Return(_ context.Context, topic string, d queue.Delivery) error {
	if r.err != nil {
		return r.err
	}
	r.ids, r.topic = append(r.ids, d.ID+" "+strconv.Itoa(d.Receives)), append(r.topic, topic)
	return nil
}

// kafkaRecord is a record as Lambda writes it.
func kafkaRecord(topic string, partition, offset int, value, headers string) string {
	return fmt.Sprintf(`{"topic":%q,"partition":%d,"offset":%d,"timestamp":1700000000000,`+
		`"timestampType":"CREATE_TIME","key":null,"value":%s,"headers":[%s]}`, topic, partition, offset, value, headers)
}

func kafkaValue(body string) string {
	return strconv.Quote(base64.StdEncoding.EncodeToString([]byte(body)))
}

// kafkaEvent is an event of partitions of a topic, each with its records.
func kafkaEvent(source string, partitions map[string][]string) string {
	var ps []string
	for name, rs := range partitions {
		ps = append(ps, fmt.Sprintf("%q:[%s]", name, strings.Join(rs, ",")))
	}
	return fmt.Sprintf(`{"eventSource":%q,"bootstrapServers":"b-1:9092,b-2:9092","records":{%s}}`, source,
		strings.Join(ps, ","))
}

// Records of several partitions are worked on; what fails is given back to its topic with its count, a tombstone is
// passed over, and an event that can't be read or given back fails as a whole.
func TestKafka(t *testing.T) {
	t.Parallel()
	const topic = "dev-snos-run-process"
	ok := func(p, o int) string { return kafkaRecord(topic, p, o, kafkaValue(good), "") }
	// the bytes of "2", and of a header of others with bytes above 127
	counted := `{"orchestrator-receives":[50]},{"orchestrator-id":[109,49]},{"trace":[-1,-128,127]}`
	for name, tt := range map[string]struct {
		event    string
		back     error
		invoked  int
		returned string
		err      string
	}{
		"amazon msk": {kafkaEvent("aws:kafka", map[string][]string{topic + "-0": {ok(0, 7)}}), nil, 1, "", ""},
		"several partitions": {kafkaEvent("SelfManagedKafka",
			map[string][]string{topic + "-0": {ok(0, 1), ok(0, 2)}, topic + "-1": {ok(1, 9)}}), nil, 3, "", ""},
		"tombstone": {kafkaEvent("SelfManagedKafka", map[string][]string{topic + "-0": {
			kafkaRecord(topic, 0, 1, "null", ""), kafkaRecord(topic, 0, 2, `""`, ""), ok(0, 3)}}), nil, 1, "", ""},
		"one of three is junk": {kafkaEvent("aws:SelfManagedKafka", map[string][]string{topic + "-2": {
			ok(2, 1), kafkaRecord(topic, 2, 2, kafkaValue("junk"), ""), ok(2, 3)}}), nil, 2, topic + "-2@2 1", ""},
		"counted": {kafkaEvent("SelfManagedKafka", map[string][]string{topic + "-0": {
			kafkaRecord(topic, 0, 1, kafkaValue("junk"), counted)}}), nil, 0, "m1 3", ""},
		"not given back": {kafkaEvent("SelfManagedKafka", map[string][]string{topic + "-0": {
			kafkaRecord("orders", 0, 1, kafkaValue("junk"), "")}}), queue.ErrUnknownQueue, 0, "", "unknown queue"},
		"no base64": {kafkaEvent("SelfManagedKafka", map[string][]string{topic + "-0": {
			ok(0, 1), kafkaRecord(topic, 0, 2, `"%%"`, "")}}), nil, 0, "", topic + "-0@2: its value is not base64"},
		"no topic": {kafkaEvent("SelfManagedKafka", map[string][]string{topic + "-0": {
			kafkaRecord("", 0, 2, kafkaValue(good), "")}}), nil, 0, "", "names no topic"},
		"another source": {kafkaEvent("aws:kinesis", nil), nil, 0, "", "aws:kinesis"},
		"no source":      {`{"records":{}}`, nil, 0, "", "want SQS"},
		"not a record":   {`{"eventSource":"aws:kafka","records":[1]}`, nil, 0, "", "not the JSON object"},
		"empty":          {kafkaEvent("aws:kafka", nil), nil, 0, "", ""},
		"neither":        {`{}`, nil, 0, "", `no "Records"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, back := &calls{}, &returned{err: tt.back}
			m := discard
			m.Return = back
			h := &eventcontroller.Jobs{Messages: m, Worker: c}
			out, err := h.Handle(t.Context(), json.RawMessage(tt.event))
			if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want one with %q", err, tt.err)
			}
			if out != nil {
				t.Errorf("answered %v: Kafka takes no answer", out)
			}
			if got := strings.Join(back.ids, ","); c.invoked != tt.invoked || got != tt.returned {
				t.Errorf("worked on %d and gave back %q, want %d and %q", c.invoked, got, tt.invoked, tt.returned)
			}
			if len(back.topic) > 0 && back.topic[0] != topic {
				t.Errorf("given back to %q", back.topic)
			}
		})
	}
}

// What fails is given back after a pause that grows with its receives and leaves the invocation time; without a failure
// nothing waits.
func TestKafkaPauses(t *testing.T) {
	t.Parallel()
	counted := func(receives string) string {
		return `{"orchestrator-receives":[` + receives + `]}`
	}
	junk := func(headers string) string { return kafkaRecord("t", 0, 1, kafkaValue("junk"), headers) }
	for name, tt := range map[string]struct {
		records []string
		left    time.Duration // of the invocation's time; 0: no end
		want    time.Duration
	}{
		"all done":         {[]string{kafkaRecord("t", 0, 1, kafkaValue(good), "")}, 0, 0},
		"the first time":   {[]string{junk("")}, 0, 2 * time.Second},
		"the third":        {[]string{junk(counted("50"))}, 0, 8 * time.Second},
		"the most counts":  {[]string{junk(""), junk(counted("51")), junk("")}, 0, 15 * time.Second},
		"no time is left":  {[]string{junk("")}, time.Second, 0},
		"little time left": {[]string{junk(counted("51"))}, 18 * time.Second, 14 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var held time.Duration
			back := &returned{}
			m := discard
			m.Return = back
			m.Hold = func(_ context.Context, d time.Duration) error {
				if len(back.ids) > 0 {
					t.Error("it waits after something was given back")
				}
				held += d
				return nil
			}
			ctx := t.Context()
			if tt.left > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.left)
				defer cancel()
			}
			h := &eventcontroller.Jobs{Messages: m, Worker: &calls{}}
			e := kafkaEvent("aws:kafka", map[string][]string{"t-0": tt.records})
			if _, err := h.Handle(ctx, json.RawMessage(e)); err != nil {
				t.Fatal(err)
			}
			if held > tt.want || held < tt.want-tt.want/4 {
				t.Errorf("waited %s, want %s", held, tt.want)
			}
		})
	}
}

// A deployment whose queues are SQS's does not take Kafka's events.
func TestKafkaIsNotConfigured(t *testing.T) {
	t.Parallel()
	h := &eventcontroller.Jobs{Messages: discard, Worker: &calls{}}
	e := kafkaEvent("aws:kafka", map[string][]string{"t-0": {kafkaRecord("t", 0, 1, kafkaValue(good), "")}})
	if _, err := h.Handle(t.Context(), json.RawMessage(e)); err == nil || !strings.Contains(err.Error(), "QUEUE_KIND") {
		t.Errorf("got %v", err)
	}
}

// FuzzTriggers feeds whole events: no panic, and nothing that is not a wake-up reaches a service.
func FuzzTriggers(f *testing.F) {
	f.Add([]byte(`{"stage":"SnosBatching"}`))
	f.Add([]byte(sqsEvent(good, "junk")))
	f.Add([]byte(`{"Records":[{"body":1}]}`))
	f.Add([]byte(kafkaEvent("aws:kafka", map[string][]string{"t-0": {kafkaRecord("t", 0, 1, kafkaValue(good), "")}})))
	f.Fuzz(func(t *testing.T, event []byte) {
		c := &calls{}
		m := discard
		m.Return = &returned{}
		h := &eventcontroller.Triggers{Messages: m, Service: c, Invoker: c}
		out, err := h.Handle(t.Context(), event)
		if err == nil && out == nil && c.ran != 1 && !bytes.Contains(event, []byte("afka")) {
			t.Errorf("%q did nothing and returned no error", event)
		}
	})
}
