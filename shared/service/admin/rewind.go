package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/rewinding"
)

// Rewinder plans and begins rewinds; *rewinding.Rewinder is one.
type Rewinder interface {
	Look(ctx context.Context, index uint64) (rewinding.Plan, error)
	Begin(ctx context.Context, index uint64, by, reason string) (rewinding.Plan, rewind.Rewind, error)
}

// Rewind is a rewind as it stands.
type Rewind struct {
	Epoch     uint64    `json:"epoch"`
	From      uint64    `json:"from"` // the first batch that is discarded
	Name      string    `json:"name"` // of From
	Asked     uint64    `json:"asked"`
	By        string    `json:"by,omitempty"`
	Reason    string    `json:"reason"`
	At        time.Time `json:"at"`
	Discarded int       `json:"discarded"` // batches by now
	Done      time.Time `json:"done,omitzero"`
	Note      string    `json:"note,omitempty"` // why From is not Asked
}

// RewindList are the newest rewinds, the newest first.
type RewindList struct {
	Rewinds []Rewind `json:"rewinds"`
}

// RewindPlan is what a rewind discards, what was paid for it, and whether it is begun.
type RewindPlan struct {
	From      uint64           `json:"from"`
	Name      string           `json:"name"`
	FromBlock uint64           `json:"from_block"` // batching begins again with it
	Batches   []LostBatch      `json:"batches"`    // the first MaxLost of them
	Discards  int              `json:"discards"`   // batches in all
	Runs      int              `json:"runs"`       // SNOS and aggregator runs that were started
	Proofs    int              `json:"proofs"`     // tasks that were given to the prover
	Steps     uint64           `json:"prover_steps"`
	Refused   []rewind.Refusal `json:"refused"` // why it can't be done now; none: it can
	Begun     *Rewind          `json:"begun,omitempty"`
}

// LostBatch is a batch that is discarded.
type LostBatch struct {
	Name       string       `json:"name"`
	StartBlock uint64       `json:"start_block"`
	EndBlock   uint64       `json:"end_block"`
	Status     batch.Status `json:"status"`
	FirstSnos  uint64       `json:"first_snos"`
	LastSnos   uint64       `json:"last_snos"`
	Runs       int          `json:"runs"`
	Proofs     int          `json:"proofs"`
	Steps      uint64       `json:"prover_steps"`
	Tasks      []string     `json:"prover_tasks,omitempty"`
	Bucket     string       `json:"bucket,omitempty"` // at the prover: it is never closed
	Fee        string       `json:"fee,omitempty"`    // of published data, decimal
	// DataFee is of data that was published on a layer of its own, in wei.
	DataFee string `json:"data_fee,omitempty"`
}

// Bounds of a plan that is shown.
const (
	MaxLost      = 100 // batches
	MaxLostTasks = 20  // of the prover, of a batch
)

// ErrNoRewind says that this deployment's API can't ask the settlement layer, without which nothing is rewound.
var ErrNoRewind = fmt.Errorf("this deployment's API does not know its settlement layer: %w", ErrUnknown)

// RewindFrom plans a rewind of all unsettled batches from an index on, and begins it where apply says so. To begin it
// needs a reason. Errors: ErrInvalid, batch.ErrNotFound, executor.ErrRefused with the reasons.
func (s *Service) RewindFrom(ctx context.Context, index uint64, apply bool, o Command) (RewindPlan, error) {
	if err := o.check(apply); err != nil {
		return RewindPlan{}, err
	}
	if s.Rewinder == nil {
		return RewindPlan{}, ErrNoRewind
	}
	if !apply {
		p, err := s.Rewinder.Look(ctx, index)
		return s.rewindPlan(p), err
	}
	p, begun, err := s.Rewinder.Begin(ctx, index, o.By, o.Reason)
	out := s.rewindPlan(p)
	var refused *rewind.RefusedError
	if errors.As(err, &refused) || errors.Is(err, rewind.ErrConflict) {
		return out, fmt.Errorf("%w: %w", err, executor.ErrRefused)
	}
	if err != nil {
		return out, err
	}
	r := s.rewindView(begun)
	out.Begun = &r
	return out, nil
}

// RewindsOf lists the newest rewinds.
func (s *Service) RewindsOf(ctx context.Context) (RewindList, error) {
	out := RewindList{Rewinds: []Rewind{}}
	st, err := rewind.Of(ctx, s.Rewinds)
	if err != nil {
		return out, err
	}
	for i := len(st.Rewinds) - 1; i >= 0; i-- {
		out.Rewinds = append(out.Rewinds, s.rewindView(st.Rewinds[i]))
	}
	return out, nil
}

func (s *Service) rewindView(r rewind.Rewind) Rewind {
	return Rewind{
		Epoch: r.Epoch, From: r.From, Name: s.Layer.BatchName(stage.StateTransition, r.From), Asked: r.Asked, By: r.By,
		Reason: r.Reason, At: utc(r.At), Discarded: r.Discarded, Done: utc(r.DoneAt), Note: Redact(r.Note),
	}
}

func (s *Service) rewindPlan(p rewinding.Plan) RewindPlan {
	out := RewindPlan{
		From: p.From, Name: s.Layer.BatchName(stage.StateTransition, p.From), FromBlock: p.FromBlock,
		Batches: []LostBatch{}, Discards: p.Discards, Refused: p.Refusals,
	}
	if out.Refused == nil {
		out.Refused = []rewind.Refusal{}
	}
	for i, b := range p.Batches {
		out.Runs, out.Proofs, out.Steps = out.Runs+b.Runs, out.Proofs+b.Proofs, out.Steps+b.Steps
		if i >= MaxLost {
			continue
		}
		lost := LostBatch{
			Name: s.Layer.BatchName(stage.StateTransition, b.Index), StartBlock: b.Blocks.StartBlock,
			EndBlock: b.Blocks.EndBlock, Status: b.Status, FirstSnos: b.FirstSnos, LastSnos: b.LastSnos, Runs: b.Runs,
			Proofs: b.Proofs, Steps: b.Steps, Tasks: b.Tasks[:min(len(b.Tasks), MaxLostTasks)], Bucket: b.Bucket,
		}
		if b.Fee != nil {
			lost.Fee = b.Fee.String()
		}
		if b.DataFee != nil {
			lost.DataFee = b.DataFee.String()
		}
		out.Batches = append(out.Batches, lost)
	}
	return out
}

// rewindTime is how long a rewind may take before somebody should look: 20 batches a minute are discarded.
const rewindTime = 30 * time.Minute

// rewinding is the verdict while a rewind is under way: what waits for a person may be discarded.
func (s *Service) rewinding(f *facts) (Verdict, bool) {
	r := f.lag.Rewind
	if r == nil {
		return Verdict{}, false
	}
	v := Verdict{Level: Working, Command: s.Seat.Command("rewinds"), Text: fmt.Sprintf("%s and those after it are "+
		"discarded and their blocks batched again, since %s: %s. %d are discarded by now.", r.Name,
		r.At.Format(time.RFC3339), r.Reason, r.Discarded)}
	if s.Now().Sub(r.At) > rewindTime {
		v.Level, v.Text = Waiting, v.Text+" This takes too long: the log of the trigger function says why."
	}
	return v, true
}
