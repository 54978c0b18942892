package admin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// Bounds of a listing's length.
const (
	DefaultPage = 50
	MaxJobs     = 100
)

// JobQuery selects jobs for a listing.
type JobQuery struct {
	Type     job.Type     // "": all types, in the order of the pipeline
	Statuses []job.Status // empty: any
	Newest   bool         // highest batch first
	Cursor   string       // JobPage.NextCursor of the page before
	Limit    int          // 1..MaxJobs; 0: DefaultPage
}

// JobByID returns a job. Errors: ErrInvalid, job.ErrNotFound, job.ErrSchema.
func (s *Service) JobByID(ctx context.Context, id string) (JobDetail, error) {
	if !job.ValidID(id) {
		return JobDetail{}, invalid("job id: want 32 hex digits in lower case")
	}
	j, err := s.Jobs.Get(ctx, id)
	if err != nil {
		return JobDetail{}, err
	}
	return s.detail(j, s.standing(ctx))
}

// ListJobs returns one page of jobs, by type and then by batch.
func (s *Service) ListJobs(ctx context.Context, q JobQuery) (JobPage, error) {
	page := JobPage{Jobs: []Job{}}
	limit, err := pageLimit(q.Limit, MaxJobs)
	if err != nil {
		return page, err
	}
	types, after, err := q.start()
	if err != nil {
		return page, err
	}
	st := s.standing(ctx)
	for i, t := range types {
		f := job.Filter{Type: t, Statuses: q.Statuses, Limit: limit + 1 - len(page.Jobs)}
		if q.Newest {
			f.Order = job.Descending
		}
		if i == 0 && after != nil && !bound(&f, *after) {
			continue
		}
		js, err := s.Jobs.List(ctx, f)
		if err != nil {
			return page, fmt.Errorf("list %s jobs: %w", t, err)
		}
		for _, j := range js {
			if len(page.Jobs) == limit {
				last := page.Jobs[limit-1]
				page.NextCursor = last.Type + "." + strconv.FormatUint(last.Batch, 10)
				return page, nil
			}
			page.Jobs = append(page.Jobs, s.view(j, st))
		}
	}
	return page, nil
}

// start returns the types to list and, where the query has a cursor, the last batch of the first type that was listed.
func (q JobQuery) start() ([]job.Type, *uint64, error) {
	types := job.Types
	if q.Type != "" {
		types = []job.Type{q.Type}
	}
	if q.Cursor == "" {
		return types, nil, nil
	}
	name, number, ok := strings.Cut(q.Cursor, ".")
	i := slices.Index(types, job.Type(name))
	n, err := strconv.ParseUint(number, 10, 63) // stores keep 63 bits
	if !ok || i < 0 || err != nil {
		return nil, nil, invalid("cursor is not one that a listing of these jobs gave")
	}
	return types[i:], &n, nil
}

// bound makes a filter go on after a batch; false when nothing can follow.
func bound(f *job.Filter, after uint64) bool {
	if f.Order == job.Descending {
		f.To = after - 1
		return after > 1 // a To of 0 would be no bound, and batches count from 1
	}
	f.From = after + 1
	return after < math.MaxInt64
}

// pageLimit is the length of a page.
func pageLimit(asked, most int) (int, error) {
	switch {
	case asked == 0:
		return min(DefaultPage, most), nil
	case asked < 0 || asked > most:
		return 0, invalid("limit %d: want 1 to %d", asked, most)
	}
	return asked, nil
}

// Process makes a job's processing due now. Errors: ErrInvalid, executor.ErrRefused, job.ErrNotFound, job.ErrConflict,
// job.ErrSchema.
func (s *Service) Process(ctx context.Context, id string, o Command) (Job, error) {
	return s.command(ctx, id, o, func() (job.Job, error) {
		return s.Executor.RunNow(ctx, id, job.Process, o.forExecutor())
	})
}

// Verify makes a job's verification due now. Errors are those of Process.
func (s *Service) Verify(ctx context.Context, id string, o Command) (Job, error) {
	return s.command(ctx, id, o, func() (job.Job, error) {
		return s.Executor.RunNow(ctx, id, job.Verify, o.forExecutor())
	})
}

// Retry starts a job again that waits for an operator. Errors are those of Process.
func (s *Service) Retry(ctx context.Context, id string, o Command) (Job, error) {
	return s.command(ctx, id, o, func() (job.Job, error) { return s.Executor.Retry(ctx, id, o.forExecutor()) })
}

func (s *Service) command(ctx context.Context, id string, o Command, do func() (job.Job, error)) (Job, error) {
	if !job.ValidID(id) {
		return Job{}, invalid("job id: want 32 hex digits in lower case")
	}
	if err := o.check(false); err != nil {
		return Job{}, err
	}
	j, err := do()
	if err != nil {
		return Job{}, err
	}
	return s.view(j, s.standing(ctx)), nil
}

