package triggering

import (
	"context"
	"math/big"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// measureSettled records what a settled batch took and cost, and ends its trace with the span that all others hang
// from. A batch whose move was lost to another run is measured there.
func (t *Triggers) measureSettled(ctx context.Context, settled job.Job, s batch.Span, l batch.Ledger, trace string) {
	took := max(0, settled.EndedAt.Sub(s.OpenedAt))
	vs := []metric.Value{{Name: metric.SettleSeconds, Value: took.Seconds()}}
	if l.Fee != nil {
		fee, _ := new(big.Float).SetInt(l.Fee).Float64()
		vs = append(vs, metric.Value{Name: metric.FeePaid, Value: fee})
	}
	if l.DataFee != nil {
		fee, _ := new(big.Float).SetInt(l.DataFee).Float64()
		vs = append(vs, metric.Value{Name: metric.DataFeePaid, Value: fee})
	}
	if l.ProverSteps > 0 { // unknown ones are not measured
		vs = append(vs, metric.Value{Name: metric.ProverSteps, Value: float64(l.ProverSteps)})
	}
	metric.Record(ctx, t.Now(), vs...)
	metric.Trace(ctx, metric.Span{
		Trace: trace, ID: metric.BatchSpan(trace), Name: t.Settings.Layer.BatchName(settled.Type, settled.Batch),
		Start: s.OpenedAt, End: s.OpenedAt.Add(took),
		Attrs: []metric.Attr{{Key: "chain", Text: t.Settings.Chain}, {Key: "batch", Number: int64(settled.Batch)},
			{Key: "start_block", Number: int64(s.StartBlock)}, {Key: "end_block", Number: int64(s.EndBlock)},
			{Key: "transaction", Text: l.Tx}},
	})
}
