package atlantic_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof/prooftest"
	fakeatlantic "github.com/madara-orchestrator/orchestrator/shared/dev/fake/atlantic"
)

const key = "hunter2-the-api-key"

// start starts a fake of Atlantic.
func start(t *testing.T, c fakeatlantic.Config) *fakeatlantic.Server {
	t.Helper()
	c.APIKey = key
	s, err := fakeatlantic.Start(c)
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

// pauses records what a client waits for, without waiting.
type pauses struct {
	mu  sync.Mutex
	all []time.Duration
}

func (p *pauses) sleep(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	p.all = append(p.all, d)
	p.mu.Unlock()
	return ctx.Err()
}

func (p *pauses) list() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]time.Duration(nil), p.all...)
}

func config(s *fakeatlantic.Server) atlantic.Config {
	return atlantic.Config{
		URL: s.URL(), ArtifactsURL: s.ArtifactsURL(), APIKey: key, Network: atlantic.Testnet,
		Settlement: atlantic.Ethereum,
	}
}

// client is a client of a fake that does not wait between attempts.
func client(t *testing.T, s *fakeatlantic.Server, change ...func(*atlantic.Config)) (*atlantic.Prover, *pauses) {
	t.Helper()
	c, w := config(s), &pauses{}
	for _, f := range change {
		f(&c)
	}
	p, err := atlantic.New(c, atlantic.Deps{Sleep: w.sleep})
	if err != nil {
		t.Fatal(err)
	}
	return p, w
}

// zipped is a zip, which is all that the fake requires of a PIE.
var zipped = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("memory.bin")
	if err == nil {
		_, err = f.Write([]byte("content"))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err)
	}
	return b.Bytes()
})

// child is a request of a child.
func child(dedup string, input []byte) proof.Request {
	return proof.Request{
		Kind: proof.Child, DedupID: dedup, Batch: 7, Steps: 14_000_000,
		InputSize: int64(len(input)), Fact: prooftest.Fact(1),
		Input: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(input)), nil },
	}
}

func documented(t *testing.T, s *fakeatlantic.Server) {
	t.Helper()
	for _, v := range s.Violations() {
		t.Errorf("not as documented: %s", v)
	}
}

// ended asks until a task has ended.
func ended(t *testing.T, p *atlantic.Prover, task string) proof.Progress {
	t.Helper()
	for range 100 {
		g, err := p.Status(t.Context(), task)
		if err != nil {
			t.Fatalf("Status of %s: %v", task, err)
		}
		if g.State != proof.InProgress {
			return g
		}
	}
	t.Fatalf("%s does not end", task)
	return proof.Progress{}
}

func content(t *testing.T, p *atlantic.Prover, task string, a proof.Artifact) (string, error) {
	t.Helper()
	r, err := p.Fetch(t.Context(), task, a)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}
