package simulation

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
)

// registering is the prover, which registers the facts of what it aggregates and registers on the settlement layer. It
// looks at the registry when it is asked, as the mock prover and SHARP's client do: a fact that a reorganisation took
// back is registered again then.
type registering struct {
	*prover.Prover
	l1 *l1.Chain
}

// Status implements proof.Prover.
func (p registering) Status(ctx context.Context, task string) (proof.Progress, error) {
	s, err := p.Prover.Status(ctx, task)
	if err != nil || s.State != proof.Done {
		return s, err
	}
	for _, t := range p.Tasks() {
		if t.ID == task && t.Request.Kind != proof.Child && !p.l1.FactRegistered(t.Request.Batch) {
			p.l1.RegisterFact(t.Request.Batch)
			return proof.Progress{State: proof.InProgress}, nil
		}
	}
	return s, nil
}
