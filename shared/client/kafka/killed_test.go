package kafka_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// flows waits until messages flow again.
func flows(t *testing.T, received func() int) {
	t.Helper()
	before := received()
	for deadline := time.Now().Add(time.Minute); received() < before+30; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages within a minute", received()-before)
		}
	}
}

// With a real broker that is killed again and again while messages are sent and received, no message that Send took is
// lost.
func TestBrokerIsKilled(t *testing.T) {
	t.Parallel()
	broker := tools.Kafka(t)
	topic, dead := declared(3)
	topic.MaxReceives, topic.Visibility = 0, 2*time.Second // a message is received as often as it takes
	c := open(t, []string{broker.Address}, topic, dead)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	taken, got, refused := map[string]bool{}, map[string]int{}, 0
	var sending, receiving sync.WaitGroup
	for s := range 3 {
		sending.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				body := fmt.Sprintf("%d/%d", s, n)
				err := c.Send(t.Context(), topic.Name, queue.Outgoing{Body: body})
				mu.Lock()
				if taken[body] = err == nil; err != nil {
					refused++
				}
				mu.Unlock()
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	done, end := context.WithCancel(t.Context())
	defer end()
	receiving.Go(func() {
		for done.Err() == nil {
			ds, err := c.Receive(done, topic.Name, 10, 200*time.Millisecond)
			if err != nil {
				time.Sleep(50 * time.Millisecond)
				continue
			}
			for i, d := range ds {
				if i%7 == 3 && d.Receives == 1 { // some fail the first time
					_ = c.ChangeVisibility(done, topic.Name, d.Handle, 0)
					continue
				}
				mu.Lock()
				got[d.Body]++
				mu.Unlock()
				_ = c.Delete(done, topic.Name, d.Handle)
			}
		}
	})
	kills := tools.Kills()
	for range kills {
		flows(t, func() int { mu.Lock(); defer mu.Unlock(); return len(got) })
		broker.Kill()
		time.Sleep(200 * time.Millisecond)
		if err := broker.Start(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	sending.Wait()
	lost := func() (out []string) {
		mu.Lock()
		defer mu.Unlock()
		for body, ok := range taken {
			if ok && got[body] == 0 {
				out = append(out, body)
			}
		}
		return out
	}
	for deadline := time.Now().Add(time.Minute); len(lost()) > 0 && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	end()
	receiving.Wait()
	twice := 0
	for _, n := range got {
		if n > 1 {
			twice++
		}
	}
	if l := lost(); len(l) > 0 {
		t.Errorf("%d messages are lost, such as %q", len(l), l[0])
	}
	if len(taken) < 100 || len(taken) == refused {
		t.Errorf("only %d messages were sent, %d of them refused", len(taken), refused)
	}
	t.Logf("broker killed %d times: %d messages taken, lost %d, received more than once %d, refused %d",
		kills, len(taken)-refused, len(lost()), twice, refused)
}
