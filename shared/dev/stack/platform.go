package stack

import (
	"log/slog"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// NewPlatform returns a platform with a deployment's queues and schedules, as shared/resource declares them for its
// layer. The functions are the caller's to add. Schedules run 60 times as often, at most every two seconds.
func NewPlatform(name string, l stage.Layer, queues queue.Queue) *devlambda.Platform {
	p := &devlambda.Platform{
		Queues: queues, Functions: map[string]devlambda.Function{}, Timeouts: map[string]time.Duration{},
		Trigger: resource.FnTrigger, LongPoll: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
	for _, q := range resource.Queues() {
		if slices.Contains(q.Layers, l) {
			p.Mappings = append(p.Mappings, devlambda.Mapping{
				Queue: resource.Physical(name, q.Name), Function: q.Function,
				BatchSize: q.BatchSize, MaxConcurrency: 1,
			})
		}
	}
	for _, s := range resource.Schedules() {
		if slices.Contains(s.Layers, l) {
			p.Ticks = append(p.Ticks, devlambda.Tick{Stage: s.Stage, Every: max(s.Every/60, 2*time.Second)})
		}
	}
	return p
}

// Consumers are the functions of a layer that queues and schedules invoke: all but those behind HTTP.
func Consumers(l stage.Layer) []resource.Function {
	var out []resource.Function
	for _, f := range resource.Functions() {
		if f.Name != resource.FnAPI && f.Name != resource.FnHooks && !f.Optional && slices.Contains(f.Layers, l) {
			out = append(out, f)
		}
	}
	return out
}
