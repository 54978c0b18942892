package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/madara"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
)

// Batches whose proofs are in Atlantic's buckets when Madara's orchestrator is stopped are carried on: the takeover
// writes them with the prover's tasks, no proof is asked for again, and each batch settles once.
func TestAdoptCarriesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stack.Options{Name: "e2e-carry", Blocks: 16, Prover: "atlantic",
		Settings: map[string]string{"CHAIN_MAX_BLOCK": "4"}})
	tasks := w.untilProving(t)
	old := w.becomeOld(t, tasks, "madara_e2e_carry")
	w.batchUpTo(t, w.Last)
	before := dump(t, old)
	adopt := adopter(t, w, old.Name())
	adopt(0, "carried on    2 old batches", "Nothing was written")
	for range 2 {
		adopt(0, "carried on    2 old batches", "Taken over", "-apply")
	}
	w.settle(t, 5*time.Minute, nil)
	settledOnce(t, w, 2, 5)
	for i, task := range tasks {
		j, err := w.DB.Jobs().Find(t.Context(), job.ProofCreation, i)
		if err != nil || j.ExternalID != task || j.Attempts.Process != 1 {
			t.Errorf("the proof of SNOS batch %d is task %s after %d submissions, want %s (%v)", i, j.ExternalID,
				j.Attempts.Process, task, err)
		}
	}
	if after := dump(t, old); after != before {
		t.Errorf("the old database was changed from\n%s\nto\n%s", before, after)
	}
	if v := w.Violations(); len(v) > 0 {
		t.Errorf("the prover was used wrongly: %s", strings.Join(v, "; "))
	}
}

// untilProving settles batch 1, and has batches 2 and 3 wait with all their proofs at the prover and their buckets
// open. It returns the tasks by SNOS batch.
func (w *world) untilProving(t *testing.T) map[uint64]string {
	t.Helper()
	w.during(t, 5*time.Minute, func(ctx context.Context) bool {
		n, ok := w.settledBlock(ctx)
		return ok && n == 4
	})
	for _, s := range []stage.Name{stage.Aggregator, stage.StateTransition} {
		if err := w.DB.Controls().Pause(t.Context(), schedule.Pause{Stage: s, By: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	w.batchUpTo(t, 14)
	tasks := map[uint64]string{}
	w.during(t, 5*time.Minute, func(ctx context.Context) bool {
		bs, err := w.DB.Batches().AggregatorRange(ctx, 2, 3)
		if err != nil || len(bs) != 2 || bs[1].Status == batch.Open {
			return false
		}
		js, err := w.DB.Jobs().List(ctx, job.Filter{Type: job.ProofCreation, From: bs[0].FirstSnos,
			To: bs[1].LastSnos(), Limit: job.MaxPage})
		for _, j := range js {
			if m, ok := j.Metadata.(*job.ProofCreationMeta); ok && m.Task != "" {
				tasks[j.Batch] = m.Task
			}
		}
		return err == nil && len(tasks) == len(bs[0].Snos)+len(bs[1].Snos)
	})
	return tasks
}

// batchUpTo has new processes batch blocks up to one.
func (w *world) batchUpTo(t *testing.T, last uint64) {
	t.Helper()
	for i, e := range w.Env {
		if strings.HasPrefix(e, config.Prefix+"CHAIN_MAX_BLOCK=") {
			w.Env[i] = fmt.Sprintf("%sCHAIN_MAX_BLOCK=%d", config.Prefix, last)
		}
	}
	w.platform = w.newPlatform(t)
}

// becomeOld writes what this deployment has as Madara's orchestrator would have written it, to another database, and
// drops its own. The settlement layer goes on until all is final.
func (w *world) becomeOld(t *testing.T, tasks map[uint64]string, name string) *mongo.Database {
	t.Helper()
	past := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	var d madara.Documents
	as, err := w.DB.Batches().AggregatorRange(t.Context(), 1, 3)
	if err != nil || len(as) != 3 {
		t.Fatal(len(as), err)
	}
	for i, a := range as {
		status := []string{"Completed", "Closed", "Closed"}[i]
		d.Aggregators = append(d.Aggregators, madara.Aggregator(int64(a.Index), int64(a.StartBlock), int64(a.EndBlock),
			status, a.Bucket, past))
		for n, s := range a.Snos {
			index := int64(a.FirstSnos) + int64(n)
			d.Snos = append(d.Snos, madara.SnosBatch(index, int64(a.Index), int64(s.StartBlock), int64(s.EndBlock),
				"SnosJobCreated", past))
			if task := tasks[uint64(index)]; task != "" {
				d.Jobs = append(d.Jobs, madara.Job("ProofCreation", index, "PendingVerification", task,
					bson.D{{Key: "type", Value: "Proving"}}, past))
			}
		}
	}
	d.Jobs = append(d.Jobs, madara.Job("StateTransition", 1, "Completed", madara.Hash(1),
		madara.Transition(1, madara.Hash(1)), past))
	for _, docs := range [][]*bson.D{d.Aggregators, d.Snos} {
		for _, doc := range docs {
			madara.Set(doc, "starknet_version", as[0].StarknetVersion)
		}
	}
	old := connect(t).Database(name)
	if err := d.Insert(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if err := w.DB.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	node, err := rpc.DialContext(t.Context(), w.ethereum)
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	if err := node.CallContext(t.Context(), nil, "anvil_mine", "0x80"); err != nil { // beyond its finality
		t.Fatal(err)
	}
	return old
}
