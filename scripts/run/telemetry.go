package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/otlp"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

// measured returns the context whose measurements go to the log and to the collector of -otlp, and what sends the last
// of them.
func measured(ctx context.Context, o options, log *slog.Logger, out io.Writer) (context.Context, func() error, error) {
	t := metric.Telemetry(metric.Logger{Log: log})
	if o.otlp == "" {
		return metric.With(ctx, t), func() error { return nil }, nil
	}
	e, err := otlp.New(otlp.Config{URL: o.otlp, Chain: chainName})
	if err != nil {
		return ctx, nil, fmt.Errorf("-otlp: %w", err)
	}
	fmt.Fprintf(out, "telemetry  to %s, each batch as one trace\n", redact.Host(o.otlp))
	ended := make(chan struct{})
	stop := make(chan struct{})
	go func() { // functions are never frozen here: what they measure is sent now and then
		defer close(ended)
		tick := time.NewTicker(sendEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if err := e.Flush(ctx); err != nil {
					fmt.Fprintf(out, "telemetry  %v\n", err) // at most once a minute
				}
			}
		}
	}()
	return metric.With(ctx, metric.Tee(t, e)), func() error {
		close(stop)
		<-ended
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := e.Flush(ctx); err != nil {
			return fmt.Errorf("-otlp: %w", err)
		}
		return nil
	}, nil
}

// sendEvery is how often a run sends what was measured.
const sendEvery = 2 * time.Second
