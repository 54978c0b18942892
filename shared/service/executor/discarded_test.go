package executor_test

import (
	"context"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/once"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
)

// record is a record of rewinds that counts its readers.
type record struct {
	rewind.Store
	s     rewind.State
	reads int
}

// Get implements rewind.Store.
func (r *record) Get(context.Context) (rewind.State, error) { r.reads++; return r.s, nil }

// An invocation reads the record of rewinds once for the jobs that send nothing, and again after a while. For a job
// that signs it reads it each time, so that a rewind which began a moment ago counts.
func TestRewindInTheMiddleOfAnInvocation(t *testing.T) {
	t.Parallel()
	rewound := rewind.State{Version: 1, Rewinds: []rewind.Rewind{{Epoch: 1, From: 1, FromSnos: 1, At: start}}}
	for name, tt := range map[string]struct {
		meta         job.Metadata
		later        bool // than what an invocation has read counts
		acted, reads int
	}{
		"a job that sends nothing, at once":  {&job.ProofCreationMeta{PIEKey: "k"}, false, 2, 1},
		"a job that sends nothing, later":    {&job.ProofCreationMeta{PIEKey: "k"}, true, 1, 2},
		"a state update":                     {&job.StateTransitionMeta{}, false, 1, 2},
		"a job that publishes data":          {&job.DataSubmissionMeta{}, false, 1, 2},
		"a job that publishes data, later":   {&job.DataSubmissionMeta{}, true, 1, 2},
		"a job that asks the prover, at all": {&job.ProofRegistrationMeta{}, true, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t), &record{}
			w.Rewinds = r
			w.Handlers[job.StateTransition], w.Handlers[job.DataSubmission] = &w.handler, &w.handler
			w.Handlers[job.ProofRegistration] = &w.handler
			invocation := once.Begin(t.Context())
			for i, id := range []string{strings.Repeat("a", 32), strings.Repeat("b", 32)} {
				j := job.New(id, uint64(7+i), tt.meta, "trace", start)
				if err := w.jobs.Create(t.Context(), j); err != nil {
					t.Fatal(err)
				}
				if err := w.Handle(invocation, j.Wakeup()); err != nil {
					t.Fatal(err)
				}
				r.s = rewound
				if tt.later {
					w.now = w.now.Add(rewind.Fresh)
				}
			}
			if w.handler.calls != tt.acted || r.reads != tt.reads {
				t.Errorf("%d jobs acted and the record was read %d times, want %d and %d", w.handler.calls, r.reads,
					tt.acted, tt.reads)
			}
		})
	}
}
