package triggering_test

import (
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
)

// The jobs of a batch name the prover and the bucket that it was begun with, whatever prover the settings name now.
func TestJobsNameTheBatchsProver(t *testing.T) {
	t.Parallel()
	for _, now := range []proof.Capabilities{{Name: "ours", Buckets: true}, {Name: "other"}} {
		w := newWorld(t, stage.L2, now)
		w.aggregators(batch.Open)
		a, err := w.batches.Aggregator(t.Context(), 1)
		w.check(err)
		a.Prover = "ours"
		a, err = w.batches.UpdateAggregator(t.Context(), a)
		w.check(err)
		w.snos(batch.InSnosRun)
		w.job(1, job.Completed, &job.SnosRunMeta{})
		w.check(w.Run(t.Context(), stage.ProofCreation))
		j, err := w.jobs.Find(t.Context(), job.ProofCreation, 1)
		w.check(err)
		if m := j.Metadata.(*job.ProofCreationMeta); m.Bucket != "bucket" || m.Prover != "ours" {
			t.Errorf("with %s: %+v", now.Name, m)
		}
		a.Status = batch.Proven
		_, err = w.batches.UpdateAggregator(t.Context(), a)
		w.check(err)
		w.check(w.Run(t.Context(), stage.Aggregator))
		j, err = w.jobs.Find(t.Context(), job.Aggregator, 1)
		w.check(err)
		if m := j.Metadata.(*job.AggregatorMeta); m.Bucket != "bucket" || m.Prover != "ours" {
			t.Errorf("with %s: %+v", now.Name, m)
		}
	}
}

// An L3's state update reads what the jobs before it have stored, whatever prover the settings name by then: the
// capabilities change between the stages.
func TestKeysOfAnotherProver(t *testing.T) {
	t.Parallel()
	none, proofs := proof.Capabilities{}, proof.Capabilities{Proofs: true}
	direct := proof.Capabilities{Proofs: true, Direct: true}
	key := artifact.SNOSKey(1, 0, artifact.Proof)
	bridge := artifact.SNOSKey(1, 0, artifact.BridgeProof)
	pie := artifact.SNOSKey(1, 0, artifact.PIE)
	type keys struct{ proof, pie, bridge string }
	for name, tt := range map[string]struct {
		proving, registering, settling proof.Capabilities
		registration                   keys
		update                         keys
	}{
		"the same, proofs":                   {proofs, proofs, proofs, keys{key, "", bridge}, keys{key, "", bridge}},
		"the same, no proofs":                {none, none, none, keys{}, keys{}},
		"the same, direct":                   {direct, direct, direct, keys{"", pie, bridge}, keys{"", "", bridge}},
		"no proofs, then proofs to register": {none, proofs, proofs, keys{"", "", bridge}, keys{"", "", bridge}},
		"no proofs, then proofs to settle":   {none, none, proofs, keys{}, keys{}},
		"no proofs, then direct to register": {none, direct, direct, keys{"", pie, bridge}, keys{"", "", bridge}},
		"no proofs, then direct to settle":   {none, none, direct, keys{}, keys{}},
		"proofs, then none to register":      {proofs, none, none, keys{key, "", ""}, keys{key, "", ""}},
		"proofs, then none to settle":        {proofs, proofs, none, keys{key, "", bridge}, keys{key, "", bridge}},
		"proofs, then direct to settle":      {proofs, proofs, direct, keys{key, "", bridge}, keys{key, "", bridge}},
		"direct, then proofs to settle":      {direct, direct, proofs, keys{"", pie, bridge}, keys{"", "", bridge}},
		"direct, then without proofs at all": {direct, direct, none, keys{"", pie, bridge}, keys{"", "", bridge}},
		"no bridge proof, then asked to read": {direct, proof.Capabilities{Direct: true}, direct,
			keys{"", pie, ""}, keys{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, stage.L3, tt.proving)
			with := func(c proof.Capabilities) { w.Prover = prover.New(nil, prover.Config{Capabilities: c}) }
			made := func(jt job.Type) job.Metadata {
				t.Helper()
				j, err := w.jobs.Find(t.Context(), jt, 1)
				w.check(err)
				j.Status, j.NextAction, j.DueAt = job.Completed, job.None, time.Time{}
				_, err = w.jobs.Update(t.Context(), j)
				w.check(err)
				return j.Metadata
			}
			w.snos(batch.InSnosRun)
			w.job(1, job.Completed, &job.SnosRunMeta{Steps: 9, Fact: "0xf"})
			if tt.proving.Direct {
				with(tt.registering)
			}
			w.check(w.Run(t.Context(), stage.ProofCreation))
			if !tt.proving.Direct {
				made(job.ProofCreation)
				with(tt.registering)
				w.check(w.Run(t.Context(), stage.ProofRegistration))
			}
			r := made(job.ProofRegistration).(*job.ProofRegistrationMeta)
			if got := (keys{r.ProofKey, r.PIEKey, r.BridgeProofKey}); got != tt.registration {
				t.Errorf("registration of %+v, want %+v", got, tt.registration)
			}
			with(tt.settling)
			w.check(w.Run(t.Context(), stage.DataSubmission))
			d := made(job.DataSubmission).(*job.DataSubmissionMeta)
			w.check(w.Run(t.Context(), stage.StateTransition))
			u := made(job.StateTransition).(*job.StateTransitionMeta)
			if end := felt.FromUint64(1); d.EndHash != end || u.EndHash != end {
				t.Errorf("the batch ends with %s, its jobs say %s and %s", end, d.EndHash, u.EndHash)
			}
			if got := (keys{u.ProofKey, "", u.BridgeProofKey}); got != tt.update {
				t.Errorf("update of %+v, want %+v", got, tt.update)
			}
		})
	}
}
