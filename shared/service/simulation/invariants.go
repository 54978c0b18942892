package simulation

import (
	"context"
	"fmt"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// watch is what the invariants remember between steps.
type watch struct {
	versions map[string]uint64 // of jobs
	hashes   map[string]bool   // transactions that are known to be recorded
}

// Check holds the world against what must be true after every step: versions of documents only grow; a job that is not at
// its end has a next action; every transaction that was ever broadcast is recorded in its job, and no nonce has two that are
// not replacements of each other.
func (w *World) Check(ctx context.Context) error {
	if w.watch.versions == nil {
		w.watch = watch{versions: map[string]uint64{}, hashes: map[string]bool{}}
	}
	journals := map[string]string{} // hash to job
	for _, t := range job.Types {
		js, err := w.Jobs.List(ctx, job.Filter{Type: t, Limit: job.MaxPage})
		if err != nil {
			return err
		}
		for _, j := range js {
			if err := w.checkJob(j); err != nil {
				return err
			}
			for _, r := range recorded(j) {
				if other := journals[r]; other != "" && other != j.ID {
					return fmt.Errorf("transaction %s is recorded by jobs %s and %s", r, other, j.ID)
				}
				journals[r] = j.ID
			}
		}
	}
	for _, x := range w.L1.Transactions() {
		if journals[x.Hash] == "" {
			return fmt.Errorf("transaction %s with nonce %d was broadcast and is not recorded", x.Hash, x.Nonce)
		}
	}
	return nil
}

func (w *World) checkJob(j job.Job) error {
	if old := w.watch.versions[j.ID]; j.Version < old {
		return fmt.Errorf("%s job of batch %d went from version %d back to %d", j.Type, j.InternalID, old, j.Version)
	}
	w.watch.versions[j.ID] = j.Version
	end := slices.Contains([]job.Status{job.Completed, job.Failed, job.VerificationTimeout}, j.Status)
	if !end && j.NextAction == job.None {
		return fmt.Errorf("%s job of batch %d is %s and has nothing to do", j.Type, j.InternalID, j.Status)
	}
	return checkNonces(j)
}

// checkNonces wants transactions with the same nonce to be replacements of one another.
func checkNonces(j job.Job) error {
	newest := map[uint64]string{}
	if m, ok := j.Metadata.(*job.StateTransitionMeta); ok {
		for _, r := range m.Journal.Records {
			if last := newest[r.Nonce]; last != "" && r.Replaces != last {
				return fmt.Errorf("transaction %s of batch %d has nonce %d of %s and replaces %q", r.Hash, j.InternalID, r.Nonce, last, r.Replaces)
			}
			newest[r.Nonce] = r.Hash
		}
	}
	return nil
}

// recorded are the hashes in a job's journal.
func recorded(j job.Job) []string {
	var out []string
	switch m := j.Metadata.(type) {
	case *job.StateTransitionMeta:
		for _, r := range m.Journal.Records {
			out = append(out, r.Hash)
		}
	case *job.DataSubmissionMeta:
		for _, r := range m.Journal.Records {
			out = append(out, r.Hash)
		}
	}
	return out
}
