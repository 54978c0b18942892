package executor

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
)

// successors are the workers that a completed job makes work for.
var successors = map[schedule.Layer]map[job.Type][]schedule.Worker{
	schedule.L2: {
		job.SnosRun:         {schedule.Proving, schedule.Snos},
		job.ProofCreation:   {schedule.Aggregator},
		job.Aggregator:      {schedule.UpdateState},
		job.StateTransition: {schedule.UpdateState},
	},
	schedule.L3: {
		job.SnosRun:           {schedule.Proving, schedule.Snos},
		job.ProofCreation:     {schedule.ProofRegistration},
		job.ProofRegistration: {schedule.DataSubmission},
		job.DataSubmission:    {schedule.UpdateState},
		job.StateTransition:   {schedule.UpdateState},
	},
}

// Waker runs trigger workers at once by a message. A lost message costs latency only: every worker also has a schedule.
type Waker struct {
	Queue     queue.Sender
	QueueName string // the trigger queue
	Layer     schedule.Layer
	Log       *slog.Logger
}

// After wakes the workers that a completed job of the type makes work for.
func (w *Waker) After(ctx context.Context, t job.Type) { w.Run(ctx, successors[w.Layer][t]...) }

// Run wakes workers.
func (w *Waker) Run(ctx context.Context, workers ...schedule.Worker) {
	ms := make([]queue.Outgoing, 0, len(workers))
	for _, name := range workers {
		b, err := json.Marshal(schedule.Wakeup{Worker: name})
		if err != nil {
			panic(err) // a string always marshals
		}
		ms = append(ms, queue.Outgoing{Body: string(b)})
	}
	if len(ms) == 0 {
		return
	}
	if err := w.Queue.Send(ctx, w.QueueName, ms...); err != nil && w.Log != nil {
		w.Log.WarnContext(ctx, "workers not woken, their schedules will run them", "workers", workers, "error", err)
	}
}
