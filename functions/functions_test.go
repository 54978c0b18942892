package functions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/blocks"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/prover"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/runner"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
)

// maxMain is the most lines that a function's main.go may have: it only starts.
const maxMain = 25

// The description and the folders name the same functions, each of main.go and wire.go.
func TestFunctionsAreFolders(t *testing.T) {
	t.Parallel()
	mains, err := filepath.Glob("*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("no functions found: %v", err)
	}
	var got, want []string
	for _, m := range mains {
		b, err := os.ReadFile(m)
		if err != nil || strings.Count(string(b), "\n") > maxMain {
			t.Errorf("%s has more than %d lines (%v)", m, maxMain, err)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(m), "wire.go")); err != nil {
			t.Errorf("%s has no wire.go beside it", m)
		}
		got = append(got, filepath.Dir(m))
	}
	for _, f := range resource.Functions() {
		want = append(want, f.Name)
	}
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("functions described (-) and folders (+): %s", d)
	}
}

// wallets are the clients that sign, and what chooses among them.
var wallets = []string{"shared/client/ethereum", "shared/client/starknet", "shared/client/kms",
	"shared/setup/cloud/settle"}

// kafkaClient is what functions are a tenth larger with.
const kafkaClient = "twmb/franz-go"

// forbidden is what functions may not link: it would make them larger and slower to start, or shows a layer that leaks.
// Those that have nothing to do with the settlement layer link no wallet; from the others IAM keeps its key.
var forbidden = map[string][]string{
	"*": {"awscdk", "orchestrator/scripts/", "orchestrator/shared/client/memory", "orchestrator/shared/dev/",
		"orchestrator/shared/simulation", "testing",
		// They call methods by name, which keeps the linker from leaving out those that nobody calls: of the AWS SDK's
		// clients alone some 6 MB. juno computes tables when a process starts.
		"google.golang.org/grpc", "google.golang.org/protobuf/proto", "text/template", "NethermindEth/juno",
		// Only with -tags kafka, which infra gives for chains whose queues are topics of Kafka.
		kafkaClient},
	// SnosRun compares config hashes, so it links the hash functions, and no other arithmetic.
	resource.FnSnosRun: append([]string{"go-ethereum", "shared/starknet/kzg", "shared/starknet/pie",
		"shared/starknet/statediff", "gnark-crypto/ecc/bls12-381", "juno/core/trie"}, wallets...),
	resource.FnJobFailure: append([]string{"go-ethereum", "orchestrator/shared/starknet", "gnark-crypto", "juno"},
		wallets...),
	resource.FnHooks: append([]string{"go-ethereum"}, wallets...),
	resource.FnHeads: append([]string{"go-ethereum", "gnark-crypto/ecc/bls12-381", "juno"}, wallets...),
}

// Each function links only what it may.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, f := range resource.Functions() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			deps := linked(t, "lambda.norpc", f.Name)
			for _, bad := range slices.Concat(forbidden["*"], forbidden[f.Name]) {
				for _, d := range deps {
					if d == bad || bad != "testing" && strings.Contains(d, bad) {
						t.Errorf("it links %s", d)
					}
				}
			}
			if !slices.ContainsFunc(linked(t, "lambda.norpc,kafka", f.Name),
				func(d string) bool { return strings.Contains(d, kafkaClient) }) {
				t.Errorf("with -tags kafka it does not link %s", kafkaClient)
			}
		})
	}
}

// linked are the packages that a function links.
func linked(t *testing.T, tags, function string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-tags", tags, "-deps", "./"+function).Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 50 {
		t.Fatalf("only %d packages: the list is not the function's", len(deps))
	}
	return deps
}

// allowedClients are the imports between clients: only packages that are made to be shared.
var allowedClients = []string{"/client/internal/"}

