package kafka_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/sqs"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// wakeups sends n wake-ups one by one from several senders, as functions do, receives and acknowledges them, and
// returns how many went through a second.
func wakeups(b *testing.B, q queue.Queue, name string, n int) float64 {
	b.Helper()
	const senders, receivers = 4, 4
	body := job.Message{JobID: "0123456789abcdef0123456789abcdef", Type: job.SnosRun, Action: job.Process,
		Generation: 1}.Encode()
	ctx, done := context.WithTimeout(b.Context(), 5*time.Minute)
	defer done()
	if _, err := q.Receive(ctx, name, 1, 0); err != nil { // joins
		b.Fatal(err)
	}
	var sent, got atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range senders {
		wg.Go(func() {
			for sent.Add(1) <= int64(n) {
				if err := q.Send(ctx, name, queue.Outgoing{Body: body}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	for range receivers {
		wg.Go(func() {
			for got.Load() < int64(n) && ctx.Err() == nil {
				ds, err := q.Receive(ctx, name, 10, time.Second)
				if err != nil {
					b.Error(err)
					return
				}
				for _, d := range ds {
					if err := q.Delete(ctx, name, d.Handle); err != nil {
						b.Error(err)
					}
				}
				got.Add(int64(len(ds)))
			}
		})
	}
	wg.Wait()
	return float64(got.Load()) / time.Since(began).Seconds()
}

// BenchmarkWakeups compares a Kafka broker with SQS as ministack has it, in one run.
func BenchmarkWakeups(b *testing.B) {
	topic, dead := declared(5)
	k := open(b, []string{tools.Kafka(b).Address}, topic, dead)
	cfg := devcloud.Config(tools.Ministack(b))
	if _, err := devcloud.Provision(b.Context(), cfg, devcloud.Options{Chain: "bench", Layer: stage.L2}); err != nil {
		b.Fatal(err)
	}
	var ofKafka, ofSQS float64
	for b.Loop() {
		ofKafka += wakeups(b, k, topic.Name, 2000)
		ofSQS += wakeups(b, sqs.New(cfg), resource.Physical("bench", resource.Queues()[0].Name), 400)
	}
	b.ReportMetric(ofKafka/float64(b.N), "kafka/s")
	b.ReportMetric(ofSQS/float64(b.N), "sqs/s")
	b.ReportMetric(ofKafka/ofSQS, "kafka-to-sqs")
}
