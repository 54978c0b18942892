package appchain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
)

// TestTransientFailuresAreRetried: whatever a node answers for a while, the read succeeds afterwards.
func TestTransientFailuresAreRetried(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Blocks: 5})
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			p := newProxy(t, chain.URL(), func(n int64, w http.ResponseWriter, _ []byte) bool {
				if n == 2 || n == 3 { // the first answers the chain id
					fail(w)
					return true
				}
				return false
			}, nil)
			got, err := open(t, appchain.Config{URL: p.URL}, c.deps()).Headers(t.Context(), 3, 3)
			if err != nil || got[0].Number != 3 {
				t.Fatalf("Headers = %v, %v", got, err)
			}
			if len(c.pauses) != 2 || c.pauses[0] != 100*time.Millisecond || c.pauses[1] != 200*time.Millisecond {
				t.Errorf("pauses %v, want half of 200 ms and of 400 ms", c.pauses)
			}
		})
	}
}

// TestLastingFailuresEnd: attempts are bounded, and the error says what it is.
func TestLastingFailuresEnd(t *testing.T) {
	t.Parallel()
	malformed := map[string]bool{"200HTML": true, "HTMLAsJSON": true, "Truncated": true, "Empty": true,
		"WrongID": true, "NoResult": true}
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, "http://127.0.0.1:1",
				func(_ int64, w http.ResponseWriter, _ []byte) bool { fail(w); return true }, nil)
			_, err := open(t, appchain.Config{URL: p.URL, Attempts: 4}, newClock().deps()).Head(t.Context())
			if err == nil || errors.Is(err, block.ErrMalformed) != malformed[name] ||
				errors.Is(err, block.ErrNotFound) {
				t.Errorf("Head = %v; malformed: want %v", err, malformed[name])
			}
			if n := p.requests.Load(); n != 4 {
				t.Errorf("%d requests, want 4", n)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Blocks: 3})
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "9999": 20 * time.Second, "Wed, 01 Jan 2025 00:00:05 GMT": 5 * time.Second,
		"soon": 100 * time.Millisecond} {
		c := newClock()
		p := newProxy(t, chain.URL(), func(n int64, w http.ResponseWriter, _ []byte) bool {
			if n == 1 {
				respond(429, "text/plain", "", "Retry-After", header)(w)
			}
			return n == 1
		}, nil)
		if _, err := open(t, appchain.Config{URL: p.URL}, c.deps()).Head(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(c.pauses) != 1 || c.pauses[0] != want {
			t.Errorf("Retry-After %q: pauses %v, want %v", header, c.pauses, want)
		}
	}
}

// TestNoWaitPastTheDeadline: a pause that the deadline would cut off isn't begun.
func TestNoWaitPastTheDeadline(t *testing.T) {
	t.Parallel()
	p := newProxy(t, "http://127.0.0.1:1", func(_ int64, w http.ResponseWriter, _ []byte) bool {
		respond(503, "text/plain", "", "Retry-After", "20")(w)
		return true
	}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	slept := false
	deps := appchain.Deps{Sleep: func(context.Context, time.Duration) error { slept = true; return nil }}
	_, err := open(t, appchain.Config{URL: p.URL}, deps).Head(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || slept || p.requests.Load() != 1 {
		t.Errorf("Head = %v, slept %v, %d requests", err, slept, p.requests.Load())
	}
}

func TestWrongChain(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Blocks: 3})
	s := open(t, appchain.Config{URL: chain.URL(), ChainID: "SN_MAIN"}, newClock().deps())
	if _, err := s.Head(t.Context()); !errors.Is(err, block.ErrWrongChain) {
		t.Errorf("Head = %v, want ErrWrongChain", err)
	}
	if _, err := s.ChainID(t.Context()); !errors.Is(err, block.ErrWrongChain) {
		t.Errorf("ChainID = %v, want ErrWrongChain", err)
	}
}

// swap replaces a JSON field's value in every answer that has it, from the given request on.
func swap(from int64, old, new string) func(int64, []byte) []byte {
	return func(n int64, b []byte) []byte {
		if n < from {
			return b
		}
		return bytes.ReplaceAll(b, []byte(old), []byte(new))
	}
}

