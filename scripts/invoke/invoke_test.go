package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil { // where make runs the program
		panic(err)
	}
	code := m.Run()
	tools.Stop()
	os.Exit(code)
}

const (
	firstID = "00000000000000000000000000000001"
	sixthID = "00000000000000000000000000000006"
)

// TestWants reads what sample events are about.
func TestWants(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]map[string]wanted{
		// The sandbox's queues are SQS's: the function says so.
		"kafka/snosrun_process.json":             {},
		"sqs/snosrun_process.json":               {firstID: {of: job.SnosRun, action: job.Process}},
		"sqs/statetransition_verify.json":        {sixthID: {of: job.StateTransition, action: job.Verify}},
		"sqs/trigger_priority_process.json":      {firstID: {of: job.SnosRun, action: job.Process}},
		"sqs/snosrun_malformed.json":             {firstID: {of: job.SnosRun, action: job.Process}}, // and a bad one
		"sqs/trigger_wakeup.json":                {},
		"http/api_health.json":                   {},
		"http/api_batch.json":                    {noID: {of: job.SnosRun, action: job.Process}},
		"http/api_job.json":                      {firstID: {of: job.SnosRun, action: job.Process}},
		"http/hooks_prover.json":                 {firstID: {of: job.ProofCreation, action: job.Verify}},
		"eventbridge/trigger_SnosBatching.json":  {},
		"eventbridge/trigger_ProofCreation.json": {},
	} {
		event, err := os.ReadFile(filepath.Join("events", file))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := wants(event); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %+v (%v), want %+v", file, got, err, want)
		}
	}
	if _, err := wants([]byte(`[]`)); err == nil {
		t.Error("a list was taken for an event")
	}
}

// TestLayerOf finds a layer whose deployments have every type of job.
func TestLayerOf(t *testing.T) {
	t.Parallel()
	for _, of := range job.Types {
		if l := layerOf(map[string]wanted{firstID: {of: of}}); !l.Has(of) {
			t.Errorf("%s: layer %s does not have it", of, l)
		}
	}
}

// TestRewritten puts a job's own id, generation and trace into events, and leaves the rest.
func TestRewritten(t *testing.T) {
	t.Parallel()
	const here, trace = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "0af7651916cd43dd8448eb211c80319c"
	j := job.Job{ID: here, Type: job.StateTransition, Generation: 9, TraceID: trace}
	for name, c := range map[string]struct{ event, want string }{
		"queue": {
			`{"Records":[{"messageId":"m","body":"{\"job_id\":\"` + sixthID + `\",\"job_type\":\"StateTransition\",` +
				`\"action\":\"verify\",\"generation\":2}"},{"body":"none"}]}`,
			`{"Records":[{"body":"{\"job_id\":\"` + here + `\",\"job_type\":\"StateTransition\",` +
				`\"action\":\"verify\",\"generation\":9,\"trace_id\":\"` + trace +
				`\"}","messageId":"m"},{"body":"none"}]}`},
		"path":  {`{"rawPath":"/jobs/` + sixthID + `/retry","n":1}`, `{"n":1,"rawPath":"/jobs/` + here + `/retry"}`},
		"other": {`{"rawPath":"/batches/1"}`, `{"rawPath":"/batches/1"}`},
	} {
		got, err := rewritten([]byte(c.event), map[string]job.Job{sixthID: j})
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s (%v)\nwant %s", name, got, err, c.want)
		}
	}
}

