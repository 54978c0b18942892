package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// exposure is a deployment whose secrets are canaries.
type exposure struct {
	t        *testing.T
	dir      string
	settings map[string]string
	logs     *logs
	layer    stage.Layer
	only     []string // functions; empty: all
	ran      atomic.Int32
}

func newExposure(t *testing.T, layer stage.Layer, outside, mongo string) *exposure {
	t.Helper()
	name := "leak" + strings.ToLower(job.NewID()[:8])
	x := &exposure{t: t, dir: t.TempDir(), logs: &logs{}, layer: layer}
	x.settings = map[string]string{
		"CHAIN_NAME": name, "CHAIN_LAYER": string(layer), "CHAIN_ID": "SN_DEV",
		"CHAIN_RPC_SECRET":        x.secret("node", keyed(outside)),
		"CHAIN_BACKUP_RPC_SECRET": x.secret("backup", keyed(outside)), "CHAIN_FEEDER_GATEWAY": outside,
		"AWS_ENDPOINT": quietAWS(t), "AWS_BUCKET": "b", "AWS_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:t",
		"AWS_BUS": "bus", "REDIS_URL_SECRET": x.secret("redis", "redis://:"+canaries["redis"]+"@"+refused(t)),
		"SETTLEMENT_RPC_SECRET": x.secret("layer", keyed(outside)), "SETTLEMENT_CHAIN_ID": "5",
		"SETTLEMENT_CONTRACT": "0x" + strings.Repeat("1", 40), "SETTLEMENT_VERIFIER": "0x" + strings.Repeat("2", 40),
		"SETTLEMENT_KEY_SECRET": x.secret("wallet", canaries["wallet"]),
		"SETTLEMENT_ADDRESS":    accountOf(t, canaries["wallet"]), "SNOS_URL": outside,
		"SNOS_TOKEN_SECRET": x.secret("runner", canaries["runner"]), "PROVER_KIND": config.Atlantic,
		"PROVER_KEY_SECRET": x.secret("prover", canaries["prover"]),
		"PROVER_URL":        outside, "PROVER_ATLANTIC_ARTIFACTS_URL": outside, "PROVER_ATLANTIC_NETWORK": "TESTNET",
		"PROVER_ATLANTIC_HOOK_SECRET": x.secret("hook", canaries["hook"]), "API_ADMIN": "true",
		"LOG_LEVEL": "debug", "PACE": "1000",
		"OTLP_ENDPOINT": outside, "OTLP_HEADERS_SECRET": x.secret("otlp", "authorization: Bearer "+canaries["otlp"]),
		"MONGO_URI_SECRET": x.secret("mongo", mongo),
	}
	if layer == stage.L3 {
		delete(x.settings, "SETTLEMENT_ADDRESS")
		maps.Copy(x.settings, map[string]string{
			"SETTLEMENT_KIND": config.StarknetLayer, "SETTLEMENT_CHAIN_ID": "SN_DEV", "SETTLEMENT_ACCOUNT": "0x1",
			"SETTLEMENT_KEY_SECRET":                 x.secret("stark", canaries["stark"]),
			"PROVER_ATLANTIC_VERIFIER_PROGRAM_HASH": "0x5",
		})
	}
	return x
}

// accountOf is the account of a key.
func accountOf(t *testing.T, key string) string {
	t.Helper()
	s, err := ethereum.NewKeySigner(key)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Address(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("0x%x", a)
}

// secret writes a secret and returns its name.
func (x *exposure) secret(name, value string) string {
	x.t.Helper()
	file := filepath.Join(x.dir, name)
	if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
		x.t.Fatal(err)
	}
	return "file:" + file
}

// jobs writes a job of each type that is about to be processed and one that waits to be verified, and returns their
// wake-ups.
func (x *exposure) jobs(ctx context.Context, db *mongodb.DB) map[string][]string {
	x.t.Helper()
	journal := tx.Journal{
		Records: []tx.Record{{Hash: "0x" + strings.Repeat("ab", 32), RawKey: "tx/1", SignedAt: time.Now()}}}
	wakeups := map[string][]string{}
	for i := range 2 {
		for n, m := range []job.Metadata{
			&job.SnosRunMeta{EndBlock: 4, OutputPrefix: "snos/1/", TaskID: "task", Handle: "task"},
			&job.ProofCreationMeta{EndBlock: 4, PIEKey: "pie", DedupID: "dedup", Task: "task", Bucket: "bucket"},
			&job.ProofRegistrationMeta{EndBlock: 4, ProofKey: "proof", DedupID: "dedup", Task: "task"},
			&job.DataSubmissionMeta{EndBlock: 4, SegmentKey: "da", Journal: journal},
			&job.AggregatorMeta{EndBlock: 4, FirstSnos: 1, LastSnos: 1, Bucket: "bucket",
				DedupID: "dedup", Task: "task"},
			&job.StateTransitionMeta{EndBlock: 4, ProgramOutputKey: "out", DASegmentKey: "da", Journal: journal},
		} {
			j := job.New(fmt.Sprintf("%032x", 16*i+n+1), uint64(i+1), m, "", time.Now().Add(-time.Hour))
			if i == 1 {
				j.Status, j.NextAction, j.ExternalID = job.PendingVerification, job.Verify, "task"
			}
			if err := db.Jobs().Create(ctx, j); err != nil {
				x.t.Fatal(err)
			}
			f := resource.FunctionOf(j.Type)
			wakeups[f] = append(wakeups[f], j.Wakeup().Encode())
		}
	}
	return wakeups
}

