package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/functions"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// before is the build that upgrades are rehearsed from: the last one of release 0.1.
const before = "5030cc5"

// buildBefore compiles the functions of the build before, from a work tree of its commit.
func buildBefore(t *testing.T) string {
	t.Helper()
	if os.Getenv("ORCHESTRATOR_REHEARSE") == "" {
		t.Skip("`make rehearse` runs this: it compiles the functions of commit " + before)
	}
	found, err := tools.Tools()
	if err != nil {
		t.Fatal(err)
	}
	root, tree := filepath.Dir(found), filepath.Join(t.TempDir(), "before")
	git := func(args ...string) {
		if out, err := exec.Command("git", append([]string{"-C", root}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v: %s", args, err, out)
		}
	}
	git("worktree", "add", "-q", "--detach", tree, before)
	t.Cleanup(func() { git("worktree", "remove", "--force", tree) })
	dir, err := functions.Compile(t.Context(), tree, functions.Here(false))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var (
	// namedWorkers are the names that the build before has for stages that are called otherwise now.
	namedWorkers = map[stage.Name]string{stage.SnosRun: "Snos", stage.ProofCreation: "Proving",
		stage.StateTransition: "UpdateState"}
	// laterSettings are those that it refuses on an L2.
	laterSettings = []string{"CHAIN_WEBSOCKET", "SETTLEMENT_ADDRESS"}
)

// schedules turns the events of today's schedules into those of the build before.
type schedules struct{ devlambda.Function }

// Invoke implements devlambda.Function.
func (s schedules) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	var e struct {
		Stage stage.Name `json:"stage"`
	}
	if json.Unmarshal(event, &e) == nil && e.Stage != "" {
		worker := string(e.Stage)
		if was, ok := namedWorkers[e.Stage]; ok {
			worker = was
		}
		event, _ = json.Marshal(map[string]string{"worker": worker})
	}
	return s.Function.Invoke(ctx, event)
}

// useBefore has the platform run the functions of the build before, and returns what brings today's back.
func (w *world) useBefore(t *testing.T, dir string) (back func()) {
	t.Helper()
	var env []string
	for _, e := range w.Env {
		name, _, _ := strings.Cut(e, "=")
		if own, ours := strings.CutPrefix(name, config.Prefix); !ours || !slices.Contains(laterSettings, own) {
			env = append(env, e)
		}
	}
	env = append(env, config.Prefix+"CHAIN_RPC="+w.nodeBefore(t))
	today, binaries := maps.Clone(w.platform.Functions), maps.Clone(w.binaries)
	for name := range today {
		b := &devlambda.Binary{Path: filepath.Join(dir, name), Name: name, Env: env, Logs: w.logs,
			Timeout: w.platform.Timeouts[name]}
		t.Cleanup(b.Close)
		w.binaries[name], w.platform.Functions[name] = b, b
		if name == resource.FnTrigger {
			w.platform.Functions[name] = schedules{b}
		}
	}
	return func() { w.platform.Functions, w.binaries = today, binaries }
}

// nodeBefore is the app chain's node as nodes were for the build before: it takes the parameter of
// starknet_getStateUpdate in a list, which a node of the API's version 0.10.1 refuses.
func (w *world) nodeBefore(t *testing.T) string {
	t.Helper()
	node, err := url.Parse(w.Chain.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(node)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	listed := regexp.MustCompile(`("method":\s*"starknet_getStateUpdate"[^{}\[\]]*"params":\s*)` +
		`\[(\{[^{}]*\}|"[a-z_]+")\]`)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		b = listed.ReplaceAll(b, []byte(`${1}{"block_id":${2}}`))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		r.Host = node.Host
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// settledBlock is the last block that the contract has.
func (w *world) settledBlock(ctx context.Context) (uint64, bool) {
	s, err := w.Contract.State(ctx, false)
	return s.Block, err == nil && s.Settled
}

// Today's build has batches under way when the one before is deployed again: what it does to them is what
// infra/README.md promises, and the next deployment of today's build goes on and settles each batch once.
func TestRehearseRollback(t *testing.T) {
	t.Parallel()
	dir := buildBefore(t)
	w := newWorld(t, stack.Options{Name: "e2e-rollback", Blocks: 26})
	w.during(t, 4*time.Minute, func(ctx context.Context) bool {
		n, ok := w.settledBlock(ctx)
		return ok && n < w.Last
	})
	held := w.jobs(t)
	back := w.useBefore(t, dir)
	until := time.Now().Add(40 * time.Second)
	w.during(t, time.Minute, func(context.Context) bool { return time.Now().After(until) })
	if refused := w.logs.lines("another schema"); len(refused) == 0 {
		t.Error("the build before does not say that documents have another schema")
	}
	for id, j := range w.jobs(t) {
		if was, ok := held[id]; ok && was.Version != j.Version {
			t.Errorf("the build before changed the %s job of batch %d from version %d to %d", j.Type, j.Batch,
				was.Version, j.Version)
		}
	}
	back()
	w.settle(t, 4*time.Minute, nil)
	settledOnce(t, w, 1, 0)
}

// jobs are all jobs by their ids.
func (w *world) jobs(t *testing.T) map[string]job.Job {
	t.Helper()
	out := map[string]job.Job{}
	for _, jt := range job.Types {
		js, err := w.DB.Jobs().List(t.Context(), job.Filter{Type: jt, Limit: job.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range js {
			out[j.ID] = j
		}
	}
	return out
}

// The build before writes a database, with batches in proving or settled, when today's takes over: it settles the rest,
// each batch once. The hour for which the build before keeps the wallet (infra/README.md) is not waited for.
func TestRehearseUpgrade(t *testing.T) {
	t.Parallel()
	dir := buildBefore(t)
	for name, reached := range map[string]func(context.Context, *world) bool{
		"proving": func(ctx context.Context, w *world) bool {
			n, err := w.DB.Jobs().Count(ctx, job.ProofCreation, []job.Status{job.Completed}, 1)
			return err == nil && n[job.Completed] > 0
		},
		"settling": func(ctx context.Context, w *world) bool {
			n, ok := w.settledBlock(ctx)
			return ok && n < w.Last
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chain := "e2e-upgrade-" + name
			w := newWorld(t, stack.Options{Name: chain, Blocks: 26, Version: "0.14.1"})
			back := w.useBefore(t, dir)
			w.during(t, 4*time.Minute, func(ctx context.Context) bool { return reached(ctx, w) })
			under := 0
			for _, j := range w.jobs(t) {
				if j.NextAction != job.None {
					under++
				}
			}
			if under == 0 {
				t.Error("the build before leaves nothing under way: this rehearses nothing")
			}
			t.Logf("the build before leaves %d jobs under way", under)
			back()
			endWalletLease(t, chain)
			w.settle(t, 4*time.Minute, nil)
			settledOnce(t, w, 1, 0)
		})
	}
}

// endWalletLease ends what a job of the build before has of the wallet.
func endWalletLease(t *testing.T, chain string) {
	t.Helper()
	wallet := bson.D{{Key: "_id", Value: bson.D{{Key: "$regex", Value: "^wallet/"}}}}
	over := bson.D{{Key: "$set", Value: bson.D{{Key: "expires_at", Value: bson.NewDateTimeFromTime(time.Now())}}}}
	if _, err := connect(t).Database("orchestrator_"+chain).Collection("locks").UpdateMany(t.Context(), wallet,
		over); err != nil {
		t.Fatal(err)
	}
}
