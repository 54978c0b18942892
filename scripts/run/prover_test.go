package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
	fakeatlantic "github.com/madara-orchestrator/orchestrator/shared/dev/fake/atlantic"
	fakesharp "github.com/madara-orchestrator/orchestrator/shared/dev/fake/sharp"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

func TestProversSettle(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"atlantic":    {"-prover", "atlantic"},
		"sharp":       {"-prover", "sharp"},
		"atlantic l3": {"-prover", "atlantic", "-layer", "l3", "-snos-batch", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			try(t, settledLine, append(args, "-blocks", "6", "-timeout", "3m")...)
		})
	}
}

// failure is a run of two SNOS batches in one batch whose prover misbehaves.
type scenario struct {
	prover  string
	settles bool
	want    string // in what the run prints
	started int    // submissions that the prover took
	set     func(*options, *world)
}

// world is what a case looks at in the end.
type world struct {
	atlantic *fakeatlantic.Server
	sharp    *fakesharp.Server
	hits     atomic.Int32
}

func (w *world) started() (taken, aggregations int) {
	if w.atlantic != nil {
		return w.atlantic.Started(), w.atlantic.Aggregations()
	}
	return w.sharp.Started(), 1
}

// strike lets faults happen from the start.
func strike(ss ...fake.Strike) func(*options, *world) {
	return func(o *options, w *world) {
		o.started = func(server any) {
			w.remember(server)
			for _, s := range ss {
				server.(interface{ Inject(fake.Strike) }).Inject(s)
			}
		}
	}
}

func (w *world) remember(server any) {
	switch s := server.(type) {
	case *fakeatlantic.Server:
		w.atlantic = s
	case *fakesharp.Server:
		w.sharp = s
	}
}

// refuse fails what a verdict is asked for the first n times, as unprovable.
func refuse(w *world, n int32, of func() bool) string {
	if of() && w.hits.Add(1) <= n {
		return "CONSTRAINTS_NOT_SATISFIED"
	}
	return ""
}

var proversThatFailCases = map[string]scenario{
	"atlantic loses its answers": {"atlantic", true, settledLine, 2, strike(
		fake.Strike{Fault: fake.LostResponse, Op: "POST /atlantic-query", Times: 2},
		fake.Strike{Fault: fake.LostResponse, Op: "POST /buckets", Times: 1},
		fake.Strike{Fault: fake.LostResponse, Op: "POST /buckets/close", Times: 1})},
	"sharp loses its answers": {"sharp", true, settledLine, 3, strike(
		fake.Strike{Fault: fake.LostResponse, Op: "POST /add_job", Times: 2},
		fake.Strike{Fault: fake.LostResponse, Op: "POST /add_applicative_job", Times: 1})},
	"atlantic is full": {"atlantic", true, settledLine, 2, strike(fake.Strike{Fault: fake.RateLimited, Times: 8})},
	"sharp is full":    {"sharp", true, settledLine, 3, strike(fake.Strike{Fault: fake.RateLimited, Times: 8})},
	"atlantic talks nonsense": {"atlantic", true, settledLine, 2, strike(
		fake.Strike{Fault: fake.Garbage, Times: 3}, fake.Strike{Fault: fake.CutResponse, Times: 3},
		fake.Strike{Fault: fake.BadGateway, Times: 3})},
	"a proof fails at sharp": {"sharp", false, "CONSTRAINTS_NOT_SATISFIED", 0, func(o *options, w *world) {
		o.sharp = func(c *fakesharp.Config) {
			c.Verdict = func(
				p fakesharp.Proven) string {
				return refuse(w, 100, func() bool { return !p.Applicative })
			}
		}
	}},
	"a proof fails at atlantic": {"atlantic", false, "CONSTRAINTS_NOT_SATISFIED", 0, func(o *options, w *world) {
		o.atlantic = func(s *fakeatlantic.Config, _ *atlantic.Config) {
			s.Verdict = func(
				p fakeatlantic.Proven) string {
				return refuse(w, 100, func() bool { return !p.Aggregator })
			}
		}
	}},
	"an aggregation fails at atlantic": {"atlantic", false, "CONSTRAINTS_NOT_SATISFIED",
		2, func(o *options, w *world) {
			o.atlantic = func(s *fakeatlantic.Config, _ *atlantic.Config) {
				s.Verdict = func(
					p fakeatlantic.Proven) string {
					return refuse(w, 100, func() bool { return p.Aggregator })
				}
			}
		}},
	"atlantic's results expire": {"atlantic", false, "keeps the result no more", 2, func(o *options, w *world) {
		o.atlantic = func(s *fakeatlantic.Config, c *atlantic.Config) {
			c.ArtifactGrace = time.Nanosecond
			register := s.OnProven
			s.OnProven = func(ctx context.Context, p fakeatlantic.Proven) error {
				if p.Aggregator {
					w.atlantic.Expire("bucket:" + p.Bucket)
				}
				return register(ctx, p)
			}
		}
	}},
	"atlantic's PIE is corrupt": {"atlantic", false, "corrupt", 2, func(o *options, _ *world) {
		o.atlantic = func(s *fakeatlantic.Config, _ *atlantic.Config) {
			aggregate := s.Aggregate
			s.Aggregate = func(ctx context.Context, b fakeatlantic.Bucket) (fakeatlantic.Aggregated, error) {
				a, err := aggregate(ctx, b)
				a.PIE = bytes.Repeat([]byte("PK"), 500)
				return a, err
			}
		}
	}},
}

