package job_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newJob() job.Job {
	return job.New(strings.Repeat("a", 32), 7, &job.ProofCreationMeta{PIEKey: "k"}, "trace", t0)
}

func policy() job.Policy { return job.Policies()[job.ProofCreation] }

// claim claims a job that must be claimable.
func claim(t *testing.T, j job.Job, now time.Time) job.Job {
	t.Helper()
	next, res := j.Claim(j.Wakeup(), "owner", now, policy())
	if res != job.Claimed {
		t.Fatalf("claim of a %s job at %v is %s, want claimed", j.Status, now, res)
	}
	return next
}

func TestClaim(t *testing.T) {
	t.Parallel()
	created := newJob()
	leased := claim(t, created, t0)
	pending := leased.Submitted(t0, policy())
	expired := leased.Lease.ExpiresAt
	tests := []struct {
		name string
		j    job.Job
		m    job.Message
		now  time.Time
		want job.ClaimResult
	}{
		{"a new job is claimed", created, created.Wakeup(), t0, job.Claimed},
		{"an older generation is stale", pending, created.Wakeup(), t0.Add(time.Hour), job.Stale},
		{"another action is stale", created, job.Message{Action: job.Verify, Generation: 1}, t0, job.Stale},
		{"a held lease is busy", leased, leased.Wakeup(), t0.Add(time.Second), job.Busy},
		{"an expired lease is healed", leased, leased.Wakeup(), expired, job.Claimed},
		{"before the due time it is early", pending, pending.Wakeup(), t0.Add(-time.Hour), job.Early},
		{"a completed job is stale", pending.WithVerdict(job.Verified(), t0, policy()), pending.Wakeup(),
			t0.Add(time.Hour), job.Stale},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, got := tt.j.Claim(tt.m, "other", tt.now, policy()); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestCrashes(t *testing.T) {
	t.Parallel()
	t.Run("a job that keeps crashing its function fails", func(t *testing.T) {
		t.Parallel()
		p := policy()
		j := claim(t, newJob(), t0)
		for n := 1; ; n++ {
			next, res := j.Claim(j.Wakeup(), "owner", j.Lease.ExpiresAt, p)
			if n == p.MaxCrashes {
				if res != job.Spent || next.Status != job.Failed || next.NextAction != job.None {
					t.Fatalf("crash %d: %s, %s with next action %q; want spent, Failed, none",
						n, res, next.Status, next.NextAction)
				}
				return
			}
			if res != job.Claimed || next.Attempts.Crashes != n {
				t.Fatalf("crash %d: %s with %d crashes counted", n, res, next.Attempts.Crashes)
			}
			j = next
		}
	})
	t.Run("an invocation that came back ends the count", func(t *testing.T) {
		t.Parallel()
		j := claim(t, newJob(), t0)
		j = claim(t, j, j.Lease.ExpiresAt)
		if j = j.FailedTransiently(t0, errors.New("down"), policy()); j.Attempts.Crashes != 0 {
			t.Errorf("%d crashes after an invocation that came back, want 0", j.Attempts.Crashes)
		}
	})
}

func TestTransientFailures(t *testing.T) {
	t.Parallel()
	j := newJob()
	for n := range 100 {
		now := t0.Add(time.Duration(n) * time.Hour)
		j = claim(t, j, now)
		j = j.FailedTransiently(now, fmt.Errorf("try %d: node is down", n), policy())
		if j.Status != job.Created || j.NextAction != job.Process || j.Attempts.Process != 0 {
			t.Fatalf("after failure %d the job is %s with %d attempts, want Created with 0",
				n, j.Status, j.Attempts.Process)
		}
		if wait := j.DueAt.Sub(now); wait <= 0 || wait > policy().Retry.Max {
			t.Fatalf("failure %d waits %v", n, wait)
		}
	}
	if len(j.Failures) != job.MaxFailures {
		t.Errorf("%d failures are kept, want %d", len(j.Failures), job.MaxFailures)
	}
	asked := claim(t, newJob(), t0).FailedTransiently(t0, job.RetryAfter(time.Hour, errors.New("429")), policy())
	if got := asked.DueAt.Sub(t0); got != time.Hour {
		t.Errorf("a requested delay of 1h waits %v", got)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	p := policy()
	p.MaxProcess, p.MaxVerify = 2, 3
	pending := claim(t, newJob(), t0).Submitted(t0, p)
	verify := func(j job.Job, v job.Verdict) job.Job { return claim(t, j, j.DueAt).WithVerdict(v, j.DueAt, p) }
	tests := []struct {
		name   string
		got    job.Job
		status job.Status
		next   job.Action
	}{
		{"verified", verify(pending, job.Verified()), job.Completed, job.None},
		{"verified under watch", verify(pending, job.Verdict{Kind: job.VerdictVerified, Watch: true}), job.Completed,
			job.Verify},
		{"pending polls again", verify(pending, job.Pending("x")), job.PendingVerification, job.Verify},
		{"pending too often times out", verify(verify(verify(pending, job.Pending("x")), job.Pending("x")),
			job.Pending("x")), job.VerificationTimeout, job.None},
		{"rejected is processed again", verify(pending, job.Rejected("no")), job.VerificationFailed, job.Process},
		{"lost is processed again", verify(pending, job.Lost("gone")), job.PendingRetry, job.Process},
		{"hopeless fails", verify(pending, job.NeverPossible("no")), job.Failed, job.None},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.got.Status != tt.status || tt.got.NextAction != tt.next {
				t.Errorf("got %s and %q, want %s and %q", tt.got.Status, tt.got.NextAction, tt.status, tt.next)
			}
			if tt.got.Generation <= pending.Generation {
				t.Errorf("generation %d did not grow from %d", tt.got.Generation, pending.Generation)
			}
			if tt.got.Lease != (job.Lease{}) {
				t.Errorf("the lease is kept: %+v", tt.got.Lease)
			}
		})
	}
	t.Run("rejected for the last time fails", func(t *testing.T) {
		t.Parallel()
		again := verify(pending, job.Rejected("no"))
		again = claim(t, again, again.DueAt).Submitted(again.DueAt, p)
		if got := verify(again, job.Rejected("no")); got.Status != job.Failed {
			t.Errorf("got %s, want Failed", got.Status)
		}
	})
	t.Run("lost uses up no attempt", func(t *testing.T) {
		t.Parallel()
		if got := verify(pending, job.Lost("gone")); got.Attempts.Process != 0 {
			t.Errorf("%d attempts, want 0", got.Attempts.Process)
		}
	})
	t.Run("a reorganisation reopens a watched job", func(t *testing.T) {
		t.Parallel()
		watched := verify(pending, job.Verdict{Kind: job.VerdictVerified, Watch: true})
		undone := verify(watched, job.Verdict{Kind: job.VerdictUndone, Reason: "reorg"})
		if undone.Status != job.PendingVerification || undone.NextAction != job.Verify {
			t.Errorf("got %s and %q", undone.Status, undone.NextAction)
		}
		final := verify(watched, job.Verdict{Kind: job.VerdictFinal})
		if final.Status != job.Completed || final.NextAction != job.None || !final.EndedAt.Equal(watched.EndedAt) {
			t.Errorf("final: %s and %q, ended %v", final.Status, final.NextAction, final.EndedAt)
		}
	})
}

func TestOperatorRetry(t *testing.T) {
	t.Parallel()
	failed := claim(t, newJob(), t0).FailedPermanently(t0, errors.New("bad input"))
	again, ok := failed.Retried(t0)
	if !ok || again.Status != job.PendingRetry || again.NextAction != job.Process || again.Attempts.Process != 0 {
		t.Errorf("retry of a failed job: %v, %s, %q, %+v", ok, again.Status, again.NextAction, again.Attempts)
	}
	for _, s := range job.Statuses {
		j := newJob()
		j.Status = s
		if _, ok := j.Retried(t0); ok != s.NeedsOperator() {
			t.Errorf("retry of a %s job is allowed: %v", s, ok)
		}
	}
}

// Only a report of the work's end is learned from; an operator who looks early says nothing of it.
func TestRunNow(t *testing.T) {
	t.Parallel()
	p := job.Policies()[job.SnosRun]
	j := job.New(job.NewID(), 1, &job.SnosRunMeta{StartBlock: 1, EndBlock: 10}, "", zero)
	j = j.Submitted(zero, p).Paced(j.WaitFor("", zero), zero, p, 0, false)
	for _, reported := range []bool{true, false} {
		next, ok := j.RunNow(job.Verify, zero.Add(time.Second), reported)
		if !ok || next.Wait.Reported != reported || !next.DueAt.Equal(zero.Add(time.Second)) ||
			next.Generation == j.Generation {
			t.Errorf("reported %t: %t, %+v", reported, ok, next)
		}
		j = next // the one that was reported first must not stay so for an operator
	}
	if _, ok := j.RunNow(job.Process, zero, true); ok {
		t.Error("it runs an action that is not next")
	}
}

func TestDeadLettered(t *testing.T) {
	t.Parallel()
	t.Run("an outage's dead letter fails nothing", func(t *testing.T) {
		t.Parallel()
		if j, failed := newJob().DeadLettered(newJob().Wakeup(), t0, policy()); failed {
			t.Errorf("a job that never crashed is %s", j.Status)
		}
	})
	t.Run("a stale dead letter fails nothing", func(t *testing.T) {
		t.Parallel()
		j := newJob()
		j.Attempts.Crashes = 10
		if _, failed := j.DeadLettered(job.Message{JobID: j.ID, Action: job.Process, Generation: 9}, t0,
			policy()); failed {
			t.Error("a message of another generation failed the job")
		}
	})
	t.Run("a job that crashes its function is failed", func(t *testing.T) {
		t.Parallel()
		j := claim(t, newJob(), t0)
		j.Attempts.Crashes = policy().MaxCrashes - 1
		if got, failed := j.DeadLettered(j.Wakeup(), j.Lease.ExpiresAt, policy()); !failed || got.Status != job.Failed {
			t.Errorf("got %s", got.Status)
		}
	})
	t.Run("after panics an outage's dead letter fails nothing", func(t *testing.T) {
		t.Parallel()
		j, p := newJob(), policy()
		for range p.MaxCrashes - 1 {
			j = claim(t, j, j.DueAt).Crashed(j.DueAt, "panicked", p)
		}
		if got, failed := j.DeadLettered(j.Wakeup(), j.DueAt.Add(time.Hour), p); failed {
			t.Errorf("a %s job that nobody claimed became %s", j.Status, got.Status)
		}
	})
}

// Waiting for others uses up no patience, however long it takes and wherever it comes; what it is for begins at once
// afterwards, and its own polls count.
func TestWaitingUsesNoPatience(t *testing.T) {
	t.Parallel()
	p := policy()
	p.MaxVerify = 3
	for name, v := range map[string]job.Verdict{"waiting": job.Waiting("x"), "queued": job.Queued("x")} {
		j, now := claim(t, newJob(), t0).Submitted(t0, p), t0
		verdict := func(v job.Verdict) {
			t.Helper()
			j = claim(t, j, now).WithVerdict(v, now, p)
			now = j.DueAt
		}
		now = j.DueAt
		verdict(job.Pending("x"))
		for range 2_000 {
			verdict(v)
			if j.Status != job.PendingVerification {
				t.Fatalf("%s: %s after %s", name, j.Status, now.Sub(t0))
			}
		}
		if pause, most := j.DueAt.Sub(j.UpdatedAt), p.Poll.Delay(2_001); pause != most {
			t.Errorf("%s: the last pause is %s, want %s", name, pause, most)
		}
		verdict(job.Pending("x"))
		if j.Status != job.PendingVerification {
			t.Errorf("%s: %s at the second poll of its own, want three", name, j.Status)
		}
		verdict(job.Pending("x"))
		if j.Status != job.VerificationTimeout {
			t.Errorf("%s: %s at the third poll of its own", name, j.Status)
		}
	}
}

// TestEveryMoveIsAnEdge walks the machine at random and checks each step against the table of transitions.
func TestEveryMoveIsAnEdge(t *testing.T) {
	t.Parallel()
	verdicts := []job.Verdict{job.Pending("x"), job.Verified(), {Kind: job.VerdictVerified, Watch: true},
		job.Rejected("x"),
		job.Lost("x"), job.NeverPossible("x"), {Kind: job.VerdictUndone},
		{Kind: job.VerdictWatching}, {Kind: job.VerdictFinal}}
	p := policy()
	p.MaxProcess, p.MaxVerify, p.MaxCrashes = 2, 3, 2
	seen := map[[2]job.Status]bool{}
	rng := uint64(1)
	pick := func(n int) int {
		rng = rng*6364136223846793005 + 1442695040888963407
		return int((rng >> 33) % uint64(n))
	}
	step := func(j job.Job, now time.Time) job.Job {
		if j.NextAction == job.None {
			next, _ := j.Retried(now)
			return next
		}
		next, res := j.Claim(j.Wakeup(), "o", now, p)
		if res != job.Claimed || pick(5) == 0 {
			return next
		}
		record(t, seen, j, next)
		switch {
		case j.NextAction == job.Process && pick(3) == 0:
			return next.FailedTransiently(now, errors.New("x"), p)
		case j.NextAction == job.Process && pick(6) == 0:
			return next.FailedPermanently(now, errors.New("x"))
		case j.NextAction == job.Process:
			return next.Submitted(now, p)
		case j.Status == job.Completed:
			return next.WithVerdict(verdicts[6+pick(3)], now, p)
		}
		return next.WithVerdict(verdicts[pick(6)], now, p)
	}
	for range 400 {
		j, now := newJob(), t0
		for range 40 {
			now = now.Add(24 * time.Hour)
			before := j
			if j = step(j, now); before.NextAction == job.Process && j.Status != before.Status &&
				j.Status != job.LockedForProcessing && j.Status != job.Failed {
				before.Status = job.LockedForProcessing // the claim in between was recorded
			}
			if before.Status == job.LockedForProcessing || before.NextAction != job.Process {
				record(t, seen, before, j)
			}
			if j.NextAction == job.None && !j.Status.NeedsOperator() && j.Status != job.Completed {
				t.Fatalf("a %s job has nothing to do", j.Status)
			}
		}
	}
	for _, e := range job.Edges {
		if !seen[[2]job.Status{e.From, e.To}] {
			t.Errorf("edge %s -> %s (%s) was never taken", e.From, e.To, e.Cause)
		}
	}
}

func record(t *testing.T, seen map[[2]job.Status]bool, from, to job.Job) {
	t.Helper()
	seen[[2]job.Status{from.Status, to.Status}] = true
	if from.Status != to.Status && !job.CanMove(from.Status, to.Status) {
		t.Fatalf("moved from %s to %s, which is not an edge", from.Status, to.Status)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	b := job.Backoff{First: time.Second, Max: 10 * time.Second, Factor: 2}
	var got []time.Duration
	for n := range 6 {
		got = append(got, b.Delay(n))
	}
	want := []time.Duration{1, 2, 4, 8, 10, 10}
	for i := range want {
		want[i] *= time.Second
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := b.Delay(1_000_000); d != b.Max {
		t.Errorf("delay of try 1,000,000 is %v", d)
	}
}