// Case B3: a block that is older than its parent is read like any other. Blocks are in the order of their numbers.
func TestTimeMayRunBack(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Seed: 5, Blocks: 8})
	h, err := open(t, appchain.Config{URL: chain.URL()}, appchain.Deps{}).Headers(t.Context(), 0, 7)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, chain.URL(), nil, swap(2, fmt.Sprintf(`"timestamp":%d`, h[4].Timestamp.Unix()), `"timestamp":5`))
	got, err := open(t, appchain.Config{URL: p.URL}, newClock().deps()).Headers(t.Context(), 2, 5)
	if err != nil || len(got) != 4 || got[2].Timestamp.Unix() != 5 {
		t.Errorf("%d headers, %v", len(got), err)
	}
}

// TestLiesAreCaught: an answer that cannot be right is ErrMalformed, never taken.
func TestLiesAreCaught(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Seed: 5, Blocks: 8})
	truth := open(t, appchain.Config{URL: chain.URL()}, appchain.Deps{})
	h, err := truth.Headers(t.Context(), 0, 7)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	headers := func(s *appchain.Source) error { _, err := s.Headers(ctx, 2, 5); return err }
	updates := func(s *appchain.Source) error { _, err := s.StateUpdates(ctx, 2, 5); return err }
	one := func(s *appchain.Source) error { _, err := s.StateUpdates(ctx, 3, 3); return err }
	messages := func(s *appchain.Source) error { _, err := s.Messages(ctx, 2, 5); return err }
	for name, c := range map[string]struct {
		old, new string
		read     func(*appchain.Source) error
	}{
		"WrongNumber": {`"block_number":3`, `"block_number":4`, headers},
		"WrongParent": {`"parent_hash":"` + h[3].ParentHash.String(), `"parent_hash":"0x5`, headers},
		"HashNotInField": {`"block_hash":"` + h[3].Hash.String(),
			`"block_hash":"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff`, headers},
		"NoRoot":         {`"new_root"`, `"newroot"`, headers},
		"Rejected":       {`"ACCEPTED_ON_L2"`, `"REJECTED"`, headers},
		"NoTransactions": {`"transactions"`, `"txs"`, headers},
		"GapInRoots":     {`"old_root":"` + h[3].NewRoot.String(), `"old_root":"0x1`, updates},
		"UpdateOfOtherBlock": {`"old_root":"` + h[2].NewRoot.String() + `"`,
			`"old_root":"` + h[2].NewRoot.String() + `","block_hash":"0x7"`, one},
		"NoDiff":     {`"state_diff"`, `"diff"`, one},
		"NullInDiff": {`"class_hash":"`, `"class_hash":null,"x":"`, updates},
		"NoReceipts": {`"receipt"`, `"receipts"`, messages},
		"NoSender": {`"from_address"`, `"from"`,
			func(s *appchain.Source) error { _, err := s.Messages(ctx, 0, 7); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, chain.URL(), nil, swap(2, c.old, c.new))
			if err := c.read(open(t, appchain.Config{URL: p.URL}, newClock().deps())); !errors.Is(err,
				block.ErrMalformed) {
				t.Errorf("read = %v, want ErrMalformed", err)
			}
		})
	}
}

// TestReorganisation: blocks that do not fit together are read again, around the cache.
func TestReorganisation(t *testing.T) {
	t.Parallel()
	a := devChain(t, devappchain.Options{Seed: 1, Blocks: 10})
	b := devChain(t, devappchain.Options{Seed: 2, Blocks: 10})
	cache := newMemoryCache()
	deps := newClock().deps()
	deps.Cache = cache
	if _, err := open(t, appchain.Config{URL: a.URL(), ChainID: "DEV_APPCHAIN"},
		deps).Headers(t.Context(), 2, 4); err != nil {
		t.Fatal(err)
	}
	s := open(t, appchain.Config{URL: b.URL(), ChainID: "DEV_APPCHAIN"}, deps)
	got, err := s.Headers(t.Context(), 2, 8)
	if err != nil {
		t.Fatal(err)
	}
	if cache.hits == 0 {
		t.Error("the cache was not asked: nothing is tested")
	}
	if head, _ := b.Head(); got[6].Number != 8 || got[6].Hash == head.Hash {
		t.Errorf("unexpected header %+v", got[6])
	}
	want, err := open(t, appchain.Config{URL: b.URL()}, appchain.Deps{}).Headers(t.Context(), 2, 8)
	if err != nil || got[0] != want[0] {
		t.Errorf("block 2 is that of the cache: %+v", got[0])
	}
}