// Whatever a prover does, a batch is settled once, or its job is Failed and an alert names the cause; nothing is proven
// twice.
func TestProversThatFail(t *testing.T) {
	t.Parallel()
	for name, tt := range proversThatFailCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.run(t)
		})
	}
}

func (tt scenario) run(t *testing.T) {
	t.Helper()
	var out, errs lockedBuffer
	w := &world{}
	o, err := parse([]string{"-prover", tt.prover, "-blocks", "2", "-snos-batch", "1", "-batch", "2", "-timeout", "2m"},
		&errs)
	o.started = w.remember
	tt.set(&o, w)
	code := carry(t.Context(), o, err, &out, &errs)
	all := out.String() + errs.String()
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") } // lines break at 80 columns
	if (code == 0) != tt.settles || !strings.Contains(words(all), words(tt.want)) {
		t.Errorf("exit %d, want settled %t and %q:\n%s", code, tt.settles, tt.want, all)
	}
	if !tt.settles && (!strings.Contains(all, "alert ") || !strings.Contains(all, "is Failed")) {
		t.Errorf("it ended without a failed job and an alert:\n%s", all)
	}
	taken, aggregations := w.started()
	if tt.started != 0 && taken != tt.started || aggregations > 1 {
		t.Errorf("the prover took %d submissions, want %d, and %d aggregations", taken, tt.started, aggregations)
	}
}

// On Atlantic's route from the PIE an L3's batch is registered straight from its PIE: one query a SNOS batch, and no
// proof is paid for before it.
func TestRegistersPIE(t *testing.T) {
	t.Parallel()
	var out, errs lockedBuffer
	w := &world{}
	o, err := parse([]string{"-prover", "atlantic", "-layer", "l3", "-blocks", "2", "-snos-batch", "1", "-batch",
		"2", "-timeout", "2m"}, &errs)
	o.started = w.remember
	o.atlantic = func(_ *fakeatlantic.Config, c *atlantic.Config) { c.Registration = atlantic.RegisterPIE }
	if code := carry(t.Context(), o, err, &out, &errs); code != 0 || !strings.Contains(out.String(), settledLine) {
		t.Errorf("exit %d\n%s%s", code, out.String(), errs.String())
	}
	if w.atlantic == nil || w.atlantic.Started() != 2 {
		t.Errorf("the prover took another number of submissions than 2\n%s", out.String())
	}
}

// Webhooks make verification ask at once.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	address := fmt.Sprintf("127.0.0.1:%d", tools.Port(t))
	var out, errs lockedBuffer
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"-prover", "atlantic", "-api", address, "-blocks", "2", "-v"}, &out, &errs)
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(out.String(), settledLine) {
		select {
		case code := <-done:
			t.Fatalf("exit %d\n%s%s", code, out.String(), errs.String())
		case <-tick.C:
		}
	}
	stop()
	<-done
	if all := errs.String(); strings.Contains(all, "webhook refused") || strings.Contains(all, "webhook ignored") {
		t.Errorf("webhooks were not taken:\n%s", all)
	}
}

// lockedBuffer is written by a run and read beside it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