// TestJudge decides by answer and jobs whether an invocation failed, and shows the jobs within 80 columns.
func TestJudge(t *testing.T) {
	t.Parallel()
	now := time.Now()
	created := job.New(firstID, 1, &job.SnosRunMeta{}, "", now.Add(-time.Minute))
	submitted := created
	submitted.Status, submitted.NextAction, submitted.DueAt = job.PendingVerification, job.Verify, now.Add(time.Hour)
	submitted.ExternalID = strings.Repeat("0123456789", 7)
	broken := created.FailedPermanently(now, errors.New("the PIE is empty"))
	delayed := created.FailedTransiently(now, errors.New("the runner is away"), job.Policy{})
	for name, c := range map[string]struct {
		answer        string
		before, after job.Job
		want          string // of the error; "" for none
	}{
		"submitted":         {`{"batchItemFailures":[]}`, created, submitted, ""},
		"nothing changed":   {`{"batchItemFailures":null}`, submitted, submitted, ""},
		"failed for good":   {`{"batchItemFailures":[]}`, created, broken, "the SnosRun job failed"},
		"failed for now":    {`{"batchItemFailures":[]}`, created, delayed, "the SnosRun job failed"},
		"had failed before": {`{"batchItemFailures":[]}`, broken, broken, ""},
		"message not taken": {`{"batchItemFailures":[{"itemIdentifier":"1"}]}`, created, created,
			"1 of the messages failed"},
		"refused over HTTP":    {`{"statusCode":409,"body":"{}"}`, created, created, "the answer is HTTP 409"},
		"answered over HTTP":   {`{"statusCode":200,"body":"{}"}`, created, created, ""},
		"no answer of a queue": {`null`, created, created, ""},
	} {
		var out bytes.Buffer
		err := judge([]byte(c.answer), stage.L2, map[string]job.Job{firstID: c.before},
			map[string]job.Job{firstID: c.after}, &out)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		for line := range strings.Lines(out.String()) {
			if len(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("%s: a line of %d columns: %s", name, len(line)-1, line)
			}
		}
		for _, part := range []string{firstID, "SNOS batch 1", "before", "after", string(c.after.Status)} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s: the table lacks %q:\n%s", name, part, out.String())
			}
		}
	}
}

// TestSandbox invokes real functions with sample events: what the event is about is there and due, the exit code says
// whether it failed.
func TestSandbox(t *testing.T) {
	t.Parallel()
	tools.Mongod(t) // where it is not installed the test is skipped
	for file, want := range map[string]struct {
		code int
		says []string
	}{
		"sqs/datasubmission_process.json":   {0, []string{"DataSubmission of SNOS batch 1", "PendingVerification"}},
		"sqs/trigger_priority_process.json": {0, []string{"SnosRun of SNOS batch 1", "PendingVerification"}},
		"sqs/snosrun_malformed.json":        {1, []string{"failed: 1 of the messages failed"}},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			fn, _, _ := strings.Cut(filepath.Base(file), "_")
			var out, log bytes.Buffer
			args := []string{"-fn", fn, "-event", filepath.Join("events", file)}
			if want.code != 0 {
				args = append(args, "-json")
			}
			code := run(t.Context(), args, &out, &log)
			if code != want.code || !json.Valid(out.Bytes()) {
				t.Errorf("exit code %d, want %d; printed %s", code, want.code, out.String())
			}
			var x struct {
				Answer     json.RawMessage `json:"answer"`
				Error      string          `json:"error"`
				DurationMs int64           `json:"duration_ms"`
			}
			if want.code != 0 && (json.Unmarshal(out.Bytes(), &x) != nil || len(x.Answer) == 0 || x.DurationMs == 0 ||
				"failed: "+x.Error != lastLine(log.String())) {
				t.Errorf("JSON without what failed: %s", out.String())
			}
			for _, s := range want.says {
				if !strings.Contains(log.String(), s) {
					t.Errorf("%q is missing in:\n%s", s, log.String())
				}
			}
		})
	}
}

// lastLine is the last line of a text.
func lastLine(text string) string {
	text = strings.TrimSuffix(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// What fails before the function runs is in the JSON too.
func TestJSONOfWhatNeverRan(t *testing.T) {
	t.Parallel()
	for file, says := range map[string]string{
		filepath.Join(t.TempDir(), "none.json"): "read the event", "go.mod": "want JSON",
	} {
		var out, log bytes.Buffer
		code := run(t.Context(), []string{"-fn", "snosrun", "-event", file, "-json"}, &out, &log)
		var x struct{ Error string }
		if err := json.Unmarshal(out.Bytes(), &x); err != nil || code != 1 || !strings.Contains(x.Error, says) ||
			"failed: "+x.Error != lastLine(log.String()) {
			t.Errorf("%s: %d, %v, printed %s and %s", file, code, err, out.String(), log.String())
		}
	}
}
