package job

import "time"

// Backoff is a growing delay: First, then Factor times the one before, at most Max.
type Backoff struct {
	First  time.Duration
	Max    time.Duration
	Factor float64
}

// Delay returns the delay before try n, counted from 0.
func (b Backoff) Delay(n int) time.Duration {
	d := float64(b.First)
	for range n {
		d *= b.Factor
		if d >= float64(b.Max) {
			return b.Max
		}
	}
	return min(time.Duration(d), b.Max)
}

// Policy is how a job type is tried and polled.
type Policy struct {
	// MaxProcess is how many submissions the external service may reject before the job fails.
	MaxProcess int
	// MaxVerify is how many answers "still pending" it may give before the job times out; 0: any number. Failures to
	// ask don't count.
	MaxVerify int
	// Poll is when verification asks: soon at first, then slower.
	Poll Backoff
	// Watch is when finality of a completed job is looked at.
	Watch Backoff
	// Retry is the backoff after transient failures.
	Retry Backoff
	// LeaseTTL is how long one invocation may hold the job: the function's timeout and a margin.
	LeaseTTL time.Duration
	// MaxCrashes is how many invocations in a row may take the job and never come back before it fails.
	MaxCrashes int
	// AlertAfter is how many transient failures in a row make an alert; they never fail the job.
	AlertAfter int
}

// uploadLease is for stages that move PIEs of hundreds of megabytes.
const uploadLease = 5*time.Minute + 30*time.Second

// Skew is how much clocks of functions may differ: an action is due this much before DueAt.
const Skew = 2 * time.Second

// Policies returns the policy of each type. The reference's figures (worker/event_handler/jobs/*.rs) are kept as total
// times: 900 polls at 30 s are 7.5 hours, here asked fast at first.
func Policies() map[Type]Policy {
	base := Policy{
		MaxProcess: 1,
		Retry:      Backoff{First: 2 * time.Second, Max: 10 * time.Minute, Factor: 2},
		LeaseTTL:   90 * time.Second,
		MaxCrashes: 5,
		AlertAfter: 8,
	}
	with := func(change func(*Policy)) Policy { p := base; change(&p); return p }
	return map[Type]Policy{
		SnosRun: with(func(p *Policy) {
			p.MaxProcess, p.MaxVerify = 2, 1500 // 6 h at 15 s
			p.Poll = Backoff{First: time.Second, Max: 15 * time.Second, Factor: 1.5}
		}),
		ProofCreation: with(func(p *Policy) {
			p.LeaseTTL = uploadLease
			p.MaxVerify = 920 // 7.5 h
			p.Poll = Backoff{First: time.Second, Max: 30 * time.Second, Factor: 1.5}
		}),
		ProofRegistration: with(func(p *Policy) {
			p.LeaseTTL = uploadLease
			p.MaxProcess, p.MaxVerify = 2, 320 // 25 h
			p.Poll = Backoff{First: 5 * time.Second, Max: 5 * time.Minute, Factor: 1.5}
		}),
		DataSubmission: with(func(p *Policy) {
			p.MaxVerify = 720 // 12 h: full blocks are not a reason to give up
			p.Poll = Backoff{First: 2 * time.Second, Max: time.Minute, Factor: 1.5}
			p.Watch = Backoff{First: time.Minute, Max: 30 * time.Minute, Factor: 2}
		}),
		Aggregator: with(func(p *Policy) {
			p.LeaseTTL = uploadLease
			p.MaxVerify = 920
			p.Poll = Backoff{First: time.Second, Max: 30 * time.Second, Factor: 1.5}
		}),
		StateTransition: with(func(p *Policy) {
			p.LeaseTTL = 150 * time.Second
			p.MaxProcess, p.MaxVerify = 3, 720
			p.Poll = Backoff{First: 2 * time.Second, Max: time.Minute, Factor: 1.5}
			p.Watch = Backoff{First: time.Minute, Max: 5 * time.Minute, Factor: 1.5}
		}),
	}
}

// shortest is the shortest pause of paced policies, shortestLease their shortest lease.
const (
	shortest      = 20 * time.Millisecond
	shortestLease = 45 * time.Second // longer than any client waits for an answer
)

// Paced returns policies whose pauses are shorter by a factor, with as many more polls, so that their total times stay:
// where everything is on one machine there is nothing to wait for.
func Paced(ps map[Type]Policy, factor int) map[Type]Policy {
	if factor <= 1 {
		return ps
	}
	faster := func(b Backoff) Backoff {
		b.First, b.Max = max(b.First/time.Duration(factor), shortest), max(b.Max/time.Duration(factor), shortest)
		return b
	}
	out := make(map[Type]Policy, len(ps))
	for t, p := range ps {
		p.Poll, p.Watch, p.Retry = faster(p.Poll), faster(p.Watch), faster(p.Retry)
		p.LeaseTTL = max(p.LeaseTTL/time.Duration(factor), shortestLease)
		p.MaxVerify *= factor
		out[t] = p
	}
	return out
}
