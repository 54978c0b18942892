package sharp_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/sharp"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof/prooftest"
	fakesharp "github.com/madara-orchestrator/orchestrator/shared/dev/fake/sharp"
)

const customer = "customer-7"

// facts is a fact registry in memory.
type facts struct {
	mu      sync.Mutex
	valid   map[string]bool
	all     bool // every fact is valid
	failure error
}

func (f *facts) Valid(_ context.Context, asked []string) ([]bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []bool
	for _, a := range asked {
		out = append(out, f.all || f.valid[a])
	}
	return out, f.failure
}

func (f *facts) set(change func(*facts)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func start(t *testing.T, c fakesharp.Config) *fakesharp.Server {
	t.Helper()
	c.CustomerID = customer
	s, err := fakesharp.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the fake: %v", err)
		}
	})
	return s
}

func config(s *fakesharp.Server) sharp.Config {
	c := s.Credentials()
	return sharp.Config{
		URL: s.URL(), CustomerID: customer, ClientCert: c.ClientCert, ClientKey: c.ClientKey,
		ServerCert: c.ServerCert, Proofs: true,
	}
}

// pauses records what a client waits for, without waiting.
type pauses struct {
	mu  sync.Mutex
	all []time.Duration
}

func (p *pauses) sleep(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, d)
	return ctx.Err()
}

func client(t *testing.T, s *fakesharp.Server, f proof.FactChecker, change ...func(*sharp.Config)) *sharp.Prover {
	t.Helper()
	c, w := config(s), &pauses{}
	for _, f := range change {
		f(&c)
	}
	p, err := sharp.New(c, f, sharp.Deps{Sleep: w.sleep})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// zipped is a zip, which is all that the fake requires of a PIE.
var zipped = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("memory.bin")
	if err == nil {
		_, err = f.Write([]byte("content"))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
})

func child(dedup string) proof.Request {
	return proof.Request{
		Kind: proof.Child, DedupID: dedup, Batch: 7, InputSize: int64(len(zipped())), Fact: prooftest.Fact(1),
		Input: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(zipped())), nil },
	}
}

func aggregation(dedup string, children ...string) proof.Request {
	r := child(dedup)
	r.Kind, r.Children, r.Fact = proof.Aggregation, children, prooftest.Fact(9)
	return r
}

func submit(t *testing.T, p *sharp.Prover, r proof.Request) string {
	t.Helper()
	task, err := p.Submit(t.Context(), r)
	if err != nil {
		t.Fatalf("Submit of %s: %v", r.DedupID, err)
	}
	return task
}

func state(t *testing.T, p *sharp.Prover, task string) proof.Progress {
	t.Helper()
	g, err := p.Status(t.Context(), task)
	if err != nil {
		t.Fatalf("Status of %s: %v", task, err)
	}
	return g
}

// key is the job key of a task.
func key(task string) string {
	rest, _ := strings.CutPrefix(task, "applicative/")
	k, _, _ := strings.Cut(rest, "/")
	return k
}

func documented(t *testing.T, s *fakesharp.Server) {
	t.Helper()
	for _, v := range s.Violations() {
		t.Errorf("not as documented: %s", v)
	}
}
