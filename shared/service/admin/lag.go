package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Lag answers where the chain's settlement is and what blocks it.
type Lag struct {
	Chain   string      `json:"chain"`
	Layer   stage.Layer `json:"layer"`
	Head    *uint64     `json:"head"`    // newest block of the app chain; null where it can't be read
	Batched *uint64     `json:"batched"` // last block that is in a batch; null while none is
	Settled *uint64     `json:"settled"` // last settled block; null while none is, or where the contract can't be read
	// Blocks is how many blocks the settlement is behind the head; null where one of the two is unknown.
	Blocks *uint64 `json:"blocks"`
	// Seconds is the age of the oldest block that is not settled, 0 where all are; null where it is unknown.
	Seconds *int64 `json:"seconds"`
	// Blocking is the lowest job that is not completed, stage by stage from the last; null where none is.
	Blocking *Job `json:"blocking"`
	// FeeWait is set while settlement waits for lower fees.
	FeeWait *FeeWait `json:"fee_wait,omitempty"`
	// Failed counts the jobs that wait for an operator, up to 100 a type; null where they can't be read.
	Failed *int `json:"failed"`
	// Paused are the stages that an operator has stopped.
	Paused []stage.Name `json:"paused,omitempty"`
	// Rewind is the one that is under way.
	Rewind *Rewind `json:"rewind,omitempty"`
	// Unknown says what could not be read now.
	Unknown []string `json:"unknown,omitempty"`
	// Ages are how many seconds ago those values were read that could not be read now, by their names here.
	Ages map[string]int64 `json:"ages,omitempty"`
	// Verdict says in a sentence what blocks settlement.
	Verdict Verdict `json:"verdict"`
}

// FeeWait is what settlement waits for: amounts are what the state update costs at least, at base fees, decimal, in the
// settlement layer's smallest unit.
type FeeWait struct {
	Today  string    `json:"today"`
	Target string    `json:"target"`
	Until  time.Time `json:"until"` // it is settled then whatever fees are
}

// feeWait is what a job waits for; nil where it does not wait for fees.
func feeWait(j *job.Job) *job.FeeWait {
	if j == nil {
		return nil
	}
	m, ok := j.Metadata.(*job.StateTransitionMeta)
	if !ok || m.FeeWait == nil || !m.FeeWait.Waits || len(m.Journal.Records) > 0 || j.Status == job.Completed ||
		j.Status.NeedsOperator() { // what it waited for once stays in its document
		return nil
	}
	return m.FeeWait
}

// lagTimeout is how long one thing that Lag reads may take. All are read at once, so the answer takes no longer.
const lagTimeout = 2500 * time.Millisecond

// facts are what Lag reads.
type facts struct {
	lag    Lag
	job    *job.Job // of Lag.Blocking
	span   string   // names its blocks; "" where its batch can't be read
	pauses schedule.Pauses
	open   []alert.Report // of causes that are reported now
	db     bool           // the database could be read
	unread map[string]bool
}

