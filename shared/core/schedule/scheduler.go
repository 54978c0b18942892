package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

var (
	// ErrNoTimer says that there is no timer of the name.
	ErrNoTimer = errors.New("there is no such timer")
	// ErrTimer says that a timer can't be as it is asked for.
	ErrTimer = errors.New("invalid timer")
)

// Bounds of a timer's interval, which is whole minutes: the scheduler's finest step.
const (
	MinEvery = time.Minute
	MaxEvery = 24 * time.Hour
)

// MaxReconcile is the longest interval of Reconcile, which logs what the alarms Silence, Lag, LagTime and Overdue look
// at in periods of five minutes: each period must have a value.
const MaxReconcile = 4 * time.Minute

// Timer gives its target an input at fixed intervals.
type Timer struct {
	Name  string // of a stage, for those that run trigger workers
	Every time.Duration
	// Target is what gets the input and Role by which role: ARNs on AWS.
	Target, Role string
	Input        string
	Disabled     bool // it does nothing until it is enabled
}

// Check returns ErrTimer where the timer can't be.
func (t Timer) Check() error {
	if err := CheckEvery(t.Every); err != nil {
		return fmt.Errorf("timer %s: %w", t.Name, err)
	}
	if t.Name == "" || t.Target == "" {
		return fmt.Errorf("timer %q for %q: %w: want a name and a target", t.Name, t.Target, ErrTimer)
	}
	return nil
}

// CheckEvery returns ErrTimer where a timer can't have the interval.
func CheckEvery(every time.Duration) error {
	if every < MinEvery || every > MaxEvery || every%time.Minute != 0 {
		return fmt.Errorf("%w: %s: want whole minutes, 1m to 24h", ErrTimer, every)
	}
	return nil
}

// Scheduler keeps timers. A timer may fire twice, and late by a minute. Safe for concurrent use.
type Scheduler interface {
	// Create makes a timer. One that is there already stays as it is, which is not an error. ErrTimer.
	Create(ctx context.Context, t Timer) error
	// Get returns a timer. ErrNoTimer.
	Get(ctx context.Context, name string) (Timer, error)
	// Update gives a timer another interval, target, role and input, and leaves what else there is of it, also whether
	// it is disabled. ErrNoTimer, ErrTimer.
	Update(ctx context.Context, t Timer) error
	// Enable and Disable change whether a timer fires; where it is so already nothing happens. ErrNoTimer.
	Enable(ctx context.Context, name string) error
	Disable(ctx context.Context, name string) error
	// List returns the names of all timers, sorted.
	List(ctx context.Context) ([]string, error)
	// Delete removes a timer; one that is not there is not an error.
	Delete(ctx context.Context, name string) error
}

// Intervals are how often stages' trigger workers run, where they differ from the defaults.
type Intervals map[stage.Name]time.Duration

// ParseIntervals reads intervals such as "ProofCreation=10m,StorageCleanup=2h"; "" is none.
func ParseIntervals(text string) (Intervals, error) {
	out := Intervals{}
	if text == "" {
		return out, nil
	}
	var errs []error
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			errs = append(errs, fmt.Errorf("%.60q: want STAGE=INTERVAL, such as ProofCreation=10m", part))
			continue
		}
		n, err := stage.Parse(name)
		every, derr := time.ParseDuration(value)
		if derr == nil {
			derr = CheckEvery(every)
		}
		if err == nil && derr == nil && n == stage.Reconcile && every > MaxReconcile {
			derr = fmt.Errorf("%w: want at most %d minutes: the alarms look each five minutes at what it logs",
				ErrTimer, MaxReconcile/time.Minute)
		}
		if err := errors.Join(err, derr); err != nil {
			errs = append(errs, fmt.Errorf("%.60q: %w", part, err))
			continue
		}
		if _, twice := out[n]; twice {
			errs = append(errs, fmt.Errorf("%s is given twice", n))
		}
		out[n] = every
	}
	return out, errors.Join(errs...)
}

// String writes the intervals as ParseIntervals reads them.
func (i Intervals) String() string {
	var parts []string
	for n, every := range i {
		parts = append(parts, string(n)+"="+every.String())
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
