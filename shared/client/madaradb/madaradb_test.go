package madaradb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/madara-orchestrator/orchestrator/shared/client/madaradb"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/takeover"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/madara"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

var databases atomic.Int64

// filled returns the name of a database with the documents, and a client of the server.
func filled(t *testing.T, docs madara.Documents) (uri, name string) {
	t.Helper()
	uri, name = tools.Mongod(t), fmt.Sprintf("madara%d", databases.Add(1))
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	if err := docs.Insert(t.Context(), client.Database(name)); err != nil {
		t.Fatal(err)
	}
	return uri, name
}

func read(t *testing.T, uri, name string, now time.Time, m *event.CommandMonitor) (takeover.Database, error) {
	t.Helper()
	db, err := madaradb.Connect(madaradb.Config{URI: uri, Database: name, Monitor: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db.Read(t.Context(), now)
}

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func TestReadL2(t *testing.T) {
	t.Parallel()
	docs := madara.L2(now.Add(-time.Hour))
	docs.Locks = append(
		docs.Locks,
		madara.Lock("AggregatorBatchingWorker", now.Add(time.Minute)),
		madara.Lock("old", now.Add(-time.Minute)),
	)
	var mu sync.Mutex
	commands := map[string]bool{}
	uri, name := filled(t, docs)
	got, err := read(
		t,
		uri,
		name,
		now,
		&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
			mu.Lock()
			defer mu.Unlock()
			commands[e.CommandName] = true
		}},
	)
	if err != nil {
		t.Fatal(err)
	}
	if got.Layer != stage.L2 || got.Settled == nil || got.Settled.Index != 2 || got.Settled.EndBlock != 19 ||
		got.LastSnos != 4 {
		t.Errorf(
			"got %s, settled %+v, last SNOS batch %d; want l2, batch 2 up to block 19, SNOS batch 4",
			got.Layer,
			got.Settled,
			got.LastSnos,
		)
	}
	var unsettled []string
	for _, b := range got.Unsettled {
		unsettled = append(unsettled,
			fmt.Sprintf("%d %d-%d %s %s", b.Index, b.StartBlock, b.EndBlock, b.Status, b.Bucket))
	}
	want := []string{
		"3 20-29 ReadyForStateUpdate bucket-3",
		"4 30-39 PendingAggregatorRun bucket-4",
		"5 40-44 Open bucket-5",
	}
	if !slices.Equal(unsettled, want) {
		t.Errorf("unsettled %q, want %q", unsettled, want)
	}
	var snos []string
	for _, s := range got.Snos {
		snos = append(snos, fmt.Sprintf("%d of %d %d-%d %s", s.Index, s.Aggregator, s.StartBlock, s.EndBlock,
			got.Tasks[s.Index]))
	}
	if want := []string{"5 of 3 20-24 task-5", "6 of 3 25-29 task-6", "7 of 4 30-34 task-7", "8 of 4 35-39 task-8",
		"9 of 5 40-44 task-9"}; !slices.Equal(snos, want) {
		t.Errorf("SNOS batches %q, want %q", snos, want)
	}
	var jobs []string
	for _, j := range got.Jobs {
		jobs = append(jobs, fmt.Sprintf("%s %d %s %s %v", j.Type, j.Batch, j.Status, j.External, j.Transactions))
	}
	want = []string{
		"Aggregator 4 PendingVerification query-4 []", "ProofCreation 9 PendingVerification task-9 []",
		"SnosRun 10 Failed  []",
		fmt.Sprintf("StateTransition 3 LockedForProcessing  [%s %s]", madara.Hash(0xaa), madara.Hash(0xbb)),
	}
	if !slices.Equal(jobs, want) {
		t.Errorf("jobs %q, want %q", jobs, want)
	}
	if len(got.Locks) != 1 || got.Locks[0].Name != "AggregatorBatchingWorker" ||
		!got.LastWrite.Equal(now.Add(-time.Hour)) {
		t.Errorf("locks %v, last write %s", got.Locks, got.LastWrite)
	}
	for c := range commands {
		if !slices.Contains([]string{"find", "aggregate", "listCollections", "getMore", "endSessions"}, c) {
			t.Errorf("sent the command %s: want reads only", c)
		}
	}
}

func TestReadL3(t *testing.T) {
	t.Parallel()
	uri, name := filled(t, madara.L3(now.Add(-time.Hour)))
	got, err := read(t, uri, name, now, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Layer != stage.L3 || got.Settled == nil || got.Settled.Index != 3 || got.LastSnos != 3 ||
		len(got.Unsettled) != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	at := now.Add(-time.Hour)
	for name, tt := range map[string]struct {
		change func(*madara.Documents)
		want   []string
	}{
		"an unknown status": {func(d *madara.Documents) { madara.Set(d.Aggregators[3], "status", "Rewinding") },
			[]string{"Rewinding"}},
		"half-written": {func(d *madara.Documents) { madara.Unset(d.Aggregators[2], "end_block") },
			[]string{"batch 3", "end_block is missing"}},
		"a gap": {func(d *madara.Documents) { madara.Set(d.Aggregators[3], "start_block", int64(33)) },
			[]string{"batch 4 starts at block 33"}},
		"ends before start": {func(d *madara.Documents) { madara.Set(d.Aggregators[4], "end_block", int64(1)) },
			[]string{"batch 5"}},
		"open among completed": {func(d *madara.Documents) { madara.Set(d.Aggregators[0], "status", "Open") },
			[]string{"batch 1 is Open although batch 2 is completed"}},
		"torn children": {func(d *madara.Documents) { madara.Set(d.Snos[3], "end_block", int64(18)) },
			[]string{"does not end with it at block 19"}},
		"a job without id": {func(d *madara.Documents) {
			madara.Unset(d.Jobs[0], "internal_id")
			madara.Set(d.Jobs[0], "status", "Failed")
		},
			[]string{"internal_id is missing"}},
		"all at once": {func(d *madara.Documents) {
			madara.Set(d.Aggregators[3], "status", "Rewinding")
			madara.Unset(d.Aggregators[2], "end_block")
		}, []string{"Rewinding", "end_block is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			docs := madara.L2(at)
			tt.change(&docs)
			uri, db := filled(t, docs)
			_, err := read(t, uri, db, now, nil)
			var faults *takeover.FaultError
			if !errors.As(err, &faults) {
				t.Fatalf("got %v, want a FaultError", err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("got %v, want it to name %q", err, w)
				}
			}
		})
	}
}

// Numbers that an old migration or a person wrote as doubles or 32-bit integers are the same numbers.
func TestNumbers(t *testing.T) {
	t.Parallel()
	docs := madara.L2(now.Add(-time.Hour))
	madara.Set(docs.Aggregators[1], "end_block", float64(19))
	madara.Set(docs.Aggregators[1], "start_block", int32(10))
	uri, name := filled(t, docs)
	if got, err := read(t, uri, name, now, nil); err != nil || got.Settled.EndBlock != 19 ||
		got.Settled.StartBlock != 10 {
		t.Errorf("got %+v, %v", got.Settled, err)
	}
}

func TestForeign(t *testing.T) {
	t.Parallel()
	uri, name := filled(t, madara.Documents{})
	if _, err := read(t, uri, name, now, nil); !errors.Is(err, takeover.ErrForeign) {
		t.Errorf("got %v, want ErrForeign", err)
	}
	_, err := madaradb.Connect(madaradb.Config{URI: "nonsense://user:hunter2@x"})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, want an error that does not show the password", err)
	}
}
