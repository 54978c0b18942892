package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// hookSecret is the world's webhook secret.
// subscribedMail gets the world's alerts.
const subscribedMail = "ops@example.com"

const hookSecret = "s3cr3t-of-webhooks"

// world is an API over a chain in the middle of its work: jobs of each type and status, batches with and without a
// ledger.
type world struct {
	*apicontroller.Handler
	jobs    *memory.Jobs
	batches *memory.Batches
	faults  *fault.Rules
}

// id is the id of the world's n-th job.
func id(n int) string { return fmt.Sprintf("%032x", n) }

// The world's jobs that tests ask for. Others have the statuses in between.
const (
	failedJob = 1 + iota
	createdJob
	pendingJob
	newerJob // written by a newer version
	busyJob
)

// unitOf is the unit of fees where a layer settles as most do.
func unitOf(l stage.Layer) string {
	if l == stage.L3 {
		return "fri"
	}
	return "wei"
}

func newWorld(t testing.TB, layer stage.Layer, log *slog.Logger, checks ...admin.Check) *world {
	t.Helper()
	var ds []memory.Declaration
	for _, q := range resource.Queues() {
		ds = append(ds, memory.Declaration{Name: q.Name})
	}
	w := &world{faults: fault.NewRules()}
	e := &fault.Env{Hook: w.faults}
	queues, err := memory.NewQueues(nil, ds...)
	if err != nil {
		t.Fatal(err)
	}
	w.jobs, w.batches = memory.NewJobs(e), memory.NewBatches(e)
	files, topic := memory.NewArtifacts(nil), memory.NewAlerts(e)
	for _, endpoint := range []string{subscribedMail, "http://127.0.0.1:1/waits"} {
		if _, err := topic.Subscribe(t.Context(), endpoint); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Put(t.Context(), artifact.SNOSKey(1, 0, artifact.PIE), strings.NewReader("pie")); err != nil {
		t.Fatal(err)
	}
	core := setup.App{
		Chain: "dev", Seat: operator.Seat{Chain: "dev"},
		Layer: layer, Jobs: w.jobs, Batches: w.batches, Locks: memory.NewLocks(nil),
		Control: memory.NewControls(e), Rewinds: memory.NewRewinds(e), Queue: queues,
		Artifacts: files, Links: memory.NewLinks(files, "http://127.0.0.1:1/files"),
		Alerts: topic, Topic: topic, Reports: memory.NewReports(e),
		Events: memory.NewEvents(nil), Now: time.Now, Log: log,
		History: memory.NewHistory(e, w.jobs, w.batches),
	}
	w.seed(t)
	hook := func(_ context.Context, token string, body []byte) ([]string, error) {
		switch {
		case token != hookSecret || len(body) == 0:
			return nil, fmt.Errorf("token: %w", apicontroller.ErrBadHook)
		case string(body) == `"down"`:
			return nil, errSecret
		}
		return []string{"task"}, nil
	}
	w.Handler = core.API(setup.API{
		Head: head(120), Contract: contract{Settled: true, Block: 14}, Admin: true, Checks: checks, ProverHook: hook,
		LinkAge: time.Minute, Explorer: "https://explorer.example/tx/", FeeUnit: unitOf(layer),
		Contracts: func(context.Context) (contracts.Report, error) {
			return contracts.Report{Contract: "0xc0de", Lines: []contracts.Line{
				{Name: "operator", Verdict: contracts.Right, Found: "the wallet may update the state"},
				{Name: "program hash", Verdict: contracts.Unknown, Found: "0x1", Do: "The settings do not say it."},
			}}, nil
		},
		Wallet: func(context.Context) (tx.Account, error) {
			return tx.Account{Address: "0xabc", Balance: big.NewInt(1e18)}, nil
		},
	})
	r := core.Rewinder()
	r.Contract, r.Wallet = contract{Settled: true, Block: 14}, l1.New(nil, l1.Config{})
	w.Handler.Service.Rewinder = r
	return w
}

// seed writes the documents.
func (w *world) seed(t testing.TB) {
	t.Helper()
	now := time.Now()
	included := &job.Inclusion{Hash: "0xabc", Block: 7, BlockHash: "0xdef", GasUsed: 21000, DataGas: 131072, Fee: "42"}
	journal := tx.Journal{Records: []tx.Record{{Hash: "0xabc", Nonce: 3, RawKey: "tx/1", SignedAt: now}},
		LostNonces: []uint64{2}}
	metas := []job.Metadata{
		&job.SnosRunMeta{EndBlock: 4, FullOutput: true, OutputPrefix: "snos/1/", TaskID: "t",
			ProgramHash: felt.FromUint64(7), Steps: 1 << 20},
		&job.ProofCreationMeta{EndBlock: 4, PIEKey: "pie", Task: "task"},
		&job.ProofRegistrationMeta{EndBlock: 4, ProofKey: "proof"},
		&job.DataSubmissionMeta{EndBlock: 4, SegmentKey: "da", Journal: journal,
			VersionedHashes: []string{"0x01"}, Included: included},
		&job.AggregatorMeta{EndBlock: 9, FirstSnos: 1, LastSnos: 2, Task: "task"},
		&job.StateTransitionMeta{EndBlock: 9, Journal: journal, Included: included,
			LastChecks: map[string]string{"block": "9"}},
	}
	for n := 1; n <= 6*len(job.Statuses); n++ {
		j := job.New(id(n), uint64(1+n/6), metas[n%6], batch.NewTraceID(), now.Add(-time.Hour))
		j.Status = job.Statuses[(n/6)%len(job.Statuses)]
		switch n {
		case failedJob:
			j = j.FailedPermanently(now, errSecret)
		case createdJob:
		case pendingJob:
			j.Status, j.NextAction, j.DueAt, j.SubmittedAt, j.ExternalID = job.PendingVerification, job.Verify, now.Add(
				time.Hour), now, "0xabc"
		case newerJob:
			j.Schema = job.SchemaMax + 1
		case busyJob:
			j.Lease = job.Lease{Owner: job.NewID(), ExpiresAt: now.Add(time.Hour)}
		default:
			if j.Status == job.Completed || j.Status.NeedsOperator() {
				j.NextAction, j.DueAt, j.EndedAt = job.None, time.Time{}, now
			}
		}
		if err := w.jobs.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	statuses := []batch.Status{batch.Archived, batch.Completed, batch.InStateTransition, batch.Proven, batch.Open}
	snos := []batch.Status{batch.Archived, batch.Completed, batch.InStateTransition, batch.InProofCreation, batch.Open}
	for i := range uint64(60) {
		span := batch.Span{StartBlock: i * 2, EndBlock: i*2 + 1, OpenedAt: now}
		at := min(int(i), len(statuses)-1)
		l := batch.Ledger{}
		if at < len(statuses)-1 {
			span.ClosedAt, span.Reason = now, batch.Age
			l = batch.Ledger{GasUsed: 5, DataGasUsed: 131072, Blobs: 1, Fee: big.NewInt(77),
				Tx: "0xabc", ProverTask: "task"}
			l.Pass(string(job.SnosRun), now.Add(-time.Minute), now)
		}
		trace := batch.NewTraceID()
		err := errors.Join(
			w.batches.CreateAggregator(t.Context(), batch.AggregatorBatch{Index: i + 1, Span: span, FirstSnos: i + 1,
				Snos: []batch.Span{span}, DAWords: 9, Status: statuses[at], TraceID: trace, Ledger: l}),
			w.batches.CreateSnos(t.Context(),
				batch.SnosBatch{Index: i + 1, Span: span, Status: snos[at], TraceID: trace, Ledger: l}))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// documents are all jobs, as the store has them.
func (w *world) documents(t testing.TB, ctx context.Context) []job.Job {
	t.Helper()
	var out []job.Job
	for n := 1; n <= 6*len(job.Statuses); n++ {
		j, err := w.jobs.Get(ctx, id(n))
		if err != nil && !errors.Is(err, job.ErrSchema) {
			t.Fatal(err)
		}
		out = append(out, j)
	}
	return out
}

// signed is the authorizer of a request that the gateway has authenticated.
var signed = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
	IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: "arn:aws:iam::123456789012:user/ada"},
}

// goodToken is the token that gateway takes.
const goodToken = "Bearer good"

// gateway serves h over HTTP as API Gateway does: it authenticates and makes an event of a request.
func gateway(h *apicontroller.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		e := events.APIGatewayV2HTTPRequest{RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery,
			Body: string(body), Headers: map[string]string{}}
		e.RequestContext.HTTP.Method, e.RequestContext.DomainName, e.RequestContext.Stage = r.Method, r.Host, "$default"
		for k, v := range r.Header {
			e.Headers[strings.ToLower(k)] = strings.Join(v, ",")
		}
		if !strings.HasPrefix(r.URL.Path, "/hooks/") || r.Method != http.MethodPost {
			if r.Header.Get("Authorization") != goodToken {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, `{"message":"Unauthorized"}`)
				return
			}
			e.RequestContext.Authorizer = signed
		}
		out, err := h.Handle(r.Context(), e)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		for k, v := range out.Headers {
			w.Header().Set(k, v)
		}
		w.WriteHeader(out.StatusCode)
		_, _ = io.WriteString(w, out.Body)
	})
}