// invoke runs a process of a compiled function for events and looks for canaries in what comes out.
func (x *exposure) invoke(function string, evs ...any) {
	x.t.Helper()
	bin, err := build()
	if err != nil {
		x.t.Error(err)
		return
	}
	env := []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=" + canaries["aws"],
		"AWS_REGION=" + devcloud.Region}
	for k, v := range x.settings {
		env = append(env, config.Prefix+k+"="+v)
	}
	b := &devlambda.Binary{Path: filepath.Join(bin, function), Name: function, Env: env,
		Logs: x.logs, Timeout: 20 * time.Second}
	defer b.Close()
	for _, e := range evs {
		raw, err := json.Marshal(e)
		if err != nil {
			x.t.Error(err)
			return
		}
		out, err := b.Invoke(x.t.Context(), raw)
		x.ran.Add(1)
		x.clean(fmt.Sprintf("answer of %s to %.80s", function, raw), fmt.Sprintf("%s %v", out, err))
	}
}

func (x *exposure) clean(where, text string) {
	x.t.Helper()
	if found := seen(text); len(found) > 0 {
		x.t.Errorf("%s shows %v: %.300s", where, found, text)
	}
}

// events are what a function is invoked with: one of each kind, and the wake-ups of its jobs.
func (x *exposure) events(function string, wakeups []string) []any {
	var evs []any
	switch function {
	case resource.FnTrigger:
		for _, s := range resource.Schedules() {
			if slices.Contains(s.Layers, x.layer) {
				evs = append(evs, map[string]any{"stage": s.Stage})
			}
		}
	case resource.FnAPI:
		for _, path := range []string{"/lag", "/ready", "/jobs?limit=100", "/batches",
			"/jobs/" + fmt.Sprintf("%032x", 17)} {
			e := events.APIGatewayV2HTTPRequest{Body: "{}"}
			e.RawPath, e.RawQueryString, _ = strings.Cut(path, "?")
			e.RequestContext.HTTP.Method = http.MethodGet
			evs = append(evs, e)
		}
	case resource.FnHooks:
		for _, token := range []string{"guess", canaries["hook"] + "x"} {
			e := events.APIGatewayV2HTTPRequest{Body: "{}", RawPath: "/hooks/atlantic/" + token}
			e.RequestContext.HTTP.Method = http.MethodPost
			evs = append(evs, e)
		}
		hook := events.APIGatewayV2HTTPRequest{RawPath: "/hooks/atlantic/" + canaries["hook"],
			Body: `{"atlanticQueryId":"task"}`}
		hook.RequestContext.HTTP.Method = http.MethodPost
		evs = append(evs, hook)
	default:
		for _, body := range wakeups {
			evs = append(evs, devlambda.SQSEvent("dev-"+function, []queue.Delivery{{Body: body, Receives: 1}}))
		}
		if len(wakeups) == 0 {
			evs = append(evs, map[string]any{"Records": []any{}})
		}
	}
	return evs
}

// run invokes every function with its events, and closes with what was logged.
func (x *exposure) run(wakeups map[string][]string) {
	x.t.Helper()
	var all sync.WaitGroup // most of the time is spent waiting for repeated attempts
	for _, f := range resource.Functions() {
		if f.Optional || !slices.Contains(f.Layers, x.layer) || len(x.only) > 0 && !slices.Contains(x.only, f.Name) {
			continue
		}
		evs := x.events(f.Name, wakeups[f.Name])
		if wakeups == nil { // it does not even start
			evs = evs[:min(2, len(evs))]
		}
		for part := range slices.Chunk(evs, 2) {
			all.Go(func() { x.invoke(f.Name, part...) })
		}
	}
	all.Wait()
	for _, line := range x.logs.lines("") {
		x.clean("the log", line)
	}
	if x.ran.Load() == 0 || len(x.logs.lines("")) == 0 {
		x.t.Error("nothing was invoked or logged: the search proves nothing")
	}
}
