// Package metrictest keeps what is measured, for tests.
package metrictest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// Recorder is a metric.Telemetry that keeps all it gets.
type Recorder struct {
	mu      sync.Mutex
	values  []metric.Value
	spans   []metric.Span
	flushes int
}

var _ metric.Telemetry = (*Recorder)(nil)

// Record implements metric.Telemetry.
func (r *Recorder) Record(_ context.Context, _ time.Time, vs ...metric.Value) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values = append(r.values, vs...)
}

// Trace implements metric.Telemetry.
func (r *Recorder) Trace(_ context.Context, s metric.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, s)
}

// Flush implements metric.Telemetry.
func (r *Recorder) Flush(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flushes++
	return nil
}

// Values are all values, in order.
func (r *Recorder) Values() []metric.Value {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.values)
}

// Spans are all spans, in order of their ends.
func (r *Recorder) Spans() []metric.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Flushes is how often Flush was called.
func (r *Recorder) Flushes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flushes
}

// Of are the values of a metric, in order.
func (r *Recorder) Of(n metric.Name) []metric.Value {
	return slices.DeleteFunc(r.Values(), func(v metric.Value) bool { return v.Name != n })
}

// Newest is the newest value of each metric.
func (r *Recorder) Newest() map[metric.Name]float64 {
	out := map[metric.Name]float64{}
	for _, v := range r.Values() {
		out[v.Name] = v.Value
	}
	return out
}