// TestPendingIsNotCached: a block that is not closed does not exist.
func TestPendingIsNotCached(t *testing.T) {
	t.Parallel()
	chain := devChain(t, devappchain.Options{Blocks: 4})
	cache := newMemoryCache()
	deps := newClock().deps()
	deps.Cache = cache
	p := newProxy(t, chain.URL(), nil, swap(2, "ACCEPTED_ON_L2", "PRE_CONFIRMED"))
	s := open(t, appchain.Config{URL: p.URL}, deps)
	if _, err := s.Headers(t.Context(), 3, 3); !errors.Is(err, block.ErrNotFound) {
		t.Errorf("Headers = %v, want ErrNotFound", err)
	}
	if _, err := s.Messages(t.Context(), 3, 3); !errors.Is(err, block.ErrNotFound) {
		t.Errorf("Messages = %v, want ErrNotFound", err)
	}
	if len(cache.m) != 0 {
		t.Errorf("%d answers are cached", len(cache.m))
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	ahead := devChain(t, devappchain.Options{Blocks: 8})
	behind := devChain(t, devappchain.Options{Blocks: 5})
	down := func(t *testing.T) *proxy {
		return newProxy(t, ahead.URL(), func(_ int64, w http.ResponseWriter, _ []byte) bool {
			respond(500, "text/plain", "down")(w)
			return true
		}, nil)
	}

	t.Run("PrimaryDown", func(t *testing.T) {
		t.Parallel()
		dead := down(t)
		c := newClock()
		s := open(t, appchain.Config{URL: dead.URL, BackupURL: ahead.URL()}, c.deps())
		for range 3 {
			if n, err := s.Head(t.Context()); err != nil || n != 7 {
				t.Errorf("Head = %d, %v; want the backup's", n, err)
			}
		}
		if len(c.pauses) != 0 || dead.requests.Load() != 1 {
			t.Errorf("%d pauses and %d requests to a node that is down, want 0 and 1",
				len(c.pauses), dead.requests.Load())
		}
	})
	t.Run("PrimaryLacksBlock", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		s := open(t, appchain.Config{URL: behind.URL(), BackupURL: ahead.URL()}, c.deps())
		if _, err := s.Headers(t.Context(), 3, 7); err != nil || len(c.pauses) != 0 {
			t.Errorf("Headers = %v after %d pauses", err, len(c.pauses))
		}
		if _, err := s.Headers(t.Context(), 8, 8); !errors.Is(err, block.ErrNotFound) {
			t.Errorf("Headers = %v, want ErrNotFound", err)
		}
	})
	t.Run("StalledHead", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		s := open(t, appchain.Config{URL: behind.URL(), BackupURL: ahead.URL()}, c.deps())
		if n, err := s.Head(t.Context()); err != nil || n != 4 {
			t.Errorf("Head = %d, %v; want the primary's 4", n, err)
		}
		_ = c.Sleep(t.Context(), time.Minute)
		if n, err := s.Head(t.Context()); err != nil || n != 7 {
			t.Errorf("Head = %d, %v; want the backup's 7 after a minute without a block", n, err)
		}
	})
	t.Run("BackupServesOtherChain", func(t *testing.T) {
		t.Parallel()
		other := devChain(t, devappchain.Options{Blocks: 9, ChainID: "OTHER"})
		s := open(t, appchain.Config{URL: down(t).URL, BackupURL: other.URL(), ChainID: ahead.ChainID()},
			newClock().deps())
		if _, err := s.Head(t.Context()); !errors.Is(err, block.ErrWrongChain) {
			t.Errorf("Head = %v, want ErrWrongChain", err)
		}
	})
	t.Run("BothDown", func(t *testing.T) {
		t.Parallel()
		s := open(t, appchain.Config{URL: down(t).URL, BackupURL: down(t).URL}, newClock().deps())
		if _, err := s.Head(t.Context()); err == nil || errors.Is(err, block.ErrNotFound) {
			t.Errorf("Head = %v", err)
		}
	})
}
