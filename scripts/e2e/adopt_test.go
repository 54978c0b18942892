package e2e_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/madara"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// A chain that Madara's orchestrator has settled up to block 9 is taken over while that orchestrator's documents stand
// in every status: refused while it lives, planned, applied, and settled to its head by the compiled functions. Its
// database is as before.
func TestAdopt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stack.Options{Name: "e2e-adopt", Blocks: 16, SettledTo: 9})
	node, err := rpc.DialContext(t.Context(), w.ethereum)
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	// beyond anvil's finality of 64 blocks
	if err := node.CallContext(t.Context(), nil, "anvil_mine", "0x80"); err != nil {
		t.Fatal(err)
	}
	old := connect(t).Database("madara_e2e")
	past := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	if err := oldDocuments(past).Insert(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	adopt := adopter(t, w, "madara_e2e")
	if _, err := old.Collection("locks").InsertOne(t.Context(),
		madara.Lock("AggregatorBatchingWorker", time.Now().Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	before := dump(t, old)
	adopt(1, "REFUSED", "the old orchestrator holds the lock AggregatorBatchingWorker")
	adopt(1, "REFUSED", "stop the old orchestrator", "-apply")
	if _, err := w.DB.Batches().LastSnos(t.Context()); !errors.Is(err, batch.ErrNotFound) {
		t.Fatalf("a refused takeover wrote a batch: %v", err)
	}
	if after := dump(t, old); after != before {
		t.Errorf("the old database was changed from\n%s\nto\n%s", before, after)
	}
	if _, err := old.Collection("locks").DeleteMany(t.Context(), bson.D{}); err != nil { // the lock is over
		t.Fatal(err)
	}
	before = dump(t, old)
	adopt(0, "settled       batch 2, up to block 9", "Nothing was written")
	names, err := old.Client().Database("orchestrator_e2e-adopt").ListCollectionNames(t.Context(), bson.D{})
	if err != nil || len(names) > 0 {
		t.Fatalf("a plan wrote to this deployment's database: collections %q, %v", names, err)
	}
	for range 2 {
		adopt(0, "begins        batch 3, with block 10", "batching begins with block 10", "-apply")
	}
	w.settle(t, 3*time.Minute, nil)
	settledOnce(t, w, 3, 10)
	if after := dump(t, old); after != before {
		t.Errorf("the old database was changed from\n%s\nto\n%s", before, after)
	}
}

// An L3 that Madara's orchestrator has settled up to block 14 is taken over: what was under way is batched again, and
// settled to its head by the compiled functions. Its database is as before.
func TestAdoptL3(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stack.Options{Name: "e2e-adopt3", Layer: stage.L3, Blocks: 22, SettledTo: 14})
	old := connect(t).Database("madara_e2e3")
	if err := madara.L3(time.Now().Add(-time.Hour).Truncate(time.Millisecond)).Insert(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	adopt := adopter(t, w, "madara_e2e3")
	before := dump(t, old)
	adopt(0, "settled       batch 3, up to block 14", "Nothing was written")
	if _, err := w.DB.Batches().LastSnos(t.Context()); !errors.Is(err, batch.ErrNotFound) {
		t.Fatalf("a plan wrote a batch: %v", err)
	}
	for range 2 {
		adopt(0, "begins        batch 4, with block 15", "batching begins with block 15", "-apply")
	}
	w.settle(t, 3*time.Minute, nil)
	settledOnce(t, w, 4, 15)
	if after := dump(t, old); after != before {
		t.Errorf("the old database was changed from\n%s\nto\n%s", before, after)
	}
}

// oldDocuments are of a chain with five blocks a batch: batches 1 and 2 are settled, 3 is ready for its state update
// with an attempt that the node never saw, 4 is open.
func oldDocuments(at time.Time) madara.Documents {
	d := madara.L2(at)
	d.Aggregators, d.Snos = nil, nil
	for i, status := range []string{"Completed", "Completed", "ReadyForStateUpdate", "Open"} {
		n := int64(i + 1)
		d.Aggregators = append(d.Aggregators, madara.Aggregator(n, 5*i64(i), min(5*n-1, 15), status, "", at))
		d.Snos = append(d.Snos, madara.SnosBatch(n, n, 5*i64(i), min(5*n-1, 15), "SnosJobCreated", at))
	}
	return d
}

func i64(n int) int64 { return int64(n) }

func connect(t *testing.T) *mongo.Client {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(tools.Mongod(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(context.Background()) })
	return c
}

// adopter builds the program and returns how it is run: want is what it prints, more are further arguments or texts.
func adopter(t *testing.T, w *world, database string) func(code int, want, also string, args ...string) {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "adopt")
	if out, err := exec.Command("go", "build", "-o", bin, "../adopt").CombinedOutput(); err != nil {
		t.Fatalf("build adopt: %v: %s", err, out)
	}
	env, old := filepath.Join(dir, "new.env"), filepath.Join(dir, "old.env")
	for name, text := range map[string]string{
		env: strings.Join(w.Env, "\n"),
		old: "MADARA_ORCHESTRATOR_MONGODB_CONNECTION_URL=" + tools.Mongod(t) +
			"   # the server\nMADARA_ORCHESTRATOR_DATABASE_NAME=" + database + "\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(code int, want, also string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), bin, append([]string{"-env", env, "-old", old}, args...)...)
		cmd.Env = append(os.Environ(), w.Env...)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), want) ||
			!strings.Contains(string(out), also) {
			t.Fatalf("adopt %q: exit %d, want %d, %q and %q:\n%s", args, got, code, want, also, out)
		}
	}
}

// settledOnce wants every block from the first one on to be settled by one job, batches counted from first.
func settledOnce(t *testing.T, w *world, first, next uint64) {
	t.Helper()
	js, err := w.DB.Jobs().List(t.Context(), job.Filter{Type: job.StateTransition, Limit: job.MaxPage})
	if err != nil || len(js) == 0 {
		t.Fatal(len(js), err)
	}
	for i, j := range js {
		m, ok := j.Metadata.(*job.StateTransitionMeta)
		if !ok || j.Batch != first+uint64(i) || m.StartBlock != next {
			t.Fatalf("job of batch %d has %+v, want batch %d from block %d", j.Batch, j.Metadata, first+uint64(i), next)
		}
		next = m.EndBlock + 1
	}
	if next != w.Last+1 {
		t.Errorf("jobs cover the blocks below %d, the chain has %d", next, w.Last+1)
	}
}

// dump is all documents of a database, in order.
func dump(t *testing.T, db *mongo.Database) string {
	t.Helper()
	names, err := db.ListCollectionNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range []string{"aggregator_batches", "snos_batches", "jobs", "locks"} {
		cur, err := db.Collection(name).Find(t.Context(), bson.D{},
			options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
		if err != nil {
			t.Fatal(err)
		}
		var docs []bson.Raw
		if err := cur.All(t.Context(), &docs); err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			b.WriteString(name + " " + d.String() + "\n")
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ") + "\n" + b.String()
}