// Lag reads how far head, batching and settlement are, everything at once, in less than 3 seconds whatever hangs. What
// can't be read now is named, and left out or given with the age of its last known value.
func (s *Service) Lag(ctx context.Context) Lag {
	f := &facts{lag: Lag{Chain: s.Chain, Layer: s.Layer}, db: true, unread: map[string]bool{}}
	r := &reading{service: s, ctx: ctx, facts: f}
	readOne(r, "head", s.Head != nil, func(ctx context.Context) (*uint64, error) {
		n, err := s.Head.Head(ctx)
		if errors.Is(err, block.ErrNotFound) {
			return nil, nil
		}
		return &n, err
	}, func(n *uint64) { f.lag.Head = n })
	readOne(r, "settled", s.Contract != nil, func(ctx context.Context) (*uint64, error) {
		st, err := s.Contract.State(ctx, false)
		if !st.Settled {
			return nil, err
		}
		return &st.Block, err
	}, func(n *uint64) { f.lag.Settled = n })
	readOne(r, "batched", true, s.batched, func(n *uint64) { f.lag.Batched = n })
	readOne(r, "paused", true, s.Control.Pauses, func(ps schedule.Pauses) {
		f.pauses = ps
		for _, p := range ps {
			f.lag.Paused = append(f.lag.Paused, p.Stage)
		}
	})
	readOne(r, "rewind", s.Rewinds != nil, func(ctx context.Context) (rewind.State, error) {
		return s.Rewinds.Get(ctx)
	}, func(st rewind.State) {
		if active, ok := st.Active(); ok {
			v := s.rewindView(active)
			f.lag.Rewind = &v
		}
	})
	readOne(r, "blocking", true, s.blocking, func(b *blocked) { f.job, f.span = b.job, b.span })
	readOne(r, "failed", true, s.failed, func(n *int) { f.lag.Failed = n })
	readOne(r, "alerts", s.Reports != nil, func(ctx context.Context) ([]alert.Report, error) {
		return s.Reports.Open(ctx, "", maxAlerts)
	}, func(open []alert.Report) { f.open = open })
	r.wait()
	r.seconds()
	l := &f.lag
	if f.job != nil {
		v := s.view(*f.job, standing{f.pauses, f.open})
		l.Blocking = &v
	}
	if l.Head != nil && l.Settled != nil && *l.Head >= *l.Settled {
		behind := *l.Head - *l.Settled
		l.Blocks = &behind
	}
	if s.Contract != nil && l.Head != nil && l.Settled == nil && !f.unread["settled"] { // nothing is settled yet
		all := *l.Head + 1
		l.Blocks = &all
	}
	slices.Sort(l.Unknown)
	if w := feeWait(f.job); w != nil {
		l.FeeWait = &FeeWait{Today: w.Today, Target: w.Target, Until: utc(w.Until)}
	}
	l.Verdict = s.verdict(f)
	return f.lag
}

// reading reads several values at once, and keeps what was read for the time when it can't be read.
type reading struct {
	service *Service
	ctx     context.Context
	facts   *facts
	group   sync.WaitGroup
	mu      sync.Mutex
}

func (r *reading) wait() { r.group.Wait() }

// known is what was read of a value, and when.
type known struct {
	value any
	at    time.Time
}

// memory keeps the last known values.
type lastKnown struct {
	mu     sync.Mutex
	values map[string]known
}

func (m *lastKnown) set(name string, v any, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = map[string]known{}
	}
	m.values[name] = known{v, at}
}

func (m *lastKnown) get(name string) (known, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.values[name]
	return k, ok
}

// readOne reads a value of a name and hands it to set: the one that is read, or the last known one with its age.
func readOne[T any](r *reading, name string, wanted bool, read func(context.Context) (T, error), set func(T)) {
	if !wanted {
		return
	}
	r.group.Go(func() {
		v, err := within(r.ctx, lagTimeout, read)
		r.mu.Lock()
		defer r.mu.Unlock()
		s := r.service
		if err == nil {
			s.seen.set(name, v, s.Now())
			set(v)
			return
		}
		if name == "batched" || name == "blocking" || name == "failed" || name == "paused" {
			r.facts.db = false
		}
		r.facts.unread[name] = true
		l := &r.facts.lag
		l.Unknown = append(l.Unknown, name+": "+reasonOf(err))
		k, ok := s.seen.get(name)
		if before, same := k.value.(T); ok && same {
			set(before)
			if l.Ages == nil {
				l.Ages = map[string]int64{}
			}
			l.Ages[name] = int64(s.Now().Sub(k.at) / time.Second)
		}
	})
}

// errLate says that something did not answer in time.
var errLate = errors.New("no answer in time")

// within runs read for at most d, and gives it up even if it ignores its context.
func within[T any](ctx context.Context, d time.Duration, read func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		a := answer{err: errors.New("reading it panicked")}
		defer func() { _ = recover(); done <- a }()
		a.v, a.err = read(ctx)
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		a.err = ctx.Err()
	}
	if errors.Is(a.err, context.DeadlineExceeded) {
		a.err = errLate
	}
	return a.v, a.err
}

