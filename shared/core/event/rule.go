package event

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

var (
	// ErrRule says that a rule can't be as it is asked for.
	ErrRule = errors.New("invalid rule")
	// ErrNoRule says that the bus has no rule of the name.
	ErrNoRule = errors.New("there is no such rule")
)

// Types are all types of events.
func Types() []Type {
	return []Type{JobChanged, BatchClosed, BatchSettled, StagePaused, StageResumed, BatchCloseAsked, SubscribersChanged,
		RewindAsked, BatchesRewound}
}

// MaxTargets is the most targets of a rule: EventBridge's limit.
const MaxTargets = 5

// Rule sends the events of some types to targets.
type Rule struct {
	Name     string
	Types    []Type   // none: all events of ours
	Targets  []string // ARNs, sorted
	Disabled bool     // it sends nothing until it is enabled
}

var (
	ruleName  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	targetARN = regexp.MustCompile(`^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:[^\s]{1,200}$`)
)

// Check returns ErrRule where the rule can't be.
func (r Rule) Check() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w %.70q: %s", ErrRule, r.Name, fmt.Sprintf(format, args...))
	}
	if !ruleName.MatchString(r.Name) {
		return wrong("want a name of 1 to 64 letters, digits, and . _ -")
	}
	for _, t := range r.Types {
		if !slices.Contains(Types(), t) {
			return wrong("no event %.40q: want some of %v", t, Types())
		}
	}
	if len(r.Targets) == 0 || len(r.Targets) > MaxTargets {
		return wrong("%d targets, want 1 to %d", len(r.Targets), MaxTargets)
	}
	for _, a := range r.Targets {
		if !targetARN.MatchString(a) {
			return wrong("target %.80q: want the ARN of a queue, a function or a topic", a)
		}
	}
	return nil
}

// Router keeps the rules of a bus. A target must let the bus send to it. Safe for concurrent use.
type Router interface {
	// Put makes a rule, or replaces the one of its name with its targets. ErrRule.
	Put(ctx context.Context, r Rule) error
	// Rules lists the rules by name. Those that others made for other events have no types.
	Rules(ctx context.Context) ([]Rule, error)
	// Enable and Disable change whether a rule sends; where it is so already nothing happens. ErrNoRule.
	Enable(ctx context.Context, name string) error
	Disable(ctx context.Context, name string) error
	// Delete removes a rule with its targets; one that is not there is not an error.
	Delete(ctx context.Context, name string) error
}
