package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/scripts/platform"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// chainName is the deployment's name in a local run.
const chainName = "local"

// pace is how much faster than in the cloud jobs are polled and schedules fire.
const pace = 40

// queues is what a run has of queues: the functions send, the platform receives.
type queues interface{ queue.Queue }

// core returns the ports of queues and stores, in memory.
func memoryCore(o options, log *slog.Logger) (setup.Core, queues, error) {
	var env *memory.Env
	var ds []memory.Declaration
	for _, q := range resource.Queues() {
		ds = append(ds, memory.Declaration{Name: q.Name, Visibility: q.Visibility, MaxReceives: q.MaxReceives, DeadLetter: q.DeadLetter})
	}
	qs, err := memory.NewQueues(env, ds...)
	if err != nil {
		return setup.Core{}, nil, err
	}
	return setup.Core{
		Chain: chainName, Layer: o.layer, Jobs: memory.NewJobs(env), Batches: memory.NewBatches(env), Locks: memory.NewLocks(env),
		Control: memory.NewControls(env), Queue: qs, Artifacts: memory.NewArtifacts(env), Alerts: memory.NewAlerts(env),
		Events: memory.NewEvents(env), Policies: job.Paced(job.Policies(), pace), Now: time.Now, Log: log,
	}, qs, nil
}

// newPlatform maps queues and schedules to the functions as resource declares them.
func newPlatform(o options, core setup.Core, qs queues, fs map[string]platform.Function, log *slog.Logger) *platform.Platform {
	p := &platform.Platform{
		Queues: qs, Functions: fs, Timeouts: map[string]time.Duration{}, Trigger: resource.FnTrigger,
		LongPoll: 5 * time.Second, Log: log,
	}
	for _, f := range resource.Functions() {
		p.Timeouts[f.Name] = f.Timeout
	}
	for _, q := range resource.Queues() {
		if slices.Contains(q.Layers, o.layer) {
			p.Mappings = append(p.Mappings, platform.Mapping{
				Queue: name(core, q.Name), Function: q.Function, BatchSize: q.BatchSize, MaxConcurrency: q.MaxConcurrency,
			})
		}
	}
	for _, s := range resource.Schedules() {
		if slices.Contains(s.Layers, o.layer) {
			p.Ticks = append(p.Ticks, platform.Tick{Worker: s.Worker, Every: max(s.Every/(4*pace), 250*time.Millisecond)})
		}
	}
	return p
}

func name(core setup.Core, queue string) string {
	if core.QueueName == nil {
		return queue
	}
	return core.QueueName(queue)
}

// invoke runs a job type's function with one message, as the trigger function does by the Lambda API.
func invoke(p *platform.Platform) func(ctx context.Context, t job.Type, body string) error {
	return func(ctx context.Context, t job.Type, body string) error {
		return p.InvokeMessage(ctx, resource.FunctionOf(t), body)
	}
}

// errEnded is wrapped by what ends a run for good.
var errEnded = errors.New("the run can't go on")

// until asks again and again until it is done, ctx ends, or the answer is errEnded.
func until(ctx context.Context, every time.Duration, done func(context.Context) (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		ok, err := done(ctx)
		if ok {
			return nil
		}
		if errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}
