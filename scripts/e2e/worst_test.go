package e2e_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
)

// Every operation of every external service is answered now and then with a right answer of which one value is
// replaced by the worst that passes the byte limit, in every shape, compressed and not. So each decoder gets it, those
// too that a function comes to only after it understood others. The chain settles all the same, by functions that the
// system ends when they take more than their memory.
func TestWorstAnswers(t *testing.T) {
	t.Parallel()
	for _, layer := range []stage.Layer{stage.L2, stage.L3} {
		t.Run(string(layer), func(t *testing.T) {
			t.Parallel()
			fronts := map[string]*front{}
			settings := map[string]string{}
			for setting, size := range map[string]int{
				"CHAIN_RPC": 16 * mega, "SETTLEMENT_RPC": 4 * mega, "PROVER_URL": 8 * mega, "SNOS_URL": mega,
				"CHAIN_FEEDER_GATEWAY": 16 * mega, "PROVER_ATLANTIC_ARTIFACTS_URL": 8 * mega,
			} {
				fronts[setting] = newFront(t, size-64<<10)
				settings[setting] = fronts[setting].URL
			}
			// A list or an object may be a proof: only who knows what is proven sees that it is none.
			fronts["PROVER_ATLANTIC_ARTIFACTS_URL"].whole = true
			fronts["PROVER_ATLANTIC_ARTIFACTS_URL"].shapes = []string{"one hex word", "one word"}
			w := newWorld(t, stack.Options{Name: "worst-" + string(layer), Layer: layer, Blocks: 8, Prover: "atlantic",
				Visibility: 5 * time.Second, Settings: settings})
			for setting, f := range fronts {
				u, err := url.Parse(w.Own[setting])
				if err != nil || u.Host == "" {
					t.Fatalf("%s: %q, %v", setting, w.Own[setting], err)
				}
				f.to.Store(u)
			}
			for _, b := range w.binaries {
				b.Limited = true
			}
			w.settle(t, 6*time.Minute, nil)
			w.check(t)
			w.checkMemory(t)
			for setting, f := range fronts {
				for _, operation := range slices.Sorted(maps.Keys(f.asked)) {
					t.Logf("%s %s: asked %d times, worst %d times",
						setting, operation, f.asked[operation], f.worst[operation])
					if f.worst[operation] == 0 {
						t.Errorf("%s %s never had the worst answer", setting, operation)
					}
				}
			}
		})
	}
}

// front stands before a service: it passes requests on, and spoils every second answer of an operation until there was
// one of each shape.
type front struct {
	*httptest.Server
	to    atomic.Pointer[url.URL]
	proxy http.Handler
	size  int // bytes of a spoiled answer
	// shapes of spoiled answers, of worstParts
	shapes []string
	whole  bool // nothing of the right answer stays

	mu           sync.Mutex
	asked, worst map[string]int // by operation
}

func newFront(t *testing.T, size int) *front {
	t.Helper()
	f := &front{size: size, asked: map[string]int{}, worst: map[string]int{},
		// the worst ones first: of some operations there are few requests
		shapes: []string{"numbers", "objects", "records", "keys", "felts", "lists in lists", "one word",
			"one hex word"}}
	f.proxy = &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(f.to.Load())
			p.Out.Header.Del("Accept-Encoding") // what is to be spoiled is read here
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // of callers that went
	}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *front) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller went
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	turn := f.turn(operation(r, body))
	if turn < 0 {
		f.proxy.ServeHTTP(rw, r)
		return
	}
	right := httptest.NewRecorder()
	f.proxy.ServeHTTP(right, r)
	maps.Copy(rw.Header(), right.Header())
	rw.Header().Del("Content-Length")
	f.spoil(rw, r, right.Body.Bytes(), turn)
}

// turn counts a request and returns which of the worst answers it gets; -1 is the right one.
func (f *front) turn(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.asked[operation]
	f.asked[operation]++
	if n%2 == 1 || f.worst[operation] == len(f.shapes) {
		return -1
	}
	f.worst[operation]++
	return f.worst[operation] - 1
}

