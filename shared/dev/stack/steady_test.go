package stack

import (
	"context"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
)

// reads is a contract that answers with states in order, the last one again and again.
type reads struct {
	settlement.Contract
	states []settlement.State
	n      int
}

func (r *reads) State(context.Context, bool) (settlement.State, error) {
	s := r.states[min(r.n, len(r.states)-1)]
	r.n++
	return s, nil
}

// A state that was read is not taken back by what anvil answers while it adds a block, but by a reorganisation.
func TestSteady(t *testing.T) {
	t.Parallel()
	none, five := settlement.State{}, settlement.State{Settled: true, Block: 5}
	four, nine := settlement.State{Settled: true, Block: 4}, settlement.State{Settled: true, Block: 9}
	type states = []settlement.State
	for name, tt := range map[string]struct {
		states, want states
		within       time.Duration
	}{
		"a block is added":  {states{none, five, none, none, five}, states{none, five, five}, time.Hour},
		"between two":       {states{five, four, nine, five, nine}, states{five, nine, nine}, time.Hour},
		"a reorganisation":  {states{five, none}, states{five, none, none}, time.Millisecond},
		"settled once more": {states{five, four, five}, states{five, four, five}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &steady{Contract: &reads{states: tt.states}, within: tt.within}
			for i, want := range tt.want {
				if got, err := c.State(t.Context(), false); err != nil || got != want {
					t.Errorf("read %d is %+v, %v, want %+v", i, got, err, want)
				}
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &steady{Contract: &reads{states: []settlement.State{five, none}}, within: time.Hour}
	for range 2 {
		if s, err := c.State(ctx, false); s.Settled != (err == nil) {
			t.Errorf("after the context's end it reads %+v, %v", s, err)
		}
	}
}
