package batching

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// measure records a closed batch, and the span of the time while it was open.
func (b *Batcher) measure(ctx context.Context, index uint64, s batch.Span, trace, kind string, fill float64) {
	of := metric.Labels{metric.BatchKind: kind}
	metric.Record(ctx, b.Now(),
		metric.Value{Name: metric.BatchesClosed, Value: 1,
			Labels: metric.Labels{metric.BatchKind: kind, metric.Rule: string(s.Reason)}},
		metric.Value{Name: metric.BatchBlocks, Value: float64(s.Blocks()), Labels: of},
		metric.Value{Name: metric.BatchFill, Value: fill, Labels: of})
	metric.Trace(ctx, metric.Span{
		Trace: trace, ID: metric.OpenSpan(trace, kind, s.StartBlock), Parent: metric.BatchSpan(trace),
		Name: kind + " batch is open", Start: s.OpenedAt, End: s.ClosedAt,
		Attrs: []metric.Attr{{Key: "batch", Number: int64(index)}, {Key: "closed_by", Text: string(s.Reason)},
			{Key: "start_block", Number: int64(s.StartBlock)}, {Key: "end_block", Number: int64(s.EndBlock)}},
	})
}
