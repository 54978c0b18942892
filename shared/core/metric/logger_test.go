package metric_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// line is what CloudWatch reads of a line of the log (AWS, "CloudWatch embedded metric format").
type line struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	} `json:"_aws"`
}

// CloudWatch gets what the table says, and every dimension and metric that a line names is in the line.
func TestLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	ctx := metric.With(t.Context(), metric.Logger{Log: slog.New(slog.NewJSONHandler(&out, nil)).With("chain", "c")})
	metric.Record(ctx, at,
		metric.Value{Name: metric.LagSeconds, Value: 3}, metric.Value{Name: metric.HeadBlock, Value: 7},
		metric.Value{Name: metric.StageSeconds, Value: 5, Labels: metric.Labels{metric.Stage: "SnosRun"}},
		metric.Value{Name: metric.QueueSeconds, Value: 5}, metric.Value{Name: metric.WalletBalance, Value: 1e18})
	var got []string
	for raw := range bytes.Lines(out.Bytes()) {
		var l line
		var all map[string]any
		if err := json.Unmarshal(raw, &l); err != nil || json.Unmarshal(raw, &all) != nil {
			t.Fatal(err)
		}
		if l.AWS.Timestamp != at.UnixMilli() || len(l.AWS.CloudWatchMetrics) != 1 {
			t.Fatalf("line %s", raw)
		}
		d := l.AWS.CloudWatchMetrics[0]
		text := d.Namespace
		for _, set := range d.Dimensions {
			text += " ["
			for _, name := range set {
				text += name + "=" + all[name].(string) + " "
			}
			text += "]"
		}
		for _, m := range d.Metrics {
			if _, ok := all[m.Name].(float64); !ok {
				t.Errorf("%s has no value in %s", m.Name, raw)
			}
			text += " " + m.Name + " " + m.Unit
		}
		got = append(got, text)
	}
	if d := cmp.Diff([]string{
		"Orchestrator [chain=c ] [chain=c stage=SnosRun ] StageSeconds Seconds",
		"Orchestrator [chain=c ] LagSeconds Seconds HeadBlock None WalletBalance None",
	}, got); d != "" {
		t.Errorf("lines, wanted (-) and written (+):\n%s", d)
	}
}