// No client imports another one: what they share lies in client/internal, and what they mean to each other in setup.
func TestClientsStandAlone(t *testing.T) {
	t.Parallel()
	const prefix = "github.com/madara-orchestrator/orchestrator/shared/client/"
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`,
		"../shared/client/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		own, ok := strings.CutPrefix(fields[0], prefix)
		if !ok {
			t.Fatalf("package %s", fields[0])
		}
		packages++
		own, _, _ = strings.Cut(own, "/")
		for _, imported := range fields[1:] {
			other, ok := strings.CutPrefix(imported, prefix)
			if !ok ||
				slices.ContainsFunc(allowedClients, func(a string) bool { return strings.Contains(imported, a) }) {
				continue
			}
			if other, _, _ = strings.Cut(other, "/"); other != own {
				t.Errorf("client %s imports %s", fields[0], imported)
			}
		}
	}
	if packages < 15 {
		t.Errorf("only %d packages were looked at", packages)
	}
}

// world are the functions that take queue messages and schedules, on ports in memory.
type world struct {
	jobs      *memory.Jobs
	alerts    *memory.Alerts
	functions map[string]lambda.Handler
	returned  *returned
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{jobs: memory.NewJobs(nil), alerts: memory.NewAlerts(nil), functions: map[string]lambda.Handler{},
		returned: &returned{}}
	var ds []memory.Declaration
	for _, q := range resource.Queues() {
		ds = append(ds, memory.Declaration{Name: q.Name})
	}
	queues, err := memory.NewQueues(nil, ds...)
	if err != nil {
		t.Fatal(err)
	}
	core := setup.App{
		Chain: "dev", Layer: stage.L2, Jobs: w.jobs, Batches: memory.NewBatches(nil), Locks: memory.NewLocks(nil),
		Control: memory.NewControls(nil),
		Queue:   queues, Return: w.returned, Artifacts: memory.NewArtifacts(nil), Alerts: w.alerts,
		Reports: memory.NewReports(nil),
		Events:  memory.NewEvents(nil), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	chain, proofs := l1.New(nil, l1.Config{}), prover.New(nil, prover.Config{})
	runs := runner.New(nil, runner.Config{Execute: func(context.Context, snos.Task) error { return nil }})
	wallet := setup.Wallet{Chain: chain, Name: "dev"}
	data := setup.Publishing{Layer: chain.DA(), Wallet: wallet}
	w.functions = map[string]lambda.Handler{
		resource.FnSnosRun:           lambda.NewHandler(core.SnosRun(runs).Handle),
		resource.FnProofCreation:     lambda.NewHandler(core.ProofCreation(proofs).Handle),
		resource.FnProofRegistration: lambda.NewHandler(core.ProofRegistration(proofs).Handle),
		resource.FnDataSubmission:    lambda.NewHandler(core.DataSubmission(data).Handle),
		resource.FnAggregator:        lambda.NewHandler(core.Aggregator(proofs, runs).Handle),
		resource.FnStateTransition:   lambda.NewHandler(core.StateTransition(chain, wallet, protocol.Codec()).Handle),
		resource.FnJobFailure:        lambda.NewHandler(core.DeadLetters().Handle),
	}
	w.functions[resource.FnTrigger] = lambda.NewHandler(core.TriggerFunction(setup.Trigger{
		Source: blocks.New(nil, "SN_DEV"), Prover: proofs, NewSizer: protocol.NewSizer, Window: 10, FirstBatch: 1,
		Invoke: func(ctx context.Context, jt job.Type, body string) error {
			e, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "p", Body: body}}})
			if err != nil {
				return err
			}
			_, err = w.functions[resource.FunctionOf(jt)].Invoke(ctx, e)
			return err
		},
	}).Handle)
	return w
}

// seed stores the job that a message is for, where its action is due.
func (w *world) seed(t *testing.T, m job.Message) {
	t.Helper()
	meta := map[job.Type]job.Metadata{
		job.SnosRun: &job.SnosRunMeta{EndBlock: 1}, job.ProofCreation: &job.ProofCreationMeta{},
		job.ProofRegistration: &job.ProofRegistrationMeta{},
		job.DataSubmission:    &job.DataSubmissionMeta{},
		job.Aggregator:        &job.AggregatorMeta{FirstSnos: 1, LastSnos: 1},
		job.StateTransition:   &job.StateTransitionMeta{},
	}[m.Type]
	j := job.New(m.JobID, 1, meta, m.TraceID, time.Now().Add(-time.Minute))
	if m.Action == job.Verify {
		j.Status, j.NextAction = job.PendingVerification, job.Verify
	}
	j.Generation = m.Generation
	if err := w.jobs.Create(t.Context(), j); err != nil && !errors.Is(err, job.ErrExists) {
		t.Fatal(err)
	}
}

// Every sample of a queue's event is worked on: its job was claimed, and only what is malformed is delivered again.
func TestQueueSamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../events/sqs/*.json")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var e events.SQSEvent
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatal(err)
			}
			w := newWorld(t)
			var seeded []string
			bad := 0
			for _, r := range e.Records {
				m, err := job.DecodeMessage(r.Body)
				if err != nil {
					bad++
					continue
				}
				w.seed(t, m)
				seeded = append(seeded, m.JobID)
			}
			function, _, _ := strings.Cut(name, "_")
			out, err := w.functions[function].Invoke(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			var resp events.SQSEventResponse
			if err := json.Unmarshal(out, &resp); err != nil {
				t.Fatal(err)
			}
			w.judge(t, name, function, seeded, bad, len(resp.BatchItemFailures))
		})
	}
}

// The sample of a Kafka event has a wake-up, a tombstone and junk: the first is worked on, the last is given back.
func TestKafkaSample(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../events/kafka/snosrun_process.json")
	if err != nil {
		t.Fatal(err)
	}
	const id = "00000000000000000000000000000001"
	w := newWorld(t)
	w.seed(t, job.Message{JobID: id, Type: job.SnosRun, Action: job.Process,
		Generation: 1})
	out, err := w.functions[resource.FnSnosRun].Invoke(t.Context(), raw)
	if err != nil || string(out) != "null" {
		t.Fatalf("answer %s, %v", out, err)
	}
	j, err := w.jobs.Get(t.Context(), id)
	if err != nil || j.Attempts.Total != 1 {
		t.Errorf("the job was not worked on: %+v, %v", j, err)
	}
	want := []string{"dev-snos-run-process dev-snos-run-process-0@39 received 2 times: junk"}
	if d := cmp.Diff(want, w.returned.all); d != "" {
		t.Errorf("given back: %s", d)
	}
}

// returned are messages that were given back to their topics.
type returned struct{ all []string }

func (r *returned) Return(_ context.Context, topic string, d queue.Delivery) error {
	r.all = append(r.all, fmt.Sprintf("%s %s received %d times: %s", topic, d.ID, d.Receives, d.Body))
	return nil
}

func (w *world) judge(t *testing.T, name, function string, seeded []string, bad, failed int) {
	t.Helper()
	for _, id := range seeded {
		j, err := w.jobs.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if function != resource.FnJobFailure && j.Attempts.Total == 0 {
			t.Errorf("job %s was not claimed: %+v", id, j)
		}
	}
	want := 0
	if name == "snosrun_malformed" {
		want = bad
	}
	if failed != want {
		t.Errorf("%d messages are to be delivered again, want %d", failed, want)
	}
	if function == resource.FnJobFailure && len(w.alerts.Sent()) == 0 {
		t.Error("dead letters raised no alert")
	}
}

// Every worker has a sample of its schedule's event, and the trigger function takes it.
func TestScheduleSamples(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, worker := range stage.Names() {
		raw, err := os.ReadFile("../events/eventbridge/trigger_" + string(worker) + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.functions[resource.FnTrigger].Invoke(t.Context(), raw); err != nil {
			t.Errorf("%s: %v", worker, err)
		}
	}
	for name, raw := range map[string]string{
		"unknown stage": `{"stage":"Nobody"}`, "neither": `{}`, "both": `{"stage":"SnosRun","Records":[]}`,
		"no object": `"Snos"`, "no JSON": `{`,
	} {
		if _, err := w.functions[resource.FnTrigger].Invoke(t.Context(), []byte(raw)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
