package job_test

import (
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
)

// zero is a common time of polls.
var zero = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Truncate(26 * time.Second)

func TestNextPoll(t *testing.T) {
	t.Parallel()
	const s = time.Second
	window := func(from, to time.Duration) pace.Window { return pace.Window{From: from, To: to} }
	reported := pace.Window{From: 299 * s, To: 300 * s, Reported: true}
	for name, tt := range map[string]struct {
		w              pace.Window
		elapsed, usual time.Duration
		want           time.Duration
	}{
		"no history":             {pace.Window{}, 100 * s, 15 * s, 15 * s},
		"a clock that went back": {window(300*s, 302*s), -s, 15 * s, 15 * s},
		"at first":               {window(300*s, 302*s), 0, s, s},
		"before the window":      {window(300*s, 302*s), 200 * s, 15 * s, 26 * s}, // 36.5 s, at a common time
		"its end is near":        {window(300*s, 302*s), 270 * s, 15 * s, 32 * s},
		"its end has come":       {window(300*s, 302*s), 302 * s, 15 * s, 15 * s},
		"long after":             {window(300*s, 302*s), 3000 * s, 15 * s, 15 * s},
		"within a wide window":   {window(150*s, 450*s), 208 * s, 15 * s, 13 * s},
		"the last within it":     {window(150*s, 450*s), 442 * s, 15 * s, 8 * s},
		// no common time is near
		"into a wide window":           {window(150*s, 450*s), 143 * s, 15 * s, 20200 * time.Millisecond},
		"reported of":                  {reported, 10 * s, 10 * s, 300 * s},
		"reported of, and it got lost": {reported, 310 * s, 15 * s, 15 * s},
		"longer than a queue can hold": {pace.Window{From: 2e4 * s, To: 2e4 * s}, 15000 * s, 30 * s, 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := job.NextPoll(tt.w, tt.elapsed, tt.usual, zero); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// schedule are the times of polls from the submission on, until one comes at end or later.
func schedule(began time.Time, w pace.Window, end time.Duration) []time.Duration {
	p := job.Policies()[job.SnosRun]
	j := job.New(job.NewID(), 1, &job.SnosRunMeta{StartBlock: 1, EndBlock: 10}, "", began)
	wait := j.WaitFor("", began)
	wait.Expect = w
	j = j.Submitted(began, p).Paced(wait, began, p, 0, false)
	var out []time.Duration
	for {
		at := j.DueAt
		out = append(out, at.Sub(began))
		if at.Sub(began) >= end {
			return out
		}
		j = j.WithVerdict(job.Pending(""), at, p).Paced(wait, at, p, 0, false)
	}
}

// Work that fails early is found as early as without history, within a tenth; the polls are far fewer.
func TestScheduleBeforeTheWindow(t *testing.T) {
	t.Parallel()
	w := pace.Window{From: 299 * time.Second, To: 301 * time.Second}
	var was, is, polls, usual float64
	for phase := range 26 {
		began := zero.Add(time.Duration(phase) * time.Second)
		before, now := schedule(began, pace.Window{}, w.To), schedule(began, w, w.To)
		polls, usual = polls+float64(len(now)), usual+float64(len(before))
		if last := now[len(now)-1]; last != w.To {
			t.Errorf("phase %d: the last poll is at %s", phase, last)
		}
		b, n := 0, 0
		for at := time.Second; at < 290*time.Second; at += time.Second {
			for before[b] < at {
				b++
			}
			for now[n] < at {
				n++
			}
			was, is = was+before[b].Seconds(), is+now[n].Seconds()
			if most := (at + 15*time.Second) * 11 / 10; now[n] > most {
				t.Errorf("phase %d: what fails after %s is found after %s", phase, at, now[n])
			}
		}
	}
	t.Logf("%.1f polls instead of %.1f; a failure is found %.1f %% later", polls/26, usual/26, 100*(is/was-1))
	if is > 1.1*was || polls > 0.8*usual {
		t.Error("too late, or too many")
	}
}

// Patience ends when it would without history: a poll that is left out counts as made.
func TestPacedPatience(t *testing.T) {
	t.Parallel()
	p := job.Policies()[job.SnosRun]
	p.MaxVerify = 100
	ends := func(w pace.Window) time.Duration {
		j := job.New(job.NewID(), 1, &job.SnosRunMeta{StartBlock: 1, EndBlock: 10}, "", zero)
		wait := j.WaitFor("", zero)
		wait.Expect = w
		j = j.Submitted(zero, p).Paced(wait, zero, p, 0, false)
		for {
			at := j.DueAt
			if j = j.WithVerdict(job.Pending(""), at, p); j.Status == job.VerificationTimeout {
				return at.Sub(zero)
			}
			j = j.Paced(wait, at, p, 0, false)
		}
	}
	before, now := ends(pace.Window{}), ends(pace.Window{From: 9e11, To: 1e12})
	if d := (before - now).Abs(); d > before/8 {
		t.Errorf("patience ends after %s, without history after %s", now, before)
	}
}

// A wait's sample lies between the poll that found the work in progress and the one that found it done.
func TestSample(t *testing.T) {
	t.Parallel()
	w := job.Wait{Work: "SnosRun", Since: zero, Asked: zero.Add(20 * time.Second)}
	if got := w.Sample(zero.Add(30 * time.Second)); got != (pace.Sample{After: 20e9, By: 30e9}) {
		t.Errorf("%+v", got)
	}
	w.Reported = true
	if got := w.Sample(zero.Add(30 * time.Second)); got != (pace.Sample{After: 29e9, By: 30e9, Reported: true}) {
		t.Errorf("reported: %+v", got)
	}
}
