package setup_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/httprunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/stone"
)

// repeated is a text of head, a part again and again up to size bytes, and tail. It takes no memory.
func repeated(head, part string, size int64, tail string) io.Reader {
	return io.MultiReader(strings.NewReader(head),
		io.LimitReader(&again{part: strings.Repeat(part, 1+4096/len(part))}, size/int64(len(part))*int64(len(part))),
		strings.NewReader(tail))
}

type again struct {
	part string
	at   int
}

// Read implements io.Reader.
func (a *again) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m := copy(p[n:], a.part[a.at:])
		n, a.at = n+m, (a.at+m)%len(a.part)
	}
	return n, nil
}

// stored is a store with one artifact, made again for each reader.
type stored struct {
	artifact.Store
	open func() io.Reader
}

// Get implements artifact.Store.
func (s stored) Get(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(s.open()), nil
}

// answering is a server whose every answer is the text.
func answering(t *testing.T, text func() io.Reader) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.Copy(w, text()) // the client goes when it has enough
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// decoded is one thing from outside that a function decodes.
type decoded struct {
	function string
	texts    map[string]func() io.Reader
	decode   func(t *testing.T, text func() io.Reader) error
}

const mega = 1 << 20

// texts are worst texts: many small elements, or one large, at some place of an object.
func texts(size int64, places ...string) map[string]func() io.Reader {
	out := map[string]func() io.Reader{
		"a string": func() io.Reader { return repeated(`{"x":"`, "0", size, `"}`) },
		"a number": func() io.Reader { return repeated(`{"x":`, "1", size, `}`) },
		"lists":    func() io.Reader { return repeated(``, "[", size, ``) },
		"keys":     func() io.Reader { return repeated(`{`, `"":{},`, size, `"":0}`) },
		"a list":   func() io.Reader { return repeated(`[`, `{},`, size, `{}]`) },
		"nulls":    func() io.Reader { return repeated(`[`, `null,`, size, `null]`) },
	}
	for _, place := range places {
		head, tail, _ := strings.Cut(place, "*")
		for name, part := range map[string]string{"objects": "{}", "nulls": "null", "felts": `"0x1"`, "numbers": "0"} {
			out[name+" at "+place] = func() io.Reader { return repeated(head, part+",", size, part+tail) }
		}
		out["a string at "+place] = func() io.Reader { return repeated(head+`"`, "0", size, `"`+tail) }
	}
	return out
}

func memories() map[string]decoded {
	felts := texts(64*mega, "*")
	felts["felts"] = func() io.Reader { return repeated("[", `"0x1",`, 5*mega, `"0x1"]`) }
	return map[string]decoded{
		"a proof": {resource.FnStateTransition, texts(24*mega, `{"public_input":{"public_memory":[*]}}`,
			`{"public_input":{"memory_segments":{"output":[*]}}}`,
			`{"public_input":{"public_memory":[{"address":1,"page":0,"value":[*]}]}}`, `{"proof_hex":[*]}`),
			func(_ *testing.T, text func() io.Reader) error {
				_, err := stone.Output(text())
				return err
			}},
		"cells of a proof": {resource.FnStateTransition,
			map[string]func() io.Reader{"as many as are held": func() io.Reader {
				return repeated(`{"public_input":{"public_memory":[`, `{"address":1,"page":0,"value":"0x1"},`, 38*mega,
					`{"address":1,"page":0,"value":"0x1"}]}}`)
			}}, func(_ *testing.T, text func() io.Reader) error {
				_, err := stone.Output(text())
				return err
			}},
		"a list of words": {resource.FnStateTransition, felts, func(t *testing.T, text func() io.Reader) error {
			_, err := artifact.ReadFelts(t.Context(), stored{open: text}, "k", 1<<20)
			return err
		}},
		"Atlantic": {resource.FnAggregator, texts(9*mega, `{"bucket":{"id":"b","status":"DONE"},"queries":[*]}`),
			func(t *testing.T, text func() io.Reader) error {
				url := answering(t, text)
				c := atlantic.Config{URL: url, ArtifactsURL: url, APIKey: "k", Network: "TESTNET",
					Settlement: atlantic.Ethereum}
				c.HTTP.Attempts = 1
				p, err := atlantic.New(c, atlantic.Deps{})
				if err != nil {
					t.Fatal(err)
				}
				_, err = p.Status(t.Context(), "bucket:b")
				return err
			}},
		"an Ethereum node": {resource.FnAPI, texts(33*mega, `[*]`, `{"jsonrpc":"2.0","id":1,"result":[*]}`),
			func(t *testing.T, text func() io.Reader) error {
				n, err := ethereum.Dial(answering(t, text), "1")
				if err != nil {
					t.Fatal(err)
				}
				defer n.Close()
				return n.Ping(t.Context())
			}},
		"a Starknet node": {resource.FnDataSubmission, texts(17*mega, `{"jsonrpc":"2.0","id":1,"result":[*]}`),
			func(t *testing.T, text func() io.Reader) error {
				n, err := starknet.Dial(answering(t, text), "SN_SEPOLIA")
				if err != nil {
					t.Fatal(err)
				}
				return n.Ping(t.Context())
			}},
		"the SNOS runner": {resource.FnSnosRun, texts(2*mega, `{"state":[*]}`),
			func(t *testing.T, text func() io.Reader) error {
				c, err := httprunner.New(answering(t, text), "", time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				_, err = c.Status(t.Context(), "h")
				return err
			}},
	}
}

// The worst that others can send is an error, or is taken, within half of the memory of the function that decodes it.
// The rest is for what a function holds beside it. Tests run one after the other: another's memory would count.
func TestMemoryOfWhatOthersSend(t *testing.T) {
	for name, m := range memories() {
		t.Run(name, func(t *testing.T) {
			most := int64(0)
			for _, f := range resource.Functions() {
				if f.Name == m.function {
					most = int64(f.MemoryMB) * mega / 2
				}
			}
			worst, at := int64(0), ""
			for kind, text := range m.texts {
				var err error
				peak := tools.Peak(func() { err = m.decode(t, text) })
				if peak > worst {
					worst, at = peak, kind
				}
				if peak > most {
					t.Errorf("%s: %d MB, at most %d of %s", kind, peak/mega, most/mega, m.function)
				}
				if err == nil && kind != "felts" {
					t.Errorf("%s was taken", kind)
				}
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", kind, err)
				}
			}
			t.Logf("%d MB at the most (%s), %d are allowed", worst/mega, at, most/mega)
		})
	}
}
