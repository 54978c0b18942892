package e2e_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

const mega = 1 << 20

// worstParts are values that take far more memory when they are decoded than as text, and such as are just long: what
// stands before, what is repeated, what stands behind.
var worstParts = map[string][3]string{
	"numbers":        {"[", "0,", "0]"},
	"objects":        {"[", "{},", "{}]"},
	"felts":          {"[", `"0x1",`, `"0x1"]`},
	"keys":           {"{", `"":{},`, `"":0}`},
	"lists in lists": {"", "[", ""},
	"one word":       {`"`, "0", `"`},
	"one hex word":   {`"0x`, "00", `"`},
	"records":        {"[", `{"transaction_hash":"0x1","events":[]},`, `{}]`},
}

// worst is a service whose every answer is as large as its client takes, in another shape each time, every second one
// compressed. It answers what clients ask first (chain id, version) as they want it, so that they go on.
type worst struct {
	*httptest.Server
	size    int // bytes of an answer
	answers atomic.Int64
}

func newWorst(t *testing.T, size int, chainID string, wrap func(value string) string) *worst {
	t.Helper()
	w := &worst{size: size}
	kinds := make([]string, 0, len(worstParts))
	for k := range worstParts {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, mega)) // of a caller that has gone: nothing to report
		if answer := handshake(body, chainID); answer != "" {
			_, _ = io.WriteString(rw, answer)
			return
		}
		n := int(w.answers.Add(1))
		part := worstParts[kinds[n/2%len(kinds)]]
		head, tail, _ := strings.Cut(wrap(envelope(body)), "*")
		text := func(to io.Writer) {
			_, _ = io.WriteString(to, head+part[0])
			chunk := []byte(strings.Repeat(part[1], max(1, 64<<10/len(part[1]))))
			for left := w.size - len(head) - len(tail) - 64; left > len(chunk); left -= len(chunk) {
				if _, err := to.Write(chunk); err != nil {
					return // the client has enough
				}
			}
			_, _ = io.WriteString(to, part[2]+tail)
		}
		rw.Header().Set("Content-Type", "application/json")
		if n%2 == 0 || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			text(rw)
			return
		}
		rw.Header().Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(rw, gzip.BestSpeed)
		text(z)
		_ = z.Close()
	}))
	t.Cleanup(w.Close)
	return w
}

// envelope is the JSON-RPC answer to a request with a star where the result belongs; just the star for what is no
// JSON-RPC.
func envelope(body []byte) string {
	var one struct{ ID json.RawMessage }
	var many []struct{ ID json.RawMessage }
	if json.Unmarshal(body, &one) == nil && one.ID != nil {
		return `{"jsonrpc":"2.0","id":` + string(one.ID) + `,"result":*}`
	}
	if json.Unmarshal(body, &many) == nil && len(many) > 0 {
		return `[{"jsonrpc":"2.0","id":` + string(many[0].ID) + `,"result":*}]`
	}
	return "*"
}