// spoil writes a right answer with one value replaced: the whole result at turn 0, one of its fields at the others.
func (f *front) spoil(rw http.ResponseWriter, r *http.Request, right []byte, turn int) {
	part := worstParts[f.shapes[turn]]
	head, tail := "", ""
	if !f.whole {
		head, tail = cut(right, turn)
	}
	var to io.Writer = rw
	if turn%2 == 1 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		rw.Header().Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(rw, gzip.BestSpeed)
		defer z.Close()
		to = z
	}
	_, _ = io.WriteString(to, head+part[0])
	chunk := []byte(strings.Repeat(part[1], max(1, 64<<10/len(part[1]))))
	for left := f.size - len(head) - len(tail); left > len(chunk); left -= len(chunk) {
		if _, err := to.Write(chunk); err != nil {
			return // the client has enough
		}
	}
	_, _ = io.WriteString(to, part[2]+tail)
}

// identifier is a part of a path that names one of many things.
var identifier = regexp.MustCompile(`[0-9A-Za-z_-]*[0-9][0-9A-Za-z_-]*`)

// operation names what a request asks for: the method of JSON-RPC, else method and path without identifiers.
func operation(r *http.Request, body []byte) string {
	type call struct{ Method string }
	var one call
	var many []call
	switch {
	case json.Unmarshal(body, &many) == nil && len(many) > 0:
		return many[0].Method
	case json.Unmarshal(body, &one) == nil && one.Method != "":
		return one.Method
	}
	return r.Method + " " + identifier.ReplaceAllString(r.URL.Path, "*")
}

// cut returns what stands before and behind the value of an answer that is replaced: of JSON-RPC the (first) result or
// a field within, of other JSON all or a field, of anything else all.
func cut(answer []byte, turn int) (head, tail string) {
	var tree any
	if json.Unmarshal(answer, &tree) != nil {
		return "", ""
	}
	at := tree
	if list, ok := tree.([]any); ok && len(list) > 0 {
		at = list[0]
	}
	const mark = "~the worst~"
	if o, ok := at.(map[string]any); !ok {
		return "", ""
	} else if result, ok := o["result"]; !ok || turn > 0 && places(result) > 0 {
		if ok {
			at = result
		}
		if turn == 0 {
			return "", ""
		}
		n := (turn - 1) * max(1, places(at)/(len(worstParts)-1)) % max(1, places(at))
		replace(at, &n, mark)
	} else {
		o["result"] = mark
	}
	text, err := json.Marshal(tree)
	if err != nil {
		panic(err) // of what was JSON
	}
	head, tail, _ = strings.Cut(string(text), `"`+mark+`"`)
	return head, tail
}

// places counts the fields of a JSON value, at every depth; of a list those of its first element.
func places(v any) (n int) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			n += 1 + places(inner)
		}
	case []any:
		if len(v) > 0 {
			n = places(v[0])
		}
	}
	return n
}

// replace replaces the nth field, in the order of places. It is done when n is below 0.
func replace(v any, n *int, by string) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if *n == 0 {
				v[k] = by
			}
			if *n--; *n < 0 {
				return
			}
			if replace(v[k], n, by); *n < 0 {
				return
			}
		}
	case []any:
		if len(v) > 0 {
			replace(v[0], n, by)
		}
	}
}

// Each turn replaces another value of an answer, and what comes out is the answer around it.
func TestCut(t *testing.T) {
	t.Parallel()
	answer := []byte(`[{"id":1,"result":{"a":[{"b":1},{"b":2}],"c":{"d":[]}}},{"id":2,"result":3}]`)
	got := map[string]bool{}
	for turn := range len(worstParts) {
		head, tail := cut(answer, turn)
		if !json.Valid([]byte(head + "0" + tail)) {
			t.Errorf("turn %d: %s*%s is not JSON", turn, head, tail)
		}
		got[head+"*"+tail] = true
	}
	for _, want := range []string{
		`[{"id":1,"result":*},{"id":2,"result":3}]`,
		`[{"id":1,"result":{"a":*,"c":{"d":[]}}},{"id":2,"result":3}]`,
		`[{"id":1,"result":{"a":[{"b":*},{"b":2}],"c":{"d":[]}}},{"id":2,"result":3}]`,
		`[{"id":1,"result":{"a":[{"b":1},{"b":2}],"c":*}},{"id":2,"result":3}]`,
		`[{"id":1,"result":{"a":[{"b":1},{"b":2}],"c":{"d":*}}},{"id":2,"result":3}]`,
	} {
		if !got[want] {
			t.Errorf("no turn gives %s; they give %v", want, slices.Sorted(maps.Keys(got)))
		}
	}
	if head, tail := cut([]byte("a proof"), 3); head+tail != "" {
		t.Errorf("of what is not JSON %q and %q stay", head, tail)
	}
}
