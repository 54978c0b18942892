package atlantic_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	fakeatlantic "github.com/madara-orchestrator/orchestrator/shared/dev/fake/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

// endless is a PIE that takes no memory.
type endless struct{ at int64 }

// Read implements io.Reader.
func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	if e.at == 0 {
		copy(p, "PK")
	}
	e.at += int64(len(p))
	return len(p), nil
}

// TestLargePIE sends 200 MB up and gets them back; all that both sides allocate on the way stays far below. It runs
// alone, because it measures the process.
func TestLargePIE(t *testing.T) {
	const size, most = 200 << 20, 24 << 20
	var got int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/atlantic-query-by-dedup-id"):
			say(w, 404, `{"message":"ATLANTIC_QUERY_NOT_FOUND"}`)
		case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/queries"):
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = io.CopyN(w, &endless{}, size)
		case r.Method == http.MethodPost:
			_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
			form := multipart.NewReader(r.Body, params["boundary"])
			for part, err := form.NextPart(); err == nil; part, err = form.NextPart() {
				if part.FileName() != "" {
					got, _ = io.Copy(io.Discard, part)
				}
			}
			say(w, 201, `{"atlanticQueryId":"01A"}`)
		}
	}))
	defer s.Close()
	p, err := atlantic.New(atlantic.Config{URL: s.URL, ArtifactsURL: s.URL, APIKey: key, Network: atlantic.Testnet,
		Settlement: atlantic.Ethereum}, atlantic.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	r := child("large", []byte("x"))
	r.InputSize = size
	r.Input = func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(&endless{}, size)), nil
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if task, err := p.Submit(t.Context(), r); err != nil || task != "01A" || got != size {
		t.Fatalf("Submit = %q, %v; the server read %d bytes", task, err, got)
	}
	body, err := p.Fetch(t.Context(), "01A", proof.PIE)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, body); err != nil || n != size {
		t.Errorf("fetched %d bytes, %v", n, err)
	}
	body.Close()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > most {
		t.Errorf("%d bytes were allocated for two streams of %d, at most %d are to be", n, size, most)
	}
}

// TestInput_Length: an input that is not as long as announced starts nothing, and the request is not at fault.
func TestInput_Length(t *testing.T) {
	t.Parallel()
	s := start(t, fakeatlantic.Config{})
	p, w := client(t, s)
	for name, d := range map[string]int64{"Shorter": 10, "Longer": -10} {
		r := child(name, zipped())
		r.InputSize += d
		if task, err := p.Submit(t.Context(), r); err == nil || errors.Is(err, proof.ErrRejected) {
			t.Errorf("%s: Submit = %q, %v", name, task, err)
		}
	}
	if s.Started() != 0 || len(w.list()) != 0 {
		t.Errorf("%d queries, pauses %v; want none", s.Started(), w.list())
	}
}

// TestFetch_OutputOfPIE reads the program output out of a real PIE, as there is no documented file of it.
func TestFetch_OutputOfPIE(t *testing.T) {
	t.Parallel()
	words := []felt.Felt{felt.FromUint64(1), felt.MustHex("0xabc"), felt.MinusOne()}
	var b bytes.Buffer
	err := pie.Write(&b,
		&pie.PIE{Program: pie.Program{Data: words, Builtins: []string{"output"}}, Output: words, Steps: 3})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t,
		fakeatlantic.Config{Aggregate: func(context.Context, fakeatlantic.Bucket) (fakeatlantic.Aggregated, error) {
			return fakeatlantic.Aggregated{PIE: b.Bytes(), DASegment: []byte("[]"), Output: []byte("[]")}, nil
		}})
	p, _ := client(t, s)
	task := aggregated(t, p)
	got, err := content(t, p, task, proof.ProgramOutput)
	want := fmt.Sprintf(`["0x1","0xabc","%s"]`, felt.MinusOne())
	if err != nil || got != want {
		t.Errorf("output is %s, %v; want %s", got, err, want)
	}
	small, _ := client(t, s, func(c *atlantic.Config) { c.MaxArtifact = int64(b.Len()) - 1 })
	if _, err := content(t, small, task, proof.PIE); err == nil {
		t.Error("a PIE beyond MaxArtifact is fetched")
	}
	if _, err := content(t, small, task, "photo"); err == nil || errors.Is(err, artifact.ErrCorrupt) {
		t.Errorf("another artifact: %v", err)
	}
}
