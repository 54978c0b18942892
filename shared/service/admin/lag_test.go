package admin_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

var errDown = errors.New("dial https://node.example/v3/hunter2hunter2: refused")

// chain is the app chain's node and the core contract.
type chain struct {
	head, settled uint64
	err           error         // of the node
	contract      error         // of the contract
	frozen        chan struct{} // the contract answers once it is closed, whatever its context says; nil: at once
}

func (c *chain) Head(context.Context) (uint64, error) { return c.head, c.err }

func (c *chain) Headers(_ context.Context, from, _ uint64) ([]block.Header, error) {
	return []block.Header{{Number: from, Timestamp: time.Now().Add(-time.Minute)}}, c.err
}

func (c *chain) State(context.Context, bool) (settlement.State, error) {
	if c.frozen != nil {
		<-c.frozen
	}
	return settlement.State{Settled: true, Block: c.settled}, c.contract
}

// Case C7: whatever hangs, the answer takes less than 3 seconds, and has the last known value with its age.
func TestLagNeverHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := setup(t, stage.L2), &chain{head: 20, settled: 9}
		b.Service.Now, b.Head, b.Contract = time.Now, c, c
		l := b.Lag(t.Context())
		if *l.Settled != 9 || *l.Blocks != 11 || *l.Seconds != 60 || len(l.Unknown) != 0 || l.Ages != nil {
			t.Errorf("before: %+v", l)
		}
		time.Sleep(40 * time.Second)
		c.frozen = make(chan struct{})
		defer close(c.frozen)
		began := time.Now()
		l = b.Lag(t.Context())
		if d := time.Since(began); d >= 3*time.Second {
			t.Errorf("it took %s", d)
		}
		if *l.Settled != 9 || *l.Head != 20 || l.Ages["settled"] != 42 || len(l.Ages) != 1 ||
			strings.Join(l.Unknown, "") != "settled: no answer in time" {
			t.Errorf("a frozen node: settled %v, ages %v, unknown %v", *l.Settled, l.Ages, l.Unknown)
		}
	})
}

