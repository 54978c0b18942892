package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// A failure to initialise, an invocation's error and a panic are each one JSON line with level, chain and request.
func TestFailuresAreLogged(t *testing.T) {
	t.Parallel()
	wired := func(f func(context.Context) error) Wire {
		return func(context.Context, *Process) (any, error) { return f, nil }
	}
	for name, tt := range map[string]struct {
		environ []string
		wire    Wire
		instead func(error) any
		want    string
	}{
		"a wrong setting": {append([]string{"ORCHESTRATOR_NONSENSE=1"}, environ...), nil,
			nil, "NONSENSE: no such setting"},
		"a missing secret": {environ, func(ctx context.Context, p *Process) (any, error) {
			_, err := p.Secrets.Get(ctx, "file:/nowhere")
			return nil, err
		}, nil, "/nowhere"},
		"answered": {append([]string{"ORCHESTRATOR_NONSENSE=1"}, environ...), nil,
			func(error) any { return func() error { return nil } }, "NONSENSE: no such setting"},
		"a schedule worker": {environ, wired(func(context.Context) error {
			return errors.New("the worker's reason\nin two lines")
		}), nil, "the worker's reason\nin two lines"},
		"a panic": {environ, wired(func(context.Context) error { panic("out of cheese") }), nil,
			"out of cheese"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			h := NewHandler(tt.environ, tt.wire)
			h.log, h.instead = newLog(&out, slog.LevelInfo, tt.environ), tt.instead
			ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "r1"})
			func() {
				defer func() { _ = recover() }() // the panic goes on
				_, _ = h.Invoke(ctx, []byte("{}"))
			}()
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			var line struct{ Time, Level, Msg, Chain, Request, Error string }
			if err := json.Unmarshal([]byte(lines[0]), &line); err != nil || len(lines) != 1 {
				t.Fatalf("%d lines, %v: %s", len(lines), err, out.String())
			}
			if line.Level != "ERROR" || line.Time == "" || line.Msg == "" || line.Chain != "test" ||
				line.Request != "r1" || !strings.Contains(line.Error, tt.want) {
				t.Errorf("got %s", out.String())
			}
		})
	}
}

// Alarms read metrics in the log: however little is logged else, they stay.
func TestMetricsAtEveryLevel(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"debug", "info", "warn", "error"} {
		p, err := NewProcess(t.Context(), append(environ[:len(environ):len(environ)],
			"ORCHESTRATOR_LOG_LEVEL="+level))
		if err != nil {
			t.Fatal(err)
		}
		m, ok := p.Telemetry.(metric.Logger)
		if !ok || !m.Log.Enabled(t.Context(), slog.LevelInfo) {
			t.Errorf("at %s no metrics are logged", level)
		}
		if got := p.Log.Enabled(t.Context(), slog.LevelInfo); got != (level == "debug" || level == "info") {
			t.Errorf("at %s lines of the level info are logged: %t", level, got)
		}
	}
}
