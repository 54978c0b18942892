package setup_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// A block that a real websocket announces wakes batching: nothing else does here, there are no schedules.
func TestABlockWakesBatching(t *testing.T) {
	t.Parallel()
	chain, err := devappchain.Start(devappchain.Options{Blocks: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer chain.Close()
	source, err := appchain.New(appchain.Config{URL: chain.URL(), WebsocketURL: chain.WebsocketURL(),
		ChainID: chain.ChainID()}, appchain.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	queues, err := memory.NewQueues(nil, memory.Declaration{Name: resource.TriggerQueue})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	core := setup.App{Layer: stage.L2, Queue: queues}
	go func() { ended <- core.Listener(source).Listen(ctx) }()
	woken := func(within time.Duration) (stages []string) {
		for until := time.Now().Add(within); time.Now().Before(until) && len(stages) < 2; {
			ds, err := queues.Receive(ctx, resource.TriggerQueue, 10, time.Until(until))
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range ds {
				w, _, _ := schedule.Decode([]byte(d.Body))
				stages = append(stages, string(w.Stage))
				_ = queues.Delete(ctx, resource.TriggerQueue, d.Handle)
			}
		}
		slices.Sort(stages)
		return stages
	}
	for len(woken(50*time.Millisecond)) == 0 { // until the subscription stands
		chain.Advance(1)
	}
	woken(1500 * time.Millisecond) // what came with the last of them
	for range 3 {
		chain.Advance(1)
		if got := woken(15 * time.Second); len(got) < 2 {
			t.Errorf("a block woke %q", got)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
