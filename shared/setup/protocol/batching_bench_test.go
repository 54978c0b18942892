package protocol_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
	"github.com/madara-orchestrator/orchestrator/shared/service/batching"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
)

// distant is a node that answers after a while.
type distant struct{ after time.Duration }

func (d distant) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(d.after)
	return http.DefaultTransport.RoundTrip(r)
}

// client makes the product's own requests to a node that is here, and slow ones to one that is not; nil is the former.
func client(after time.Duration) *http.Client {
	if after == 0 {
		return nil
	}
	return &http.Client{Transport: distant{after}}
}

// blocks is the length of the chain that is batched.
const blocks = 1000

// BenchmarkBatching batches a chain of blocks that a node serves over HTTP, here or 20 ms away.
func BenchmarkBatching(b *testing.B) {
	chain, err := devappchain.Start(devappchain.Options{Seed: 1, Blocks: blocks})
	if err != nil {
		b.Fatal(err)
	}
	defer chain.Close()
	for _, layer := range []stage.Layer{stage.L2, stage.L3} {
		for _, after := range []time.Duration{0, 20 * time.Millisecond} {
			b.Run(fmt.Sprintf("%s/%s", layer, after), func(b *testing.B) {
				for range b.N {
					batchAll(b, layer, chain, after)
				}
				b.ReportMetric(float64(blocks*b.N)/b.Elapsed().Minutes(), "blocks/min")
			})
		}
	}
}

func batchAll(b *testing.B, layer stage.Layer, chain *devappchain.Chain, after time.Duration) {
	b.Helper()
	source, err := appchain.New(appchain.Config{URL: chain.URL(), GatewayURL: chain.GatewayURL()},
		appchain.Deps{HTTP: client(after)})
	if err != nil {
		b.Fatal(err)
	}
	queues, err := memory.NewQueues(nil, memory.Declaration{Name: "q"})
	if err != nil {
		b.Fatal(err)
	}
	owners, batches := 0, memory.NewBatches(nil)
	log := slog.New(slog.DiscardHandler)
	w := &batching.Batcher{
		Source: source, Batches: batches, Locks: memory.NewLocks(nil), Artifacts: memory.NewArtifacts(nil),
		Prover: prover.New(nil, prover.Config{}), NewSizer: protocol.NewSizer, Events: memory.NewEvents(nil),
		Limits: batch.DefaultLimits(),
		Alerts: &alerting.Reporter{Notifier: memory.NewAlerts(nil), Store: memory.NewReports(nil),
			Now: time.Now, Log: log}, AtOnce: true,
		Wake: &executor.Waker{Queue: queues, QueueName: "q", Layer: layer}, Now: time.Now, Log: log,
		NewOwner: func() string { owners++; return fmt.Sprint(owners) },
	}
	for last := uint64(0); last < blocks-1; {
		var err error
		if layer == stage.L2 {
			err = w.RunAggregator(b.Context())
			a, _ := batches.LastAggregator(b.Context())
			last = a.EndBlock
		} else {
			err = w.RunSnos(b.Context())
			s, _ := batches.LastSnos(b.Context())
			last = s.EndBlock
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
