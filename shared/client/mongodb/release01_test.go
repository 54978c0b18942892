package mongodb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/lock"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// wrote is when release 0.1 wrote the documents of testdata.
var wrote = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

// stored is one document of testdata: where it is stored, and as what.
type stored struct {
	Collection string `bson:"collection"`
	Document   bson.D `bson:"document"`
}

// text is a field of a document.
func (s stored) text(field string) string {
	for _, e := range s.Document {
		if e.Key == field {
			return fmt.Sprint(e.Value)
		}
	}
	return ""
}

// release01 returns a database with the documents that release 0.1 wrote, and these.
func release01(t *testing.T, file string) (*mongodb.DB, []stored) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	uri, name := tools.Mongod(t), fmt.Sprintf("release01_%d", databases.Add(1))
	raw, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Disconnect(context.Background()) }()
	var all []stored
	for line := range bytes.Lines(b) {
		var s stored
		if err := bson.UnmarshalExtJSON(line, true, &s); err != nil {
			t.Fatal(err)
		}
		if _, err := raw.Database(name).Collection(s.Collection).InsertOne(t.Context(), s.Document); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	db, err := mongodb.Connect(mongodb.Config{URI: uri, Database: name, PoolSize: 8, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	if err := db.EnsureIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, all
}

// Every job that release 0.1 wrote is read with its status, attempts and metadata, by each query that finds it.
func TestRelease01_Jobs(t *testing.T) {
	t.Parallel()
	seen := map[job.Status]bool{}
	for _, file := range []string{"release-0.1-l2.jsonl", "release-0.1-l3.jsonl"} {
		t.Run(file, func(t *testing.T) {
			db, all := release01(t, file)
			for _, s := range all {
				if s.Collection != "jobs" {
					continue
				}
				j, err := db.Jobs().Get(t.Context(), s.text("_id"))
				if err != nil {
					t.Error(err)
					continue
				}
				seen[j.Status] = true
				if string(j.Status) != s.text("status") || string(j.Type) != s.text("type") ||
					j.Metadata.JobType() != j.Type {
					t.Errorf("job %s is a %s job, %s, with metadata %T; stored were %s, %s",
						j.ID, j.Type, j.Status, j.Metadata,
						s.text("type"), s.text("status"))
				}
				if found, err := db.Jobs().Find(t.Context(), j.Type, j.Batch); err != nil || found.ID != j.ID {
					t.Errorf("find %s of batch %d: %s, %v", j.Type, j.Batch, found.ID, err)
				}
				listed, err := db.Jobs().List(t.Context(),
					job.Filter{Type: j.Type, Statuses: []job.Status{j.Status}, Limit: 100})
				if err != nil || !slices.ContainsFunc(listed, func(x job.Job) bool { return x.ID == j.ID }) {
					t.Errorf("%s is not among the %s jobs that are %s, %v", j.ID, j.Type, j.Status, err)
				}
			}
		})
	}
	for _, s := range job.Statuses {
		if !seen[s] {
			t.Errorf("testdata has no %s job", s)
		}
	}
}

// What metadata holds of a transaction, whose fields have other names now, is kept.
func TestRelease01_Metadata(t *testing.T) {
	t.Parallel()
	db, _ := release01(t, "release-0.1-l2.jsonl")
	j, err := db.Jobs().Find(t.Context(), job.StateTransition, 3)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := j.Metadata.(*job.StateTransitionMeta)
	if !ok || m.Included == nil || len(m.Journal.Records) != 1 {
		t.Fatalf("metadata %+v", j.Metadata)
	}
	f := m.Journal.Records[0].Fees
	if m.Included.DataGas != 131072 || m.Included.Fee != "123456789012345678901" || f.DataGas != 131072 ||
		f.DataGasPrice.Int64() != 2 || f.Gas != 21000 || m.Journal.Records[0].Nonce != 7 ||
		!slices.Equal(m.Journal.LostNonces, []uint64{6}) {
		t.Errorf("included %+v, fees %+v, journal %+v", m.Included, f, m.Journal)
	}
}

// Every batch that release 0.1 wrote is read with the name that its status has now, by each query that finds it.
func TestRelease01_Batches(t *testing.T) {
	t.Parallel()
	aggregators := map[string]batch.Status{
		"Open": batch.Open, "Closed": batch.Closed, "PendingAggregatorRun": batch.Proven,
		"PendingAggregatorVerification": batch.InAggregator, "ReadyForStateUpdate": batch.InStateTransition,
		"Completed": batch.Completed, "Archived": batch.Archived,
	}
	children := map[string]batch.Status{ // SNOS batches of an L2
		"Closed": batch.Closed, "SnosJobCreated": batch.InSnosRun, "ProofJobCreated": batch.InProofCreation,
		"Completed": batch.Proven,
	}
	alone := map[string]batch.Status{ // of an L3
		"Open": batch.Open, "Closed": batch.Closed, "SnosJobCreated": batch.InSnosRun,
		"ProofJobCreated":        batch.InProofCreation,
		"RegistrationJobCreated": batch.InProofRegistration, "DataJobCreated": batch.InDataSubmission,
		"ReadyForStateUpdate": batch.InStateTransition, "Completed": batch.Completed, "Archived": batch.Archived,
	}
	for _, tt := range []struct {
		file, collection string
		want             map[string]batch.Status
		read             func(context.Context, *mongodb.DB, uint64) (batch.Status, error)
		list             func(context.Context, *mongodb.DB, batch.Status) ([]uint64, error)
	}{
		{"release-0.1-l2.jsonl", "aggregator_batches", aggregators, aggregatorStatus, aggregatorsWith},
		{"release-0.1-l2.jsonl", "snos_batches", children, snosStatus, snosWith},
		{"release-0.1-l3.jsonl", "snos_batches", alone, snosStatus, snosWith},
	} {
		t.Run(tt.file+" "+tt.collection, func(t *testing.T) {
			db, all := release01(t, tt.file)
			seen := map[string]bool{}
			for _, s := range all {
				if s.Collection != tt.collection {
					continue
				}
				was := s.text("status")
				seen[was] = true
				var index uint64
				if _, err := fmt.Sscan(s.text("_id"), &index); err != nil {
					t.Fatal(err)
				}
				if st, err := tt.read(t.Context(), db, index); err != nil || st != tt.want[was] {
					t.Errorf("%s batch %d was %s and is %s, %v, want %s",
						tt.collection, index, was, st, err, tt.want[was])
				}
				listed, err := tt.list(t.Context(), db, tt.want[was])
				if err != nil || !slices.Contains(listed, index) {
					t.Errorf("%s batch %d, which was %s, is not listed as %s: %v, %v",
						tt.collection, index, was, tt.want[was], listed, err)
				}
			}
			if d := cmp.Diff(slices.Sorted(maps.Keys(tt.want)), slices.Sorted(maps.Keys(seen))); d != "" {
				t.Errorf("statuses expected (-) and in testdata (+):\n%s", d)
			}
		})
	}
}

// A settled batch's ledger, whose fields have other names now, is kept.
func TestRelease01_Ledger(t *testing.T) {
	t.Parallel()
	db, _ := release01(t, "release-0.1-l2.jsonl")
	b, err := db.Batches().Aggregator(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	l := b.Ledger
	if l.Fee == nil || l.Fee.String() != "123456789012345678901" || l.DataGasUsed != 131072 || l.GasUsed != 300000 ||
		l.Tx != "0xabc" || l.Requests["SnosRun"] != 2 || l.Stages["SnosRun"].Jobs != 1 {
		t.Errorf("ledger %+v", l)
	}
}

func aggregatorStatus(ctx context.Context, db *mongodb.DB, n uint64) (batch.Status, error) {
	b, err := db.Batches().Aggregator(ctx, n)
	return b.Status, err
}

func snosStatus(ctx context.Context, db *mongodb.DB, n uint64) (batch.Status, error) {
	b, err := db.Batches().Snos(ctx, n)
	return b.Status, err
}

func aggregatorsWith(ctx context.Context, db *mongodb.DB, s batch.Status) (out []uint64, err error) {
	bs, err := db.Batches().ListAggregators(ctx, s, 0, 100)
	for _, b := range bs {
		out = append(out, b.Index)
	}
	return out, err
}

func snosWith(ctx context.Context, db *mongodb.DB, s batch.Status) (out []uint64, err error) {
	bs, err := db.Batches().ListSnos(ctx, s, 0, 100)
	for _, b := range bs {
		out = append(out, b.Index)
	}
	return out, err
}

// Stages that were paused under release 0.1's names of workers are paused under their present names, until they are
// resumed by those.
func TestRelease01_Pauses(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]map[stage.Name]string{
		"release-0.1-l2.jsonl": {stage.ProofCreation: "ann", stage.StateTransition: "bob", stage.Reconcile: "ann"},
		"release-0.1-l3.jsonl": {stage.SnosRun: "ann"},
	} {
		t.Run(file, func(t *testing.T) {
			db, _ := release01(t, file)
			ps, err := db.Controls().Pauses(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range stage.Names() {
				p, paused := ps.Of(n)
				if paused != (want[n] != "") || p.By != want[n] {
					t.Errorf("%s: paused %t by %q, want by %q", n, paused, p.By, want[n])
				}
				if err := db.Controls().Resume(t.Context(), n); err != nil {
					t.Error(err)
				}
			}
			if ps, err = db.Controls().Pauses(t.Context()); err != nil || len(ps) != 0 {
				t.Errorf("after resuming every stage %+v are paused, %v", ps, err)
			}
		})
	}
}

// A lease that an invocation of release 0.1 holds is respected, and its fences go on.
func TestRelease01_Leases(t *testing.T) {
	t.Parallel()
	db, _ := release01(t, "release-0.1-l2.jsonl")
	now := wrote.Add(time.Minute)
	locks := db.Locks(func() time.Time { return now })
	_, err := locks.Acquire(t.Context(), string(stage.AggregatorBatching), "new", time.Minute)
	if !errors.Is(err, lock.ErrHeld) {
		t.Errorf("a held lease was taken: %v", err)
	}
	if l, err := locks.Acquire(t.Context(), string(stage.SnosBatching), "new", time.Minute); err != nil ||
		l.Fence != 5 {
		t.Errorf("a free lease: %+v, %v, want fence 5", l, err)
	}
	now = wrote.Add(3 * time.Minute)
	const wallet = "wallet/ethereum/1/0x0000000000000000000000000000000000000003"
	for _, name := range []string{string(stage.AggregatorBatching), wallet} {
		if l, err := locks.Acquire(t.Context(), name, "new", time.Minute); err != nil || l.Fence != 4 {
			t.Errorf("the lease %s after its end: %+v, %v, want fence 4", name, l, err)
		}
	}
}
