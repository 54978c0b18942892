package rewind_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

var at = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// What is older than a rewind and not below it is discarded; what a later rewind left stays.
func TestStale(t *testing.T) {
	t.Parallel()
	s := rewind.State{Rewinds: []rewind.Rewind{
		{Epoch: 1, From: 7, FromSnos: 31}, {Epoch: 2, From: 5, FromSnos: 20}, {Epoch: 3, From: 9, FromSnos: 40},
	}}
	for name, tt := range map[string]struct {
		kind         rewind.Kind
		index, epoch uint64
		want         bool
	}{
		"below all":                     {rewind.Aggregator, 4, 0, false},
		"from the lowest on":            {rewind.Aggregator, 5, 0, true},
		"older than the second":         {rewind.Aggregator, 7, 1, true},
		"made after the second":         {rewind.Aggregator, 8, 2, false},
		"made after it, above a third":  {rewind.Aggregator, 9, 2, true},
		"made after all":                {rewind.Aggregator, 9, 3, false},
		"a SNOS batch below all":        {rewind.Snos, 19, 0, false},
		"a SNOS batch of the second":    {rewind.Snos, 20, 1, true},
		"a SNOS batch after the second": {rewind.Snos, 39, 2, false},
		"a SNOS batch of the third":     {rewind.Snos, 40, 2, true},
	} {
		if got := s.Stale(tt.kind, tt.index, tt.epoch); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (rewind.State{}).Stale(rewind.Snos, 1, 0) {
		t.Error("without a rewind something is discarded")
	}
	if s.Epoch() != 3 || (rewind.State{}).Epoch() != 0 {
		t.Errorf("epochs %d and %d", s.Epoch(), rewind.State{}.Epoch())
	}
}

func TestBegin(t *testing.T) {
	t.Parallel()
	s, err := rewind.State{}.Begin(rewind.Rewind{Epoch: 9, From: 3, DoneAt: at})
	if r, active := s.Active(); err != nil || !active || r.Epoch != 1 {
		t.Fatalf("%+v, %v, %v", r, active, err)
	}
	if _, err := s.Begin(rewind.Rewind{From: 2}); !errors.Is(err, rewind.ErrActive) {
		t.Errorf("a second one at a time: %v", err)
	}
	for range 2 * rewind.Kept {
		s = s.With(func(r *rewind.Rewind) { r.DoneAt = at })
		if s, err = s.Begin(rewind.Rewind{From: 2}); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.Rewinds) != rewind.Kept || s.Epoch() != 2*rewind.Kept+1 {
		t.Errorf("%d rewinds are kept, epoch %d", len(s.Rewinds), s.Epoch())
	}
}

// What may be rewound, and why not.
func TestDecide(t *testing.T) {
	t.Parallel()
	sends := func(n stage.Name, completed bool, fates ...rewind.Fate) rewind.Send {
		s := rewind.Send{Job: "j", Stage: n, Batch: 7, Completed: completed}
		for i, f := range fates {
			s.Records = append(s.Records, rewind.Signed{Hash: string(f), Nonce: uint64(40 + i), Fate: f})
		}
		return s
	}
	for name, tt := range map[string]struct {
		change func(*rewind.View)
		want   []rewind.Why
		says   string // in the first refusal
		dead   []string
	}{
		"nothing is sent": {change: func(*rewind.View) {}},
		"the batch before is settled": {change: func(v *rewind.View) {
			v.Settled = settlement.State{Settled: true, Block: 59}
		}},
		"one is under way": {change: func(v *rewind.View) {
			v.State.Rewinds = []rewind.Rewind{{Epoch: 1, From: 8, At: at}}
		}, want: []rewind.Why{rewind.WhyActive}, says: "aggregator batch 8"},
		"one was done": {change: func(v *rewind.View) {
			v.State.Rewinds = []rewind.Rewind{{Epoch: 1, From: 8, At: at, DoneAt: at}}
		}},
		"the contract is at its first block": {change: func(v *rewind.View) {
			v.Settled = settlement.State{Settled: true, Block: 60}
		}, want: []rewind.Why{rewind.WhySettled}, says: "at block 60"},
		"it is completed": {change: func(v *rewind.View) { v.Status = batch.Completed },
			want: []rewind.Why{rewind.WhySettled}, says: "aggregator batch 7 is settled"},
		"it is archived": {change: func(v *rewind.View) { v.Status = batch.Archived },
			want: []rewind.Why{rewind.WhySettled}},
		"its update is completed": {change: func(v *rewind.View) {
			v.Sends = []rewind.Send{sends(stage.StateTransition, true)}
		}, want: []rewind.Why{rewind.WhySettled}, says: "the state update of aggregator batch 7 is completed"},
		"a transaction may be mined": {change: func(v *rewind.View) {
			v.Sends = []rewind.Send{sends(stage.StateTransition, false, rewind.Dead, rewind.Open)}
		}, want: []rewind.Why{rewind.WhyTransaction}, says: "transaction open with nonce 41", dead: []string{"dead"}},
		"a transaction has settled it": {change: func(v *rewind.View) {
			v.Sends = []rewind.Send{sends(stage.StateTransition, false, rewind.Settled)}
		}, want: []rewind.Why{rewind.WhySettled}, says: "transaction settled has settled"},
		"all transactions are dead": {change: func(v *rewind.View) {
			v.Sends = []rewind.Send{sends(stage.StateTransition, false, rewind.Dead),
				sends(stage.DataSubmission, true, rewind.Dead)}
		}, dead: []string{"dead", "dead"}},
		"data on its way": {change: func(v *rewind.View) {
			v.Sends = []rewind.Send{sends(stage.DataSubmission, false, rewind.Open)}
		}, want: []rewind.Why{rewind.WhyTransaction}, says: "DataSubmission job of SNOS batch 7"},
		"several reasons": {change: func(v *rewind.View) {
			v.Status = batch.Completed
			v.Sends = []rewind.Send{sends(stage.StateTransition, false, rewind.Open, rewind.Open)}
		}, want: []rewind.Why{rewind.WhySettled, rewind.WhyTransaction, rewind.WhyTransaction}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := rewind.View{Layer: stage.L2, From: 7, Batch: batch.Span{StartBlock: 60, EndBlock: 69},
				Status: batch.InStateTransition}
			tt.change(&v)
			refusals, dead := rewind.Decide(v)
			var got []rewind.Why
			for _, r := range refusals {
				got = append(got, r.Why)
				if r.Do == "" || r.Detail == "" {
					t.Errorf("says not what is wrong and what to do: %+v", r)
				}
				if r.Why == rewind.WhyTransaction && (r.Tx == "" || r.Nonce == nil || r.Job == "") {
					t.Errorf("does not name the transaction: %+v", r)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("refusals (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.dead, dead); d != "" {
				t.Errorf("dead transactions (-want +got):\n%s", d)
			}
			if err := (&rewind.RefusedError{Refusals: refusals}); !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q does not say %q", err, tt.says)
			}
		})
	}
}