var verdictCases = map[string]struct {
	layer         stage.Layer
	change        func(*testing.T, *bench, *chain, *fault.Rules)
	level         admin.Level
	text, command string
}{
	"settled": {stage.L2, func(_ *testing.T, _ *bench, c *chain, _ *fault.Rules) { c.settled = c.head },
		admin.Settled,
		"Everything is settled, up to block 20.", ""},
	"idle": {stage.L2, func(*testing.T, *bench, *chain, *fault.Rules) {}, admin.Working, "No job is waiting.", ""},
	"working": {stage.L2, func(_ *testing.T, b *bench, _ *chain, _ *fault.Rules) {
		b.create(1, func(j job.Job) job.Job { return j })
	}, admin.Working, "SnosRun of SNOS batch 1 (blocks 10-14, in aggregator batch 3) is about to be processed.",
		""},
	"failed": {stage.L2, func(_ *testing.T, b *bench, _ *chain, _ *fault.Rules) {
		b.create(1, func(j job.Job) job.Job { return j.FailedPermanently(b.now, errDown) })
	}, admin.Blocked, "SnosRun of SNOS batch 1 (blocks 10-14, in aggregator batch 3) failed. Reason: dial " +
		"https://node.example", "retry "},
	"an l3 failed": {stage.L3, func(_ *testing.T, b *bench, _ *chain, _ *fault.Rules) {
		b.create(1, func(j job.Job) job.Job { return j.FailedPermanently(b.now, errDown) })
	}, admin.Blocked, "SnosRun of SNOS batch 1 (blocks 10-14, in aggregator batch 3) failed.", "retry "},
	"paused": {stage.L2, func(t *testing.T, b *bench, _ *chain, _ *fault.Rules) {
		if _, err := b.Pause(t.Context(), "SnosRun", admin.Command{By: "ann", Reason: "new runner."}); err != nil {
			t.Error(err)
		}
	}, admin.Blocked, "SnosRun is paused since 2026-01-01T00:00:00Z by ann: new runner.",
		`resume SnosRun -reason "..."`},
	"waits for fees": {stage.L2, func(t *testing.T, b *bench, _ *chain, _ *fault.Rules) {
		j := job.New(job.NewID(), 3, &job.StateTransitionMeta{StartBlock: 10, EndBlock: 14, FeeWait: &job.FeeWait{
			First: "900", Today: "900", Target: "300", Until: b.now.Add(time.Hour), Waits: true,
		}}, "", b.now)
		j.Status, j.NextAction = job.PendingVerification, job.Verify
		b.FeeUnit = "wei"
		if err := b.Jobs.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if w := b.Lag(t.Context()).FeeWait; w == nil || w.Today != "900" || w.Target != "300" ||
			!w.Until.Equal(b.now.Add(time.Hour)) {
			t.Errorf("fee wait %+v", w)
		}
	}, admin.Working, "StateTransition of aggregator batch 3 is ready. It waits for lower fees: it " +
		"would cost about 900 wei now, the target is 300; it is settled by " +
		"2026-01-01T01:00:00Z at the latest.", ""},
	"waited for fees, is sent": {stage.L2, func(t *testing.T, b *bench, _ *chain, _ *fault.Rules) {
		j := job.New(job.NewID(), 3, &job.StateTransitionMeta{StartBlock: 10, EndBlock: 14, FeeWait: &job.FeeWait{
			First: "900", Today: "900", Target: "300", Until: b.now.Add(time.Hour), Waits: true,
		}, Journal: tx.Journal{Records: []tx.Record{{}}}}, "", b.now)
		j.Status, j.NextAction = job.PendingVerification, job.Verify
		if err := b.Jobs.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if w := b.Lag(t.Context()).FeeWait; w != nil {
			t.Errorf("fee wait %+v", w)
		}
	}, admin.Working, "StateTransition of aggregator batch 3 is submitted", ""},
	"waits for the contract's owner": {stage.L2, func(t *testing.T, b *bench, _ *chain, _ *fault.Rules) {
		j := job.New(job.NewID(), 3, &job.StateTransitionMeta{}, "", b.now)
		j = j.FailedTransiently(b.now, errDown, job.Policies()[job.StateTransition])
		r := alert.Report{Key: executor.AwaitingPrefix + "contract/9", Severity: alert.Warning, Title: "It waits",
			Detail: "Its owner must set the config hash.", ReportedAt: b.now,
			Jobs: []alert.Job{{ID: j.ID, Type: string(j.Type), Batch: 3}}}
		_, err := b.Reports.Save(t.Context(), r)
		if err := errors.Join(err, b.Jobs.Create(t.Context(), j)); err != nil {
			t.Fatal(err)
		}
		want := "It waits for a change that somebody else makes, and needs no retry. " + r.Detail
		d, err := b.JobByID(t.Context(), j.ID)
		if l := b.Lag(t.Context()); err != nil || d.Hint != want || l.Blocking.Hint != want {
			t.Errorf("hints %q and %q, %v", d.Hint, l.Blocking.Hint, err)
		}
	}, admin.Waiting, "StateTransition of aggregator batch 3 is about to be processed. It waits for a change that " +
		"somebody else makes, and needs no retry. Its owner must set the config hash.", "alerts"},
	"batching halts": {stage.L2, func(t *testing.T, b *bench, _ *chain, _ *fault.Rules) {
		r := alert.Report{Key: "batching/version/9", Severity: alert.Critical, Title: "A new version",
			Detail: "Deploy.", ReportedAt: b.now}
		if _, err := b.Reports.Save(t.Context(), r); err != nil {
			t.Error(err)
		}
	}, admin.Blocked, "A new version. Deploy.", "alerts"},
	"L1 is down": {stage.L2, func(_ *testing.T, _ *bench, c *chain, _ *fault.Rules) { c.contract = errDown },
		admin.Waiting,
		"The settlement layer can't be read: dial https://node.example", "ready"},
	"the node is down": {stage.L2, func(_ *testing.T, _ *bench, c *chain, _ *fault.Rules) { c.err = errDown },
		admin.Waiting,
		"The app chain's node can't be read", "ready"},
	"the database is down": {stage.L2, func(_ *testing.T, _ *bench, _ *chain, r *fault.Rules) {
		r.Add(fault.Rule{Component: "jobs", Times: -1, Fault: fault.Fault{Kind: fault.FailBefore, Err: errDown}})
	}, admin.Blocked, "The database can't be read.", "ready"},
}

// Each state has one verdict, the worst one, with the command that acts on it. The database may be gone: head and
// contract are said all the same.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for name, tt := range verdictCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, c, rules := setup(t, tt.layer), &chain{head: 20, settled: 9}, fault.NewRules()
			b.Head, b.Contract, b.Reports = c, c, memory.NewReports(nil)
			span := batch.Span{StartBlock: 10, EndBlock: 14}
			if err := b.Batches.CreateSnos(t.Context(),
				batch.SnosBatch{Index: 1, Aggregator: 3, Span: span, Status: batch.Closed}); err != nil {
				t.Fatal(err)
			}
			tt.change(t, b, c, rules)
			if name == "the database is down" {
				b.Jobs = memory.NewJobs(&fault.Env{Hook: rules})
			}
			l := b.Lag(t.Context())
			v := l.Verdict
			if v.Level != tt.level || !strings.HasPrefix(v.Text, tt.text) || strings.Contains(v.Text, "hunter2") {
				t.Errorf("%s: %q, want %s: %q", v.Level, v.Text, tt.level, tt.text)
			}
			unread := func(u string) bool { return strings.HasPrefix(u, "settled: ") }
			if slices.ContainsFunc(l.Unknown, unread) && l.Seconds != nil {
				t.Errorf("it says %d s although nobody knows which block is the oldest", *l.Seconds)
			}
			if want := "make ops CHAIN=test ARGS='" + tt.command; !strings.HasPrefix(v.Command, want) &&
				(tt.command != "" || v.Command != "") {
				t.Errorf("command %q, want %q", v.Command, want)
			}
			if l.Head == nil && c.err == nil || l.Settled == nil && c.contract == nil {
				t.Errorf("head %v, settled %v: what can be read is missing", l.Head, l.Settled)
			}
		})
	}
}
