// Package metric is what the functions measure of a chain's settlement. Values are log lines in CloudWatch's embedded
// metric format, so they cost no request and need no client; elsewhere they are just lines of the log.
package metric

import (
	"context"
	"log/slog"
	"time"
)

// Namespace is where CloudWatch keeps the metrics; Chain is their only dimension.
const (
	Namespace = "Orchestrator"
	Chain     = "chain"
)

// Names of metrics.
const (
	HeadBlock     = "HeadBlock"     // number of the chain's last block
	SettledBlock  = "SettledBlock"  // number of the last block that is settled for good
	LagBlocks     = "LagBlocks"     // blocks between them
	LagSeconds    = "LagSeconds"    // age of the oldest block that is not settled
	FailedJobs    = "FailedJobs"    // jobs that wait for an operator
	OverdueJobs   = "OverdueJobs"   // jobs whose action was due and that nobody took
	WalletBalance = "WalletBalance" // in the smallest unit
	FeeCapReached = "FeeCapReached" // 1 each time fees above the cap made a transaction wait
)

// units are CloudWatch's names of what is counted.
var units = map[string]string{LagSeconds: "Seconds", WalletBalance: "None", HeadBlock: "None", SettledBlock: "None"}

// Value is one measurement.
type Value struct {
	Name  string
	Value float64
}

// Log writes values as one line. The log carries the attribute Chain, the dimension, itself. A nil log writes nothing.
func Log(ctx context.Context, log *slog.Logger, at time.Time, values ...Value) {
	if log == nil || len(values) == 0 {
		return
	}
	type definition struct {
		Name string
		Unit string
	}
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []definition
	}
	d := directive{Namespace: Namespace, Dimensions: [][]string{{Chain}}}
	var attrs []any
	for _, v := range values {
		unit := units[v.Name]
		if unit == "" {
			unit = "Count"
		}
		d.Metrics = append(d.Metrics, definition{v.Name, unit})
		attrs = append(attrs, slog.Float64(v.Name, v.Value))
	}
	attrs = append(attrs,
		slog.Any("_aws", map[string]any{"Timestamp": at.UnixMilli(), "CloudWatchMetrics": []directive{d}}))
	log.InfoContext(ctx, "metrics", attrs...)
}
