package beacon_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/beacon"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/da/datest"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	fakebeacon "github.com/madara-orchestrator/orchestrator/shared/dev/fake/beacon"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
)

// recorded are blobs of Starknet that stand on Ethereum; made-up ones where the recordings are not there.
func recorded(t *testing.T) (out [2][]byte) {
	t.Helper()
	for i, name := range []string{"631861", "640641"} {
		f, err := os.Open("/work/shared/data/l1_blob/" + name + ".hex")
		if errors.Is(err, os.ErrNotExist) {
			bs, err := blob.FromWords([]felt.Felt{felt.FromUint64(uint64(i + 1))})
			if err != nil {
				t.Fatal(err)
			}
			out[i] = bs[0][:]
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		bs, err := blob.ReadHex(f)
		_ = f.Close()
		if err != nil || len(bs) == 0 {
			t.Fatal(len(bs), err)
		}
		out[i] = bs[0][:]
	}
	return out
}

// world is the fake behind HTTP, with the times of an execution layer's blocks.
type world struct {
	fake *fakebeacon.Node
	node *beacon.Node

	mu    sync.Mutex
	times map[string]time.Time
}

func newWorld(t *testing.T, wrap func(http.Handler) http.Handler) *world {
	t.Helper()
	w := &world{fake: fakebeacon.New(), times: map[string]time.Time{}}
	srv := httptest.NewServer(wrap(w.fake))
	t.Cleanup(srv.Close)
	var err error
	if w.node, err = beacon.New(srv.URL, func(_ context.Context, hash string) (time.Time, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.times[hash], nil
	}, beacon.Deps{}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) publish(blobs [][]byte) string {
	at := w.fake.Publish(blobs)
	w.mu.Lock()
	defer w.mu.Unlock()
	hash := fmt.Sprintf("0x%064x", len(w.times)+1)
	w.times[hash] = at
	return hash
}

func plain(h http.Handler) http.Handler { return h }

func sent(block string, blobs ...[]byte) da.Sent {
	return da.Sent{BlockHash: block, Payload: tx.Payload{Blobs: blobs}}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	blobs := recorded(t)
	datest.TestArchive(t, func(t *testing.T) datest.ArchiveHarness {
		w := newWorld(t, plain)
		return datest.ArchiveHarness{Archive: w.node,
			Publish:  func(p tx.Payload) da.Sent { return sent(w.publish(p.Blobs), p.Blobs...) },
			Payloads: [2]tx.Payload{{Blobs: [][]byte{blobs[0]}}, {Blobs: [][]byte{blobs[1]}}}}
	})
}

// Blobs are found among others of their block, in any order.
func TestSeveralBlobs(t *testing.T) {
	t.Parallel()
	blobs, w := recorded(t), newWorld(t, plain)
	a, b := blobs[0], blobs[1]
	both, one, none := w.publish([][]byte{a, b}), w.publish([][]byte{a}), w.publish(nil)
	for _, s := range []da.Sent{sent(both, a, b), sent(both, b, a), sent(both, b), sent(both), sent(none)} {
		if err := w.node.Check(t.Context(), s); err != nil {
			t.Errorf("%d blobs: %v", len(s.Payload.Blobs), err)
		}
	}
	for name, s := range map[string]da.Sent{"another blob": sent(one, b), "one of two": sent(one, a, b),
		"no blobs": sent(none, b)} {
		if err := w.node.Check(t.Context(), s); !errors.Is(err, da.ErrMissing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A node that serves something else is found out, whatever it says; what can't be read is said clearly.
func TestLies(t *testing.T) {
	t.Parallel()
	blobs := recorded(t)
	for name, tt := range map[string]struct {
		lie  func([]byte) []byte
		want error
	}{
		"another blob": {func([]byte) []byte { return blobs[1] }, da.ErrMissing},
		"a changed byte": {func(b []byte) []byte {
			c := append([]byte{}, b...)
			c[len(c)-1] ^= 1
			return c
		}, da.ErrMissing},
		"not in the field": {func(b []byte) []byte { return []byte(strings.Repeat("\xff", len(b))) }, da.ErrDiffers},
		"half a blob":      {func(b []byte) []byte { return b[:len(b)/2] }, nil},
	} {
		w := newWorld(t, plain)
		block := w.publish([][]byte{blobs[0]})
		if err := w.node.Check(t.Context(), sent(block, blobs[0])); err != nil {
			t.Fatal(err)
		}
		w.fake.Lie(tt.lie)
		err := w.node.Check(t.Context(), sent(block, blobs[0]))
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// Answers that the API does not describe are errors, and the next call asks again.
func TestMalformed(t *testing.T) {
	t.Parallel()
	blobs := recorded(t)
	for name, answer := range map[string]string{"no JSON": "x", "no data": "{}", "other data": `{"data":{"x":1}}`,
		"no number": `{"data":{"genesis_time":"soon","SECONDS_PER_SLOT":"12"}}`,
		"no slots":  `{"data":{"genesis_time":"1","SECONDS_PER_SLOT":"0"}}`} {
		broken := true
		w := newWorld(t, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if broken {
					fmt.Fprint(rw, answer)
					return
				}
				h.ServeHTTP(rw, r)
			})
		})
		block := w.publish([][]byte{blobs[0]})
		if err := w.node.Check(t.Context(), sent(block, blobs[0])); err == nil || errors.Is(err, da.ErrDiffers) {
			t.Errorf("%s: %v", name, err)
		}
		broken = false
		if err := w.node.Check(t.Context(), sent(block, blobs[0])); err != nil {
			t.Errorf("%s, then well: %v", name, err)
		}
	}
	if _, err := beacon.New("ftp://x", nil, beacon.Deps{}); err == nil {
		t.Error("another scheme is taken")
	}
}
