package cloud

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// nothing is a handler that submits at once: what is left of an invocation is our own work and that of database,
// queue and bus.
type nothing struct{}

func (nothing) Process(context.Context, *executor.Run) error { return nil }
func (nothing) Verify(context.Context, *executor.Run) (job.Verdict, error) {
	return job.Verified(), nil
}

// bed is a function with real parts around it, on loopback: in the cloud its calls take longer, so that the part of the
// telemetry is smaller.
type bed struct {
	b *testing.B
	h *Handler
	p *Process
	n uint64
}

func newBed(b *testing.B, chain string, settings ...string) *bed {
	b.Helper()
	url := tools.Moto(b)
	s, err := devcloud.Provision(b.Context(), devcloud.Config(url), devcloud.Options{Chain: chain, Layer: stage.L2})
	if err != nil {
		b.Fatal(err)
	}
	t := &bed{b: b}
	env := append(append([]string{}, environ...), "ORCHESTRATOR_CHAIN_NAME="+chain, "ORCHESTRATOR_AWS_ENDPOINT="+url,
		"ORCHESTRATOR_MONGO_URI="+tools.Mongod(b), "ORCHESTRATOR_AWS_BUCKET="+s.Bucket, "ORCHESTRATOR_AWS_BUS="+s.Bus,
		"ORCHESTRATOR_AWS_TOPIC_ARN="+s.TopicARN, "ORCHESTRATOR_MONGO_DATABASE=bench_"+job.NewID()[:8])
	t.h = NewHandler(append(env, settings...), func(ctx context.Context, p *Process) (any, error) {
		core, err := p.Core(ctx)
		if err != nil {
			return nil, err
		}
		t.p = p
		return core.JobFunction(job.ProofCreation, nothing{}).Handle, nil
	})
	if _, err := t.h.Invoke(b.Context(), []byte(`{"Records":[]}`)); err != nil { // initialises
		b.Fatal(err)
	}
	t.invoke() // connects
	return t
}

// invoke carries a new job through its processing and returns how long the invocation took.
func (t *bed) invoke() time.Duration {
	t.b.Helper()
	t.n++
	j := job.New(job.NewID(), t.n, &job.ProofCreationMeta{}, "0af7651916cd43dd8448eb211c80319c", time.Now())
	event, err := json.Marshal(events.SQSEvent{
		Records: []events.SQSMessage{{MessageId: "1", Body: j.Wakeup().Encode()}}})
	if err != nil {
		t.b.Fatal(err)
	}
	core, err := t.p.Core(t.b.Context())
	if err == nil {
		err = core.Jobs.Create(t.b.Context(), j)
	}
	if err != nil {
		t.b.Fatal(err)
	}
	began := time.Now()
	if _, err := t.h.Invoke(t.b.Context(), event); err != nil {
		t.b.Fatal(err)
	}
	return time.Since(began)
}

// BenchmarkTelemetry compares invocations with a collector and without one, in turn.
func BenchmarkTelemetry(b *testing.B) {
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
		"AWS_REGION": "eu-west-1"} {
		if os.Getenv(k) == "" {
			b.Setenv(k, v)
		}
	}
	out := os.Stdout
	if quiet, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil { // the functions' logs
		os.Stdout = quiet
		b.Cleanup(func() { os.Stdout = out; quiet.Close() })
	}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	b.Cleanup(srv.Close)
	off, on := newBed(b, "off"), newBed(b, "on", "ORCHESTRATOR_OTLP_ENDPOINT="+srv.URL)
	var more, without []time.Duration
	for b.Loop() { // each first in turn: whoever comes second finds AWS's emulator warm
		var w, wo time.Duration
		if len(more)%2 == 0 {
			wo, w = off.invoke(), on.invoke()
		} else {
			w, wo = on.invoke(), off.invoke()
		}
		more, without = append(more, w-wo), append(without, wo)
	}
	median := func(ds []time.Duration) float64 { // other work on the machine hardly moves it
		slices.Sort(ds)
		return float64(ds[len(ds)/2].Microseconds())
	}
	b.ReportMetric(1+median(more)/median(without), "on/off")
	b.ReportMetric(median(without), "off-µs")
	b.ReportMetric(median(more), "telemetry-µs")
}
