package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/simulation"
)

// Assumptions are what the count depends on and only an operator knows.
type Assumptions struct {
	SnosBlocks, Blocks uint64        // of a SNOS batch and of an aggregator batch
	Run, Proof         time.Duration // of a SNOS run and of a proof
	PIE                float64       // MB
	WorkDays           int           // how long PIEs stay after their batch is settled for good

	Intervals schedule.Intervals // of trigger workers, where they differ from the defaults
	Reports   bool               // the prover's webhooks and AWS Batch's events say when work has ended
	LogLevel  slog.Level
	Kafka     bool // the queues are topics; their brokers are not counted
	Heads     bool // the function heads wakes batching
	X86       bool // architecture
	WalletKMS bool // a KMS key signs
}

// Usual are the closing rules' defaults, with times and sizes of a chain of moderate load.
func Usual() Assumptions {
	l := batch.DefaultLimits()
	return Assumptions{SnosBlocks: l.SnosBlocks, Blocks: l.Blocks, Run: 5 * time.Minute,
		Proof: 20 * time.Minute, PIE: 20, WorkDays: resource.WorkDays}
}

// Model is what a deployment does in an hour: without blocks, and more for each block.
type Model struct {
	Layer stage.Layer
	Assumptions
	Idle     Count // an hour
	PerBlock Count
	PerHead  Count // what each wake-up of batching for new blocks adds, with Heads
	// Series are the time series that are logged for CloudWatch while there are blocks.
	Series map[string]bool
}

// Count is what was asked of the services.
type Count struct {
	Invocations map[string]float64
	Calls       map[simulation.Call]float64
	Received    float64 // requests by which messages are received and deleted
	LogBytes    float64
	Runs        float64 // of SNOS, and of its aggregator
}

// measured are the blocks that are settled to count: of so many that what begins and ends hardly shows.
const measured = 3000

// learning are the blocks that are settled before, so that it is known how long runs and proofs take.
const learning = 600

// Measure simulates an hour without blocks and a chain until it is settled.
func Measure(ctx context.Context, layer stage.Layer, a Assumptions) (Model, error) {
	m := Model{Layer: layer, Assumptions: a}
	learned, err := m.run(ctx, learning, nil, false)
	if err != nil {
		return m, fmt.Errorf("simulate a chain that learns: %w", err)
	}
	idle, err := m.run(ctx, 0, nil, false)
	if err != nil {
		return m, fmt.Errorf("simulate an idle chain: %w", err)
	}
	busy, err := m.run(ctx, measured, learned.paces, false)
	if err != nil {
		return m, fmt.Errorf("simulate a chain: %w", err)
	}
	m.Idle = idle.count(1 / idle.hours)
	m.Series = busy.series
	perBlock := func(s sample) Count { return s.count(1.0/measured).minus(m.Idle, s.hours/measured) }
	m.PerBlock = perBlock(busy)
	if a.Heads {
		woken, err := m.run(ctx, measured, learned.paces, true)
		if err != nil {
			return m, fmt.Errorf("simulate a chain with heads: %w", err)
		}
		m.PerHead = perBlock(woken).minus(m.PerBlock, 1)
		m.Idle.Invocations[resource.FnHeads] = time.Hour.Hours() / resource.HeadsEvery.Hours()
	}
	return m, nil
}

// sample is one simulation's count.
type sample struct {
	usage simulation.Usage
	bytes int
	runs  int
	paces *memory.Paces
	hours float64
	// series are the time series that were logged.
	series map[string]bool
}

// series keeps the names of the time series that it logs.
type series struct {
	metric.Logger
	seen map[string]bool
}

// Record implements metric.Telemetry.
func (s series) Record(ctx context.Context, at time.Time, vs ...metric.Value) {
	for _, v := range vs {
		m, _ := metric.Find(v.Name)
		if !m.CloudWatch {
			continue
		}
		s.seen[string(v.Name)] = true
		if m.Dimension != "" {
			s.seen[string(v.Name)+"/"+v.Labels[m.Dimension]] = true
		}
	}
	s.Logger.Record(ctx, at, vs...)
}

// counter counts the bytes that are written to it.
type counter int

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// mostSteps ends a simulation that does not settle.
const mostSteps = 2_000_000

// run simulates a chain, and with heads a wake-up of batching for each block.
func (m Model) run(ctx context.Context, blocks int, learned *memory.Paces, heads bool) (sample, error) {
	var logged counter
	lines := func(least slog.Level) *slog.Logger {
		return slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: least})).
			With("chain", "sim", "function", "statetransition")
	}
	logs := series{metric.Logger{Log: lines(slog.LevelInfo)}, map[string]bool{}}
	ctx = metric.With(ctx, logs)
	limits := batch.DefaultLimits()
	limits.SnosBlocks, limits.Blocks = m.SnosBlocks, m.Blocks
	w, err := simulation.New(simulation.Config{
		Seed: 1, Layer: m.Layer, Blocks: blocks, BlockTime: time.Second, Prompt: true, Window: 200, Limits: limits,
		Run: m.Run, Proof: m.Proof, Intervals: m.Intervals, Reports: m.Reports, NoDelay: m.Kafka, Heads: heads,
		Learned: learned, Log: lines(m.LogLevel),
	})
	if err != nil {
		return sample{}, err
	}
	begin := w.Now()
	for done := false; !done; {
		if w.Steps > mostSteps {
			return sample{}, fmt.Errorf("not settled after %d steps: %s", w.Steps, w.Describe(ctx))
		}
		if err := w.Step(ctx); err != nil {
			return sample{}, err
		}
		if blocks == 0 {
			done = w.Now().Sub(begin) >= 6*time.Hour
		} else if done, err = w.Done(ctx, uint64(blocks-1)); err != nil {
			return sample{}, err
		}
	}
	return sample{usage: w.Usage, bytes: int(logged), runs: len(w.Runner.Runs()), paces: w.Paces,
		hours: w.Now().Sub(begin).Hours(), series: logs.seen}, nil
}

// count is the sample times a factor.
func (s sample) count(factor float64) Count {
	c := Count{Invocations: map[string]float64{}, Calls: map[simulation.Call]float64{},
		Received: float64(s.usage.Received) * factor, LogBytes: float64(s.bytes) * factor,
		Runs: float64(s.runs) * factor}
	for k, n := range s.usage.Invocations {
		c.Invocations[k] = float64(n) * factor
	}
	for k, n := range s.usage.Calls {
		c.Calls[k] = float64(n) * factor
	}
	return c
}

// minus takes a part of another count away; nothing gets below 0.
func (c Count) minus(o Count, part float64) Count { return c.combine(o, -part) }

// plus adds another count some times.
func (c Count) plus(o Count, times float64) Count { return c.combine(o, times) }

func (c Count) combine(o Count, times float64) Count {
	sum := func(a, b float64) float64 { return max(a+b*times, 0) }
	out := Count{Invocations: maps.Clone(c.Invocations), Calls: maps.Clone(c.Calls),
		Received: sum(c.Received, o.Received), LogBytes: sum(c.LogBytes, o.LogBytes),
		Runs: sum(c.Runs, o.Runs)}
	for k, n := range o.Invocations {
		out.Invocations[k] = sum(out.Invocations[k], n)
	}
	for k, n := range o.Calls {
		out.Calls[k] = sum(out.Calls[k], n)
	}
	return out
}
