package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// soak is how long the tests with killed processes go on; unset, they settle one small chain.
func soak(t *testing.T) time.Duration {
	t.Helper()
	v := os.Getenv("ORCHESTRATOR_SOAK_TIME")
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		t.Fatalf("ORCHESTRATOR_SOAK_TIME: %v", err)
	}
	return d
}

// Functions are killed at random with SIGKILL, mongod and the Ethereum node hang for a while, queues are filled with
// wake-ups that were there already and emptied: every batch is settled once.
func TestKilled(t *testing.T) {
	t.Parallel()
	began := time.Now()
	for round := 0; round == 0 || time.Since(began) < soak(t); round++ {
		m := killed(t, round)
		t.Logf("round %d: %d processes killed, %d pauses, %d messages too many, %d queues emptied, settled once; %s "+
			"in all",
			round, m.kills, m.pauses, m.sent, m.emptied, time.Since(began).Round(time.Second))
	}
}

// mischief is what was done to a deployment.
type mischief struct{ kills, pauses, sent, emptied int }

func killed(t *testing.T, round int) (m mischief) {
	t.Helper()
	mongo := tools.MongodAlone(t)
	w := newWorld(t, stack.Options{Name: "killed-" + string(rune('a'+round%26)) + job.NewID()[:6], Blocks: 6,
		Mongo: mongo, Ethereum: tools.AnvilAlone(t, anvil...), Visibility: 5 * time.Second})
	r := rand.New(rand.NewPCG(uint64(round), 9))
	names := make([]string, 0, len(w.binaries))
	for n := range w.binaries {
		names = append(names, n)
	}
	slices.Sort(names)
	step := 0
	w.settle(t, 7*time.Minute, func() {
		step++
		if b := w.binaries[names[r.IntN(len(names))]]; step%4 == 0 && (m.kills < 12 || soak(t) > 0) && b.KillOne(r) {
			m.kills++
		}
		if step%60 == 17 {
			resume, err := tools.Pause([]string{mongo, w.ethereum}[m.pauses%2])
			if err != nil {
				t.Error(err)
				return
			}
			time.AfterFunc(time.Second, resume)
			m.pauses++
		}
		if step%40 == 25 || m.sent == 0 && step > 25 {
			m.sent += w.flood(t)
		}
		if step%80 == 50 && w.empty(t, r) {
			m.emptied++
		}
	})
	w.check(t)
	if m.kills < 3 || m.sent == 0 {
		t.Errorf("%+v: this shows nothing", m)
	}
	for _, b := range w.binaries {
		b.Close()
	}
	w.Close()
	return m
}

// flood sends the wake-ups of all jobs again, five times each, and as often those of the generation before. It returns
// how many.
func (w *world) flood(t *testing.T) (sent int) {
	t.Helper()
	for _, jt := range job.Types {
		js, err := w.DB.Jobs().List(t.Context(), job.Filter{Type: jt, Limit: 20})
		if err != nil {
			continue // the database hangs
		}
		for _, j := range js {
			if j.NextAction == job.None {
				continue
			}
			now := j.Wakeup()
			before := now
			before.Generation--
			queueName := resource.Physical(w.name, resource.Route(j.Type, j.NextAction, false))
			for range 5 {
				if err := w.Queues.Send(t.Context(), queueName, queue.Outgoing{Body: now.Encode()},
					queue.Outgoing{Body: before.Encode()}); err != nil {
					t.Error(err)
				}
				sent += 2
			}
		}
	}
	return sent
}

// empty purges the queue of a stage; false where that was done just before, which SQS refuses.
func (w *world) empty(t *testing.T, r *rand.Rand) bool {
	t.Helper()
	stages := []job.Type{job.SnosRun, job.ProofCreation, job.Aggregator, job.StateTransition}
	name := resource.Physical(w.name,
		resource.Route(stages[r.IntN(len(stages))], []job.Action{job.Process, job.Verify}[r.IntN(2)], false))
	api := sqs.NewFromConfig(devcloud.Config(w.aws))
	u, err := api.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		t.Error(err)
		return false
	}
	_, err = api.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: u.QueueUrl})
	var busy *types.PurgeQueueInProgress
	if err != nil && !errors.As(err, &busy) {
		t.Error(err)
	}
	return err == nil
}

// alerts subscribes a queue to the alerts' topic and returns what came so far, at each call.
func (w *world) alerts(t *testing.T) func() string {
	t.Helper()
	q, err := devcloud.Subscribe(t.Context(), devcloud.Config(w.aws), w.TopicARN, w.name+"-alerts-seen")
	if err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	return func() string {
		ms, _ := q.New(t.Context()) // asked again
		for _, m := range ms {
			fmt.Fprintf(&seen, "%+v\n", m)
		}
		return seen.String()
	}
}

// Messages that nobody can read end in the dead-letter queue. Its consumer logs each of them, alerts the operators
// once, and takes nothing else along.
func TestPoisonedMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stack.Options{Name: "poisoned", Blocks: 4, Visibility: time.Second})
	alerts := w.alerts(t)
	for _, q := range []string{resource.Route(job.SnosRun, job.Process, false),
		resource.Route(job.StateTransition, job.Verify, false), resource.TriggerQueue} {
		for _, body := range []string{"POISON {", `{"job_id":"POISON"}`} {
			if err := w.Queues.Send(t.Context(), resource.Physical(w.name, q), queue.Outgoing{Body: body}); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.during(t, 2*time.Minute, func(ctx context.Context) bool {
		s, err := w.Contract.State(ctx, false)
		logged := 0
		for _, line := range w.logs.lines(`"dead letter"`) {
			logged += strings.Count(line, "POISON")
		}
		return err == nil && s.Settled && s.Block == w.Last && logged >= 6 && strings.Contains(alerts(), "POISON")
	})
	if n := strings.Count(alerts(), "It begins"); n != 1 {
		t.Errorf("%d alerts of one cause, want 1", n)
	}
	w.check(t)
}

// An operator's command goes past the stages' queues: the trigger function invokes the job's own.
func TestPriority(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stack.Options{Name: "priority", Blocks: 4})
	// Only the trigger function consumes: what is done beyond creating jobs is done by priority.
	w.platform.Mappings = slices.DeleteFunc(w.platform.Mappings,
		func(m devlambda.Mapping) bool { return m.Function != resource.FnTrigger })
	sent := false
	w.during(t, time.Minute, func(ctx context.Context) bool {
		j, err := w.DB.Jobs().Find(ctx, job.SnosRun, 1)
		if err != nil {
			return false
		}
		if !sent {
			m := job.Message{JobID: j.ID, Type: j.Type, Action: job.Process, Generation: j.Generation}
			if err := w.Queues.Send(ctx, resource.Physical(w.name, resource.PriorityProcessQueue),
				queue.Outgoing{Body: m.Encode()}); err != nil {
				t.Fatal(err)
			}
			sent = true
		}
		return j.Status == job.PendingVerification
	})
	if w.endpoint.Invoked() == 0 {
		t.Error("the trigger function invoked no function")
	}
}