// handshake is the answer to a JSON-RPC request that a client makes before others; "" to other requests.
func handshake(body []byte, chainID string) string {
	var call struct {
		ID     json.RawMessage
		Method string
	}
	if json.Unmarshal(body, &call) != nil {
		return ""
	}
	result, ok := map[string]string{
		"eth_chainId": chainID, "starknet_chainId": chainID, "starknet_specVersion": "0.9.0", "eth_blockNumber": "0x20",
	}[call.Method]
	if !ok {
		return ""
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%q}`, call.ID, result)
}

// worstBucket is S3 whose every object is size bytes of a list of felts; other services of AWS take everything.
func worstBucket(t *testing.T, size int) string {
	t.Helper()
	object := bytes.Repeat([]byte(`"0x1",`), size/6)
	object[0], object[1] = '[', ' '
	object[2], object[3], object[4], object[5] = ' ', ' ', ' ', ' '
	copy(object[len(object)-6:], `"0x1"]`)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/schedules"): // EventBridge Scheduler, the other service with paths
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "{}")
		case r.Method == http.MethodGet, r.Method == http.MethodHead:
			w.Header().Set("Content-Length", fmt.Sprint(len(object)))
			w.Header().Set("ETag", `"e"`)
			if r.Method == http.MethodGet {
				_, _ = w.Write(object)
			}
		default:
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			_, _ = io.WriteString(w, "{}")
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// The compiled functions, ended by the system when they take more than their Lambda memory, are answered by everybody
// with the worst that passes the byte limits, compressed and not: each invocation ends with an error or an answer, no
// job is lost, and no function takes three quarters of its memory.
func TestMemoryUnderLimit(t *testing.T) {
	t.Parallel()
	for _, layer := range []stage.Layer{stage.L2, stage.L3} {
		t.Run(string(layer), func(t *testing.T) {
			t.Parallel()
			plain := func(v string) string { return v }
			chain := newWorst(t, 16*mega-64<<10, "0x534e5f444556", plain) // SN_DEV
			id := map[stage.Layer]string{stage.L2: "0x5", stage.L3: "0x534e5f444556"}[layer]
			settles := newWorst(t, 4*mega-64<<10, id, plain)
			prover := newWorst(t, 8*mega-64<<10, "",
				func(string) string { return `{"bucket":{"id":"bucket","status":"DONE"},"queries":*}` })
			runner := newWorst(t, mega-64<<10, "", func(string) string { return `{"state":"succeeded","detail":*}` })
			x := newExposure(t, layer, prover.URL, tools.Mongod(t))
			maps.Copy(x.settings, map[string]string{
				"CHAIN_RPC_SECRET":        x.secret("node", chain.URL),
				"CHAIN_BACKUP_RPC_SECRET": x.secret("backup", chain.URL),
				"CHAIN_FEEDER_GATEWAY":    chain.URL, "SETTLEMENT_RPC_SECRET": x.secret("layer", settles.URL),
				"SNOS_URL": runner.URL, "AWS_ENDPOINT": worstBucket(t, 24*mega), "LOG_LEVEL": "info",
			})
			db, err := mongodb.Connect(
				mongodb.Config{URI: tools.Mongod(t), Database: "orchestrator_" + x.settings["CHAIN_NAME"]})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close(context.WithoutCancel(t.Context())) }()
			wakeups := x.jobs(t.Context(), db)
			var all sync.WaitGroup // most of the time is spent waiting for repeated attempts
			for _, f := range resource.Functions() {
				if slices.Contains(f.Layers, layer) && f.Name != resource.FnJobFailure && !f.Optional {
					all.Go(func() { x.underLimit(f, x.events(f.Name, wakeups[f.Name])) })
				}
			}
			all.Wait()
			for _, line := range x.logs.lines("") {
				var entry struct{ Level, Msg, Time string }
				if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level == "" || entry.Time == "" {
					t.Errorf("a line of the log is not one JSON object with a level (%v): %.300s", err, line)
				}
			}
			for name, w := range map[string]*worst{
				"chain": chain, "settlement layer": settles, "prover": prover, "runner": runner,
			} {
				if w.answers.Load() == 0 {
					t.Errorf("the %s was not asked: this shows nothing of its answers", name)
				}
			}
			x.unharmed(db)
		})
	}
}

// underLimit invokes one process of a function for all events, under the function's memory.
func (x *exposure) underLimit(f resource.Function, evs []any) {
	x.t.Helper()
	bin, err := build()
	if err != nil {
		x.t.Error(err)
		return
	}
	env := []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=" + devcloud.Region}
	for k, v := range x.settings {
		env = append(env, config.Prefix+k+"="+v)
	}
	b := &devlambda.Binary{Path: filepath.Join(bin, f.Name), Name: f.Name, Env: env, Logs: x.logs,
		Timeout: time.Minute, Limited: true}
	failed := 0
	for _, e := range evs {
		raw, err := json.Marshal(e)
		if err != nil {
			x.t.Error(err)
			return
		}
		out, err := b.Invoke(x.t.Context(), raw)
		if err != nil && strings.Contains(err.Error(), "process ended") {
			x.t.Errorf("%s ended at %.200s: %v\n%s", f.Name, raw, err,
				strings.Join(x.logs.lines("fatal", "out of memory"), "\n"))
			return
		}
		if err != nil || bytes.Contains(out, []byte("itemIdentifier")) ||
			bytes.Contains(out, []byte(`"statusCode":5`)) {
			failed++
		}
	}
	b.Close()
	peak := int(b.PeakMemory() / mega)
	x.t.Logf("| %s | %s | %d | %d | %d %% | %d of %d failed |",
		x.layer, f.Name, f.MemoryMB, peak, 100*peak/f.MemoryMB, failed, len(evs))
	if peak == 0 || peak >= f.MemoryMB*3/4 {
		x.t.Errorf("%s took %d MB, it has %d", f.Name, peak, f.MemoryMB)
	}
}

// unharmed wants every job to wait for its next try: nothing that others answered may end one.
func (x *exposure) unharmed(db *mongodb.DB) {
	x.t.Helper()
	jobs := 0
	for _, kind := range job.Types {
		js, err := db.Jobs().List(x.t.Context(), job.Filter{Type: kind, Limit: job.MaxPage})
		if err != nil {
			x.t.Fatal(err)
		}
		for _, j := range js {
			jobs++
			if j.Status.NeedsOperator() || j.Status != job.Completed && j.NextAction == job.None {
				x.t.Errorf("%s job of batch %d is %s: %+v", j.Type, j.Batch, j.Status, j.Failures)
			}
		}
	}
	if jobs == 0 {
		x.t.Error("there are no jobs")
	}
}
