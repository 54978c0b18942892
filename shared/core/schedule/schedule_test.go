package schedule_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/once"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		wakeup schedule.Wakeup
		ok     bool
		err    string
	}{
		`{"stage":"ProofCreation"}`:             {schedule.Wakeup{Stage: stage.ProofCreation}, true, ""},
		`{"worker":"Proving"}`:                  {schedule.Wakeup{Stage: stage.ProofCreation}, true, ""}, // release 0.1
		`{"stage":"SnosBatching","close":3}`:    {schedule.Wakeup{Stage: stage.SnosBatching, Close: 3}, true, ""},
		`{"stage":"Dance"}`:                     {schedule.Wakeup{}, true, "Dance"},
		`{"stage":"SnosRun","worker":"Snos"}`:   {schedule.Wakeup{}, true, "want one"},
		`{"stage":"SnosBatching","close":-1}`:   {schedule.Wakeup{}, false, ""},
		`{"job_id":"1"}`:                        {schedule.Wakeup{}, false, ""},
		`POISON`:                                {schedule.Wakeup{}, false, ""},
		`{"stage":"` + strings.Repeat("x", 999): {schedule.Wakeup{}, false, ""},
	} {
		w, ok, err := schedule.Decode([]byte(body))
		if ok != want.ok || (err != nil) != (want.err != "") || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("%.60s: %t, %v", body, ok, err)
		}
		if err == nil && w != want.wakeup {
			t.Errorf("%.60s: %+v", body, w)
		}
		if !ok || err != nil {
			continue
		}
		if again, _, err := schedule.Decode([]byte(w.Encode())); err != nil || again != w {
			t.Errorf("%+v is written as %s", w, w.Encode())
		}
	}
}

// control fails, then has a pause; it counts.
type control struct {
	schedule.Control
	reads int
}

func (c *control) Pauses(context.Context) (schedule.Pauses, error) {
	if c.reads++; c.reads == 1 {
		return nil, errors.New("no connection")
	}
	return schedule.Pauses{{Stage: stage.SnosRun}}, nil
}

// Within an invocation the pauses are read until that has worked once; without, each time.
func TestPausedOnce(t *testing.T) {
	t.Parallel()
	c, ctx := &control{}, once.Begin(t.Context())
	if _, err := schedule.Paused(ctx, c); err == nil {
		t.Error("a read that failed gives no error")
	}
	for range 3 {
		ps, err := schedule.Paused(ctx, c)
		if _, paused := ps.Of(stage.SnosRun); err != nil || !paused {
			t.Errorf("%v, %v", ps, err)
		}
		if _, paused := ps.Of(stage.ProofCreation); paused {
			t.Error("another stage is paused")
		}
	}
	if c.reads != 2 {
		t.Errorf("%d reads, want 2", c.reads)
	}
	for range 2 {
		if _, err := schedule.Paused(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if c.reads != 4 {
		t.Errorf("%d reads after two without an invocation", c.reads)
	}
}

func TestParseIntervals(t *testing.T) {
	t.Parallel()
	text := "ProofCreation=10m0s,StorageCleanup=2h0m0s"
	got, err := schedule.ParseIntervals(" StorageCleanup=2h, ProofCreation=10m")
	want := schedule.Intervals{stage.ProofCreation: 10 * time.Minute, stage.StorageCleanup: 2 * time.Hour}
	if d := cmp.Diff(want, got); err != nil || d != "" || got.String() != text {
		t.Errorf("%v, written as %s: %s", err, got, d)
	}
	if got, err := schedule.ParseIntervals(""); err != nil || len(got) > 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
	for text, taken := range map[string]bool{
		"Reconcile=1m": true, "Reconcile=4m": true, "Reconcile=5m": false, "Reconcile=24h": false,
	} {
		_, err := schedule.ParseIntervals(text)
		if (err == nil) != taken || !taken && (!errors.Is(err, schedule.ErrTimer) ||
			!strings.Contains(err.Error(), "want at most 4 minutes: the alarms look")) {
			t.Errorf("%s: %v", text, err)
		}
	}
	_, err = schedule.ParseIntervals("SnosRun,Dance=1m,SnosRun=90s,SnosRun=48h,SnosRun=1h,SnosRun=2h,Reconcile=soon")
	for _, fault := range []string{`"SnosRun": want STAGE=INTERVAL`, "Dance", "1m30s", "48h", "SnosRun is given twice",
		"soon"} {
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v does not say %q", err, fault)
		}
	}
}

func TestTimerCheck(t *testing.T) {
	t.Parallel()
	good := schedule.Timer{Name: "SnosRun", Every: time.Minute, Target: "arn:aws:lambda:eu-west-1:123456789012:f"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*schedule.Timer){
		"no name":   func(x *schedule.Timer) { x.Name = "" },
		"no target": func(x *schedule.Timer) { x.Target = "" },
		"too often": func(x *schedule.Timer) { x.Every = time.Second },
		"too rare":  func(x *schedule.Timer) { x.Every = 25 * time.Hour },
		"not whole": func(x *schedule.Timer) { x.Every = 90 * time.Second },
	} {
		bad := good
		change(&bad)
		if err := bad.Check(); !errors.Is(err, schedule.ErrTimer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
