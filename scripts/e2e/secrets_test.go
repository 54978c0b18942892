package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// canaries are what must never be seen: values that occur nowhere else.
var canaries = map[string]string{
	"user":     "CANARYuser7d1f",
	"password": "CANARYpassword9b2e",
	"path":     "CANARYpath4c07c1d3",
	"query":    "CANARYquery81aa",
	"mongo":    "CANARYmongo52f3",
	"redis":    "CANARYredis6e90",
	"runner":   "CANARYrunner-token-0f4d",
	"prover":   "CANARYprover-key-77b1",
	"hook":     "CANARYhook-secret-a3c8d2f01e55",
	"wallet":   "0xc0ffee11c0ffee22c0ffee33c0ffee44c0ffee55c0ffee66c0ffee77c0ffee88",
	"stark":    "0x0c0ffee1c0ffee2c0ffee3c0ffee4c0ffee5c0ffee6c0ffee7c0ffee8c0ffee9",
	"aws":      "CANARYaws+secret/access0key",
	"otlp":     "CANARYotlp-token-5e2b",
}

// seen returns the canaries that a text holds, in the forms in which they travel.
func seen(text string) []string {
	low := strings.ToLower(text)
	var out []string
	for name, v := range canaries {
		forms := []string{v, strings.TrimPrefix(v, "0x"), url.QueryEscape(v),
			base64.StdEncoding.EncodeToString([]byte(v)), hex.EncodeToString([]byte(v))}
		if name == "user" {
			forms = append(forms, base64.StdEncoding.EncodeToString([]byte(v+":"+canaries["password"])))
		}
		if slices.ContainsFunc(forms, func(f string) bool { return strings.Contains(low, strings.ToLower(f)) }) {
			out = append(out, name)
		}
	}
	return out
}

// mirror is the worst of all services: whatever is asked, it answers with an error that repeats the whole request.
type mirror struct {
	*httptest.Server
	mu      sync.Mutex
	arrived map[string]bool // canaries that came
}

func newMirror(t *testing.T, status int) *mirror {
	t.Helper()
	m := &mirror{arrived: map[string]bool{}}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20)) // of a caller that has gone: nothing to report
		var all bytes.Buffer
		fmt.Fprintf(&all, "%s %s ", r.Method, r.URL)
		_ = r.Header.Write(&all)
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(&all, "%s:%s %s", user, password, body)
		m.mu.Lock()
		for _, c := range seen(all.String()) {
			m.arrived[c] = true
		}
		m.mu.Unlock()
		var call struct {
			ID json.RawMessage `json:"id"`
		}
		text := all.String()
		answer := map[string]any{"message": text, "error": text, "code": "BAD", "detail": text}
		if json.Unmarshal(body, &call) == nil && call.ID != nil { // JSON-RPC
			answer = map[string]any{"jsonrpc": "2.0", "id": call.ID,
				"error": map[string]any{"code": -32000, "message": text, "data": text}}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Reason", base64.StdEncoding.EncodeToString([]byte(text)))
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(m.Close)
	return m
}

// quietAWS is AWS that takes everything and holds nothing.
func quietAWS(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// keyed is a URL that carries keys wherever a URL can.
func keyed(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		panic(err) // of a server of ours
	}
	u.User = url.UserPassword(canaries["user"], canaries["password"])
	u.Path, u.RawQuery = "/v3/"+canaries["path"], "apikey="+canaries["query"]
	return u.String()
}

// refused is an address at which nobody listens while the test runs.
func refused(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", tools.Port(t))
}

// Functions whose surroundings are hostile or gone show no secret: not in logs, errors, answers or documents.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		layer  stage.Layer
		status int // of the mirror; 0: nobody listens
	}{
		{"l2, answers of 400", stage.L2, 400}, {"l2, answers of 200 with an error", stage.L2, 200},
		{"l3, answers of 401", stage.L3, 401}, {"l3, nobody listens", stage.L3, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			outside, arrived := "http://"+refused(t), map[string]bool(nil)
			if tt.status != 0 {
				m := newMirror(t, tt.status)
				outside, arrived = m.URL, m.arrived
			}
			x := newExposure(t, tt.layer, outside, tools.Mongod(t))
			db, err := mongodb.Connect(
				mongodb.Config{URI: tools.Mongod(t), Database: "orchestrator_" + x.settings["CHAIN_NAME"]})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close(context.Background()) }()
			// a loaded machine: the first connection may take more than its time
			for tries := 0; db.Ping(t.Context()) != nil; tries++ {
				if tries == 10 {
					t.Fatal("mongod does not answer")
				}
			}
			x.run(x.jobs(t.Context(), db))
			failures := 0
			for _, kind := range job.Types {
				js, err := db.Jobs().List(t.Context(), job.Filter{Type: kind, Limit: job.MaxPage})
				if err != nil {
					t.Fatal(err)
				}
				for _, j := range js {
					meta, err := job.EncodeMetadata(j.Metadata)
					if err != nil {
						t.Fatal(err)
					}
					failures += len(j.Failures)
					x.clean("job's document", fmt.Sprintf("%+v %s", j, meta))
				}
			}
			if failures == 0 {
				t.Error("no job failed: the search proves nothing")
			}
			if arrived != nil { // the secrets were used
				for _, c := range []string{"user", "path", "query", "runner", "prover", "otlp"} {
					if !arrived[c] {
						t.Errorf("canary %s was never sent anywhere", c)
					}
				}
			}
		})
	}
}

