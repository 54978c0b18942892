package metric

import (
	"context"
	"log/slog"
	"time"
)

// Logger writes what CloudWatch is to have as lines of the log in CloudWatch's embedded metric format, so that it costs
// no request and needs no client. The log carries the attribute Chain, a dimension, itself. It drops spans.
type Logger struct{ Log *slog.Logger }

var _ Telemetry = Logger{}

type definition struct {
	Name Name
	Unit string
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

// Record implements Telemetry. Values without a dimension of their own share a line.
func (l Logger) Record(ctx context.Context, at time.Time, vs ...Value) {
	var plain []Value
	for _, v := range vs {
		switch m, _ := Find(v.Name); {
		case !m.CloudWatch:
		case m.Dimension == "":
			plain = append(plain, v)
		default:
			l.line(ctx, at, m.Dimension, v)
		}
	}
	if len(plain) > 0 {
		l.line(ctx, at, "", plain...)
	}
}

// Trace implements Telemetry.
func (Logger) Trace(context.Context, Span) {}

// Flush implements Telemetry.
func (Logger) Flush(context.Context) error { return nil }

// line writes values, with the dimension dim of the first one where it is not "".
func (l Logger) line(ctx context.Context, at time.Time, dim Label, vs ...Value) {
	d := directive{Namespace: Namespace, Dimensions: [][]string{{Chain}}}
	var attrs []any
	if dim != "" {
		d.Dimensions = append(d.Dimensions, []string{Chain, string(dim)})
		attrs = append(attrs, slog.String(string(dim), vs[0].Labels[dim]))
	}
	for _, v := range vs {
		m, _ := Find(v.Name)
		d.Metrics = append(d.Metrics, definition{v.Name, cloudWatchUnit(m)})
		attrs = append(attrs, slog.Float64(string(v.Name), v.Value))
	}
	attrs = append(attrs,
		slog.Any("_aws", map[string]any{"Timestamp": at.UnixMilli(), "CloudWatchMetrics": []directive{d}}))
	l.Log.InfoContext(ctx, "metrics", attrs...)
}

// cloudWatchUnit is CloudWatch's name of what a metric counts.
func cloudWatchUnit(m Metric) string {
	switch {
	case m.Unit == "s":
		return "Seconds"
	case m.Unit == "{unit}", m.Name == HeadBlock, m.Name == SettledBlock: // numbers, and sums of money
		return "None"
	default:
		return "Count"
	}
}