// Bulk is the result of a command about many jobs.
type Bulk struct {
	Done    []string  `json:"done"`    // ids
	Refused []Refusal `json:"refused"` // jobs that changed in between, or could not be written
	More    bool      `json:"more"`    // there are more: repeat the command
}

// Refusal is a job that a command could not be carried out on.
type Refusal struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// maxBulk is the most jobs that one command concerns.
const maxBulk = 100

// RetryAll retries the jobs of a stage that wait for an operator, at most 100, the lowest batches first. The command
// needs a reason. Errors: ErrInvalid, ErrUnknown.
func (s *Service) RetryAll(ctx context.Context, name string, o Command) (Bulk, error) {
	if err := o.check(true); err != nil {
		return Bulk{}, err
	}
	st, err := s.stage(ctx, name)
	if err != nil {
		return Bulk{}, err
	}
	if !st.Jobs {
		return Bulk{}, invalid("stage %s has no jobs", st.Stage)
	}
	return s.bulk(ctx, job.Filter{Type: st.Stage, Statuses: waiting}, func(j job.Job) error {
		_, err := s.Executor.Retry(ctx, j.ID, o.forExecutor())
		return err
	})
}

// bulk carries a command out on the first jobs of a filter.
func (s *Service) bulk(ctx context.Context, f job.Filter, do func(job.Job) error) (Bulk, error) {
	b := Bulk{Done: []string{}, Refused: []Refusal{}}
	f.Limit = maxBulk + 1
	js, err := s.Jobs.List(ctx, f)
	if err != nil {
		return b, fmt.Errorf("list %s jobs: %w", f.Type, err)
	}
	if b.More = len(js) > maxBulk; b.More {
		js = js[:maxBulk]
	}
	for _, j := range js {
		if err := do(j); err != nil {
			b.Refused = append(b.Refused, Refusal{ID: j.ID, Reason: s.refusal(ctx, err)})
			continue
		}
		b.Done = append(b.Done, j.ID)
	}
	return b, nil
}

// waiting are the statuses in which a job waits for an operator.
var waiting = []job.Status{job.Failed, job.VerificationTimeout}

// refusal is why a command was refused, as far as callers may know.
func (s *Service) refusal(ctx context.Context, err error) string {
	if either(err, executor.ErrRefused, job.ErrNotFound, job.ErrConflict, job.ErrSchema) {
		return reasonOf(err)
	}
	s.log().ErrorContext(ctx, "command not carried out", "error", err)
	return "the database did not take it"
}

// Hook is the message of a prover or a SNOS runner that it may be done with a job, whose id is the token. It is a hint
// and nothing in it is trusted: at most it makes the job's own verification ask now instead of soon. It never says
// whether there is such a job. Each asking counts as a poll, so a job takes hints only so often.
func (s *Service) Hook(ctx context.Context, token, by string) {
	if !job.ValidID(token) {
		return
	}
	j, err := s.Jobs.Get(ctx, token)
	if err == nil && s.hinted(j) {
		_, err = s.Executor.RunNow(ctx, j.ID, job.Verify, executor.Command{By: by, Reported: true})
	}
	if err != nil && !either(err, executor.ErrRefused, job.ErrNotFound, job.ErrConflict, job.ErrSchema) &&
		!errors.Is(err, context.Canceled) {
		s.log().WarnContext(ctx, "webhook ignored, polling goes on", "job_id", token, "error", err)
	}
}

// HookTasks is Hook by the prover's tasks instead of a job's id.
func (s *Service) HookTasks(ctx context.Context, tasks []string) {
	for _, t := range proverStages {
		// What waits at a prover fits one page: the window bounds it.
		js, err := s.Jobs.List(ctx,
			job.Filter{Type: t, Statuses: []job.Status{job.PendingVerification}, Limit: job.MaxPage})
		if err != nil {
			s.log().WarnContext(ctx, "webhook ignored, polling goes on", "error", err)
			return
		}
		for _, j := range js {
			if j.ExternalID != "" && slices.Contains(tasks, j.ExternalID) {
				s.Hook(ctx, j.ID, "prover's webhook")
			}
		}
	}
}

// hinted says whether a hint brings anything: the job's work is outside, is not about to be asked about anyway, and was
// not asked about just before.
func (s *Service) hinted(j job.Job) bool {
	now := s.Now()
	return (j.Type == job.SnosRun || slices.Contains(proverStages, j.Type)) && j.Status == job.PendingVerification &&
		j.DueAt.Sub(now) > hookGain && now.Sub(j.UpdatedAt) >= hookInterval
}

// proverStages are the job types whose work is at the prover.
var proverStages = []job.Type{job.ProofCreation, job.ProofRegistration, job.Aggregator}

// Bounds of hints: what they must gain, and how long a job must have been left alone.
const (
	hookGain     = time.Second
	hookInterval = 5 * time.Second
)
