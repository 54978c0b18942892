// Package schedule holds the message that runs a stage's trigger worker, and which stages are paused.
package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Wakeup is the body of a message or schedule that runs a stage's trigger worker once: {"stage":"ProofCreation"}.
type Wakeup struct {
	Stage stage.Name
	// Close is the index of an open batch that the stage, which must be one that makes batches, is to close in this
	// run; 0: none. A batch that is closed already stays as it is.
	Close uint64
}

// wire is a wake-up as JSON. Worker is the key that releases up to 0.1 wrote; it is still read.
type wire struct {
	Stage  string `json:"stage,omitempty"`
	Worker string `json:"worker,omitempty"`
	Close  uint64 `json:"close,omitempty"`
}

// Encode returns the wake-up as JSON.
func (w Wakeup) Encode() string {
	b, err := json.Marshal(wire{Stage: string(w.Stage), Close: w.Close})
	if err != nil {
		panic(err) // a string always marshals
	}
	return string(b)
}

// Decode reads a wake-up. ok is false where the body is not one: it names no stage. The error says that it names a
// stage that does not exist, or two.
func Decode(body []byte) (w Wakeup, ok bool, err error) {
	var x wire
	if json.Unmarshal(body, &x) != nil || x.Stage == "" && x.Worker == "" {
		return Wakeup{}, false, nil
	}
	if x.Stage != "" && x.Worker != "" {
		return Wakeup{}, true, fmt.Errorf("wake-up names the stage %.80q and the worker %.80q, want one",
			x.Stage, x.Worker)
	}
	n, err := stage.Parse(x.Stage + x.Worker)
	return Wakeup{Stage: n, Close: x.Close}, true, err
}

// Pause says that a stage is paused: its trigger worker and its jobs do nothing until it is resumed.
type Pause struct {
	Stage  stage.Name
	Since  time.Time
	By     string // who asked, for the audit
	Reason string
}

// Pauses are the paused stages.
type Pauses []Pause

// Of returns the pause of a stage. ok is false if the stage is not paused.
func (ps Pauses) Of(n stage.Name) (p Pause, ok bool) {
	for _, p := range ps {
		if p.Stage == n {
			return p, true
		}
	}
	return Pause{}, false
}

// Stages are the names of the paused stages.
func (ps Pauses) Stages() []stage.Name {
	out := make([]stage.Name, 0, len(ps))
	for _, p := range ps {
		out = append(out, p.Stage)
	}
	return out
}

// Control keeps which stages are paused. Safe for concurrent use.
type Control interface {
	// Pauses lists the paused stages.
	Pauses(ctx context.Context) (Pauses, error)
	// Pause pauses a stage. If the stage is already paused, that is not an error and the first pause's data stays.
	Pause(ctx context.Context, p Pause) error
	// Resume resumes a stage. If the stage is not paused, that is not an error.
	Resume(ctx context.Context, n stage.Name) error
}
