package triggering

import (
	"math/big"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// pay adds what a confirmed transaction cost. Several pay for one batch: each publication of its data, and the state
// update.
func pay(l *batch.Ledger, in *job.Inclusion) {
	if in == nil {
		return
	}
	l.GasUsed += in.GasUsed
	l.DataGasUsed += in.DataGas
	in.AddFee(&l.Fee)
}

// payElsewhere adds what a publication on a layer of its own cost: fee and gas are not those of the settlement layer.
func payElsewhere(l *batch.Ledger, in *job.Inclusion) {
	in.AddFee(&l.DataFee)
}

// save notes what was saved by waiting for lower fees: it may be less than nothing. Where nothing was ever compared,
// nothing was waited for. Where others settled the batch, we paid nothing, and waiting saved nothing.
func save(l *batch.Ledger, m *job.StateTransitionMeta) {
	w := m.FeeWait
	if w == nil || w.Target == "" || m.Included == nil {
		return
	}
	first, ok := new(big.Int).SetString(w.First, 10)
	sent, both := new(big.Int).SetString(w.Today, 10)
	if ok && both {
		l.FeeSaved = first.Sub(first, sent)
	}
}

// payForData adds what the publications of a batch's data cost.
func payForData(l *batch.Ledger, j job.Job) {
	m, ok := j.Metadata.(*job.DataSubmissionMeta)
	if !ok {
		return
	}
	paid := pay
	if m.Layer != "" {
		paid = payElsewhere
	}
	paid(l, m.Included)
	for _, p := range m.More {
		paid(l, p.Included)
	}
	for _, n := range j.Blobs() {
		l.Blobs += n
	}
}

// stepsOf is how many Cairo steps a job gave to the prover; 0 where it gave none or they are unknown.
func stepsOf(j job.Job) uint64 {
	switch m := j.Metadata.(type) {
	case *job.ProofCreationMeta:
		return m.Steps
	case *job.ProofRegistrationMeta: // straight from the PIE; else the steps are those of ProofCreation
		if m.PIEKey != "" {
			return m.Steps
		}
	}
	return 0
}