// A database that refuses the login, and secrets that are none, are reported without showing them.
func TestBrokenSecretsStaySecret(t *testing.T) {
	t.Parallel()
	login := strings.Replace(tools.Mongod(t), "mongodb://", "mongodb://"+canaries["user"]+":"+canaries["mongo"]+"@", 1)
	all := "mongodb://" + canaries["user"] + ":" + canaries["mongo"] + "@"
	for name, change := range map[string]func(*exposure){
		"login refused": func(x *exposure) { x.secret("mongo", login) },
		"database gone": func(x *exposure) {
			x.secret("mongo", all+refused(t)+"/")
			x.only = []string{resource.FnAPI, resource.FnHooks} // each function waits 5 s for the database
		},
		"database's URI is none": func(x *exposure) { x.secret("mongo", all+"[::1/%zz?tls=maybe") },
		"option is none": func(x *exposure) {
			x.secret("mongo", all+"localhost/?authMechanism="+canaries["password"])
		},
		"login's JSON is cut off": func(x *exposure) {
			x.secret("mongo", `{"username":"u","password":"`+canaries["mongo"])
		},
		"wallet's key is none": func(x *exposure) {
			x.settings["SETTLEMENT_KEY_SECRET"] = x.secret("wallet", canaries["wallet"]+"zz")
		},
		"wallet's key is too long": func(x *exposure) {
			x.secret("wallet", canaries["wallet"]+canaries["wallet"][2:])
		},
		"key of the prover has a line break":   func(x *exposure) { x.secret("prover", canaries["prover"]+"\nx: y") },
		"token of the runner has a line break": func(x *exposure) { x.secret("runner", canaries["runner"]+"\r\nx: y") },
		"hook's secret is short":               func(x *exposure) { x.secret("hook", canaries["hook"][:14]) },
		"no field of a JSON object": func(x *exposure) {
			x.secret("runner", canaries["runner"])
			x.settings["SNOS_TOKEN_SECRET"] += "#token"
		},
		"certificate is none": func(x *exposure) {
			for k := range x.settings {
				if strings.HasPrefix(k, "PROVER_") {
					delete(x.settings, k)
				}
			}
			maps.Copy(x.settings, map[string]string{
				"PROVER_KIND": config.Sharp, "PROVER_URL": "https://127.0.0.1:1", "PROVER_SHARP_CUSTOMER_ID": "c",
				"PROVER_SHARP_CLIENT_CERT_SECRET": x.secret("cert",
					"-----BEGIN CERTIFICATE-----\n"+canaries["prover"]+"\n-----END CERTIFICATE-----"),
				"PROVER_SHARP_CLIENT_KEY_SECRET": x.secret("key",
					"-----BEGIN PRIVATE KEY-----\n"+canaries["wallet"]+"\n-----END PRIVATE KEY-----"),
			})
		},
		"URLs are none": func(x *exposure) {
			bad := "http://" + canaries["user"] + ":" + canaries["password"] + "@127.0.0.1:port/" +
				canaries["path"] + "?k=" + canaries["query"]
			for _, k := range []string{"CHAIN_RPC", "CHAIN_BACKUP_RPC", "CHAIN_FEEDER_GATEWAY", "SETTLEMENT_RPC",
				"SNOS_URL", "PROVER_URL", "AWS_ENDPOINT", "REDIS_URL"} {
				x.settings[k] = bad
			}
			x.settings["MONGO_URI"] = all + "x"
		},
		"Redis URL is none": func(x *exposure) {
			x.secret("redis", "redis://:"+canaries["redis"]+"@127.0.0.1:port/x")
		},
		"Redis URL of another scheme": func(x *exposure) {
			x.secret("redis", "http://:"+canaries["redis"]+"@127.0.0.1:1")
		},
		"a node's URL is none": func(x *exposure) { x.secret("node", "ftp://127.0.0.1:1/"+canaries["path"]) },
		"another node's URL is none": func(x *exposure) {
			x.secret("layer", "http://127.0.0.1:port/"+canaries["path"])
		},
		"URLs with keys in plain": func(x *exposure) {
			for _, k := range []string{"CHAIN_RPC", "CHAIN_BACKUP_RPC", "SETTLEMENT_RPC",
				"REDIS_URL", "SNOS_URL", "PROVER_URL"} {
				delete(x.settings, k+"_SECRET")
				x.settings[k] = keyed("http://127.0.0.1:1")
			}
		},
		"URI where a name belongs": func(x *exposure) { x.settings["MONGO_URI_SECRET"] = all + "localhost" },
		"key where a name belongs": func(x *exposure) {
			x.settings["SETTLEMENT_KEY_SECRET"] = canaries["wallet"]
		},
		"Stark key where a name belongs": func(x *exposure) {
			x.settings["SETTLEMENT_KEY_SECRET"] = canaries["stark"][2:]
		},
		"PEM where a name belongs": func(x *exposure) {
			x.settings["PROVER_KEY_SECRET"] = "-----BEGIN PRIVATE KEY-----\n" + canaries["prover"]
		},
		"JSON where a name belongs": func(x *exposure) {
			x.settings["MONGO_URI_SECRET"] = `{"password":"` + canaries["mongo"] + `"}`
		},
		"key where a file belongs": func(x *exposure) {
			delete(x.settings, "SETTLEMENT_KEY_SECRET")
			x.settings["SETTLEMENT_KEY_FILE"] = canaries["wallet"]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newExposure(t, stage.L2, "http://"+refused(t), tools.Mongod(t))
			change(x)
			x.run(nil)
		})
	}
}