// seconds reads the age of the oldest block that is not settled. It has what is left of Lag's time.
func (r *reading) seconds() {
	l, s := &r.facts.lag, r.service
	headers, ok := s.Head.(Headers)
	if !ok || l.Head == nil || len(l.Ages) > 0 && slices.Contains(slices.Collect(maps.Keys(l.Ages)), "head") {
		return
	}
	if l.Settled == nil && (s.Contract == nil || r.facts.unread["settled"]) {
		return // nobody knows which block is the oldest
	}
	next := uint64(0)
	if l.Settled != nil {
		next = *l.Settled + 1
	}
	if next > *l.Head {
		l.Seconds = new(int64)
		return
	}
	at, err := within(r.ctx, secondsTimeout, func(ctx context.Context) (time.Time, error) {
		hs, err := headers.Headers(ctx, next, next)
		if err != nil || len(hs) != 1 {
			return time.Time{}, errors.Join(err, block.ErrNotFound)
		}
		return hs[0].Timestamp, nil
	})
	if err != nil {
		l.Unknown = append(l.Unknown, "seconds: "+reasonOf(err))
		return
	}
	age := max(int64(s.Now().Sub(at)/time.Second), 0)
	l.Seconds = &age
}

// secondsTimeout is how long the oldest block's header may take, after everything else was read.
const secondsTimeout = 400 * time.Millisecond

// batched is the last block that is in a batch; nil while none is.
func (s *Service) batched(ctx context.Context) (*uint64, error) {
	last, err := s.lastBatch(ctx)
	if errors.Is(err, batch.ErrNotFound) {
		return nil, nil
	}
	return &last.EndBlock, err
}

// unfinished are the statuses of jobs that have not done their work.
var unfinished = []job.Status{
	job.Created, job.LockedForProcessing, job.PendingVerification, job.VerificationFailed,
	job.VerificationTimeout, job.Failed,
	job.PendingRetry,
}

// blocked is the job that blocks the rest, with what names its blocks.
type blocked struct {
	job  *job.Job
	span string
}

// blocking finds what blocks the rest: of the job types the last one in the pipeline with an unfinished job that waits
// for an operator, else the last one with any.
func (s *Service) blocking(ctx context.Context) (*blocked, error) {
	for _, statuses := range [][]job.Status{waiting, unfinished} {
		for i := len(job.Types) - 1; i >= 0; i-- {
			js, err := s.Jobs.List(ctx, job.Filter{Type: job.Types[i], Statuses: statuses, Limit: 1})
			if err != nil {
				return nil, fmt.Errorf("list %s jobs: %w", job.Types[i], err)
			}
			if len(js) > 0 {
				return &blocked{job: &js[0], span: s.spanOf(ctx, js[0])}, nil
			}
		}
	}
	return &blocked{}, nil
}

// spanOf names the blocks of a job's batch, as in "(blocks 10-14, in aggregator batch 1)"; "" where they can't be read.
func (s *Service) spanOf(ctx context.Context, j job.Job) string {
	if s.batchKind(j.Type) == KindAggregator {
		b, err := s.Batches.Aggregator(ctx, j.Batch)
		if err != nil {
			return ""
		}
		return fmt.Sprintf(" (blocks %d-%d)", b.StartBlock, b.EndBlock)
	}
	b, err := s.Batches.Snos(ctx, j.Batch)
	switch {
	case err != nil:
		return ""
	case b.Aggregator == 0:
		return fmt.Sprintf(" (blocks %d-%d)", b.StartBlock, b.EndBlock)
	}
	return fmt.Sprintf(" (blocks %d-%d, in aggregator batch %d)", b.StartBlock, b.EndBlock, b.Aggregator)
}

// failed counts the jobs that wait for an operator, up to 100 a type.
func (s *Service) failed(ctx context.Context) (*int, error) {
	all := 0
	for _, t := range job.Types {
		counts, err := s.Jobs.Count(ctx, t, waiting, 100)
		if err != nil {
			return nil, fmt.Errorf("count %s jobs: %w", t, err)
		}
		for _, n := range counts {
			all += n
		}
	}
	return &all, nil
}
