package job

import (
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Wait is what a job waits for, and since when. It decides when the next poll is, and nothing else.
type Wait struct {
	Work     string    // the part of the stage's work, see pace.Kind; "" while nothing is waited for
	Size     int       // its class of sizes
	Since    time.Time // when it began
	Asked    time.Time // when it was found in progress last
	Reported bool      // somebody outside asked for the next poll
	Expect   pace.Window
}

// Kind is the kind of work that is waited for.
func (w Wait) Kind() pace.Kind { return pace.Kind{Work: w.Work, Size: w.Size} }

// reportedWithin is how exact the end of work is known that somebody outside reported.
const reportedWithin = time.Second

// Sample is how long the work took that was found done now.
func (w Wait) Sample(now time.Time) pace.Sample {
	s := pace.Sample{After: max(0, w.Asked.Sub(w.Since)), By: now.Sub(w.Since), Reported: w.Reported}
	if w.Reported {
		s.After = max(s.After, s.By-reportedWithin)
	}
	s.After = min(s.After, s.By)
	return s
}

// Finality is the part of a stage's work that is waited for once its transaction is in a block.
const Finality = "finality"

// work names a part of a stage's work.
func work(t stage.Name, part string) string {
	if part == "" {
		return string(t)
	}
	return string(t) + "/" + part
}

// WaitFor begins a wait: for a part of the stage's work, "" where it has one only.
func (j Job) WaitFor(part string, now time.Time) Wait {
	return Wait{Work: work(j.Type, part), Size: pace.Class(j.size(part)), Since: now, Asked: now}
}

// size is what the time that a job's work takes depends on; 0 where it depends on nothing that is known.
func (j Job) size(part string) uint64 {
	blocks := func(from, to uint64) uint64 { return to - from + 1 }
	switch m := j.Metadata.(type) {
	case *SnosRunMeta:
		return blocks(m.StartBlock, m.EndBlock)
	case *ProofCreationMeta:
		if m.Steps > 0 {
			return m.Steps
		}
		return blocks(m.StartBlock, m.EndBlock)
	case *ProofRegistrationMeta:
		if m.Steps > 0 {
			return m.Steps
		}
		return blocks(m.StartBlock, m.EndBlock)
	case *AggregatorMeta:
		return blocks(m.FirstSnos, m.LastSnos)
	}
	return 0 // a block of the settlement layer takes as long whatever is in it
}

// Paced plans the next poll by what is expected of the work that is waited for. Without history the job stays as the
// policy has planned it. A poll that is left out counts as made, so that patience ends at the same time; waits says
// that it uses up none. least is how long others asked to wait.
func (j Job) Paced(w Wait, now time.Time, p Policy, least time.Duration, waits bool) Job {
	next := j.Clone()
	next.Wait = w
	if next.NextAction != Verify || !w.Expect.Known() {
		return next
	}
	usual := p.Poll
	if next.Status == Completed {
		usual = p.Watch
	}
	n := next.Attempts.Verify
	d := max(NextPoll(w.Expect, now.Sub(w.Since), usual.Delay(n), now), least)
	next.DueAt = now.Add(d)
	for d -= usual.Delay(n); ; n++ {
		left := p.MaxVerify - 1 - (next.Attempts.Verify - next.Attempts.Waits)
		if d -= usual.Delay(n + 1); d < 0 || p.MaxVerify > 0 && left <= 0 && !waits {
			return next
		}
		next.Attempts.Verify++
		if waits {
			next.Attempts.Waits++
		}
	}
}

// LongestPause is the longest time between two polls: what a queue can hold a message for.
const LongestPause = 15 * time.Minute

// later is how much later than without history work that fails early may be found, as a part of the time since it
// began, in percent.
const later = 10

// dense is the part of the usual pause, in percent, after which the next poll comes while the work is expected to end:
// a little less, so that what comes at no expected time costs no latency on the whole.
const dense = 88

// NextPoll is how long after now the next poll of work is that began elapsed ago, where usual is the pause without
// history.
//
//   - Before the window, polls are for work that fails early: each is as late as it may be.
//   - Within the window, pauses are not longer than usual.
//   - After it, everything is as usual.
//   - Where somebody outside reports the end, polls are for the case that this gets lost.
//
// Polls of many jobs meet at common times, so that one invocation makes several.
func NextPoll(w pace.Window, elapsed, usual time.Duration, now time.Time) time.Duration {
	if elapsed < 0 || !w.Known() {
		return usual
	}
	if w.Reported {
		if elapsed >= w.To {
			return usual
		}
		return min(w.To-elapsed+usual, LongestPause)
	}
	sparse := max(usual, ((elapsed+usual)*(100+later)/100 - elapsed).Truncate(time.Second)) // queues wait whole seconds
	step := usual * dense / 100
	switch {
	case elapsed >= w.To:
		return usual
	case w.To-elapsed <= min(step, sparse): // the last one: at the end of the window
		return w.To - elapsed
	case w.From-elapsed >= sparse:
		return min(together(now, sparse, 0), LongestPause)
	case w.To-w.From <= step && w.To-elapsed <= sparse: // the window is short: at its end
		return w.To - elapsed
	}
	into := max(w.From-elapsed, 0) // the window's own pauses begin where it begins
	return min(together(now, min(into+step, sparse), time.Second), LongestPause)
}

// ticks are the times at which polls of many jobs meet: each is a part of the one before.
var ticks = []time.Duration{26 * time.Second, 13 * time.Second}

// together is a pause of about d that ends at a common time: at most a third shorter, and no more than slack longer.
func together(now time.Time, d, slack time.Duration) time.Duration {
	for _, t := range ticks {
		if at := now.Add(d + slack).Truncate(t).Sub(now); at >= d*2/3 {
			return at
		}
	}
	return d
}

// Is says whether the wait is for a part of a stage's work.
func (w Wait) Is(t stage.Name, part string) bool { return w.Work == work(t, part) }
