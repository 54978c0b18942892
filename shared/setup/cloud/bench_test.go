package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/client/mockprover"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/functions"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// The input: where it is, and how large a small one is.
const (
	pieKey   = "snos/0000000001/pie.zip"
	pieBytes = 1 << 20
)

// bed is the ProofCreation function with real parts around it, on loopback: in the cloud its calls take longer, so that
// the part of the telemetry is smaller. It is the function that does least: it looks for an input, reads it and writes
// its document.
type bed struct {
	b   *testing.B
	h   *Handler
	p   *Process
	n   uint64
	env []string
}

func newBed(b *testing.B, chain string, settings ...string) *bed {
	b.Helper()
	url := tools.Moto(b)
	s, err := devcloud.Provision(b.Context(), devcloud.Config(url), devcloud.Options{Chain: chain, Layer: stage.L2})
	if err != nil {
		b.Fatal(err)
	}
	t := &bed{b: b}
	t.env = append(append([]string{}, environ...), "ORCHESTRATOR_CHAIN_NAME="+chain, "ORCHESTRATOR_AWS_ENDPOINT="+url,
		"ORCHESTRATOR_MONGO_URI="+tools.Mongod(b), "ORCHESTRATOR_AWS_BUCKET="+s.Bucket, "ORCHESTRATOR_AWS_BUS="+s.Bus,
		"ORCHESTRATOR_AWS_TOPIC_ARN="+s.TopicARN, "ORCHESTRATOR_MONGO_DATABASE=bench_"+job.NewID()[:8])
	t.env = append(t.env, settings...)
	t.h = NewHandler(t.env, func(ctx context.Context, p *Process) (any, error) {
		core, err := p.Core(ctx)
		if err != nil {
			return nil, err
		}
		t.p = p
		return core.ProofCreation(mockprover.New(mockprover.Options{})).Handle, nil
	})
	if _, err := t.h.Invoke(b.Context(), []byte(`{"Records":[]}`)); err != nil { // initialises
		b.Fatal(err)
	}
	core, err := t.p.Core(b.Context())
	if err == nil {
		err = core.Artifacts.Put(b.Context(), pieKey, bytes.NewReader(make([]byte, pieBytes)))
	}
	if err != nil {
		b.Fatal(err)
	}
	t.invoke() // connects
	return t
}

// invoke carries a new job through its processing and returns how long the invocation took.
func (t *bed) invoke() time.Duration {
	t.b.Helper()
	t.n++
	j := job.New(job.NewID(), t.n, &job.ProofCreationMeta{PIEKey: pieKey},
		"0af7651916cd43dd8448eb211c80319c", time.Now())
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

// beds are two functions, one that sends to no collector and one that does. Their logs are not shown.
func beds(b *testing.B) (off, on *bed) {
	b.Helper()
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
	return newBed(b, "off"+job.NewID()[:6]), newBed(b, "on"+job.NewID()[:6], "ORCHESTRATOR_OTLP_ENDPOINT="+srv.URL)
}

// compare measures off and on in turn, each first in turn: whoever comes second finds all that is around it warm. It
// reports medians, which other work on the machine hardly moves.
func compare(b *testing.B, off, on func() time.Duration) {
	b.Helper()
	var more, without []time.Duration
	for b.Loop() {
		var w, wo time.Duration
		if len(more)%2 == 0 {
			wo, w = off(), on()
		} else {
			w, wo = on(), off()
		}
		more, without = append(more, w-wo), append(without, wo)
	}
	median := func(ds []time.Duration) float64 {
		slices.Sort(ds)
		return float64(ds[len(ds)/2].Microseconds())
	}
	b.ReportMetric(1+median(more)/median(without), "on/off")
	b.ReportMetric(median(without), "off-µs")
	b.ReportMetric(median(more), "telemetry-µs")
}

// BenchmarkTelemetry compares invocations with a collector and without one.
func BenchmarkTelemetry(b *testing.B) {
	off, on := beds(b)
	compare(b, off.invoke, on.invoke)
}

// BenchmarkColdStart compares the first answers of new processes of the compiled function, from the start of the
// process on, with a collector and without one.
func BenchmarkColdStart(b *testing.B) {
	dir, err := functions.Compile(b.Context(), "../../..", functions.Here(false), "proofcreation")
	if err != nil {
		b.Fatal(err)
	}
	off, on := beds(b)
	start := func(t *bed) func() time.Duration {
		env := append([]string{"AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_REGION=eu-west-1"}, t.env...)
		return func() time.Duration {
			f := &devlambda.Binary{Path: filepath.Join(dir, "proofcreation"), Name: "proofcreation", Env: env}
			defer f.Close()
			began := time.Now()
			if _, err := f.Invoke(b.Context(), []byte(`{"Records":[]}`)); err != nil {
				b.Fatal(err)
			}
			return time.Since(began)
		}
	}
	compare(b, start(off), start(on))
}
