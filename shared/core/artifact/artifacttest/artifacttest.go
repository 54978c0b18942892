// Package artifacttest is the conformance suite of artifact.Store.
package artifacttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
)

// Tags reads an object's tags past the port, which only sets them.
type Tags func(key string) (map[string]string, error)

// TestStore checks a store against the contract of artifact.Store. newStore returns an empty one, and what reads its
// tags.
func TestStore(t *testing.T, newStore func(t *testing.T) (artifact.Store, Tags)) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, artifact.Store){
		"PutGet": testPutGet, "PutNew": testPutNew, "OnePutNewOfManyWins": testPutNewRace,
		"NotFound": testNotFound, "List": testList,
		"FailedPutLeavesWhatWasThere": testFailedPut, "Large": testLarge,
		"ReadAllIsBounded": testReadAll, "Ping": testPing,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			s, _ := newStore(t)
			run(t, ctx, s)
		})
	}
	t.Run("Tag", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		s, tags := newStore(t)
		testTag(t, ctx, s, tags)
	})
}

func put(t *testing.T, ctx context.Context, s artifact.Store, key, content string) {
	t.Helper()
	if err := s.Put(ctx, key, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, ctx context.Context, s artifact.Store, key, content string) {
	t.Helper()
	b, err := artifact.ReadAll(ctx, s, key, 1<<20)
	if err != nil || string(b) != content {
		t.Errorf("%s holds %.40q, %v, want %.40q", key, b, err, content)
	}
}

func testPutGet(t *testing.T, ctx context.Context, s artifact.Store) {
	put(t, ctx, s, "a/b", "one")
	want(t, ctx, s, "a/b", "one")
	put(t, ctx, s, "a/b", "")
	want(t, ctx, s, "a/b", "")
	info, err := s.Stat(ctx, "a/b")
	if err != nil || info.Key != "a/b" || info.Size != 0 || info.Modified.IsZero() {
		t.Errorf("Stat: %+v, %v", info, err)
	}
	for range 2 {
		if err := s.Delete(ctx, "a/b"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Get(ctx, "a/b"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("after Delete: %v", err)
	}
}

func testPutNew(t *testing.T, ctx context.Context, s artifact.Store) {
	for range 2 { // the same bytes again are not an error
		if err := s.PutNew(ctx, "k", strings.NewReader("first")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutNew(ctx, "k", strings.NewReader("second")); !errors.Is(err, artifact.ErrExists) {
		t.Errorf("other bytes: %v", err)
	}
	want(t, ctx, s, "k", "first")
}

func testPutNewRace(t *testing.T, ctx context.Context, s artifact.Store) {
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := s.PutNew(ctx, "k", strings.NewReader(fmt.Sprint(i))); err == nil {
				won.Add(1)
			} else if !errors.Is(err, artifact.ErrExists) {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d writers won", won.Load())
	}
}

func testNotFound(t *testing.T, ctx context.Context, s artifact.Store) {
	_, get := s.Get(ctx, "none")
	_, stat := s.Stat(ctx, "none")
	tag := s.Tag(ctx, "none", map[string]string{"a": "b"})
	for name, err := range map[string]error{"Get": get, "Stat": stat, "Tag": tag} {
		if !errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testList(t *testing.T, ctx context.Context, s artifact.Store) {
	for _, k := range []string{"b/1", "a/2", "a/10", "a/1", "ab"} {
		put(t, ctx, s, k, "xy")
	}
	for _, tt := range []struct {
		prefix, after string
		limit         int
		want          []string
	}{
		{"a/", "", 10, []string{"a/1", "a/10", "a/2"}},
		{"a/", "a/1", 10, []string{"a/10", "a/2"}},
		{"a", "", 2, []string{"a/1", "a/10"}},
		{"", "a/2", 10, []string{"ab", "b/1"}},
		{"c", "", 10, nil},
	} {
		infos, err := s.List(ctx, tt.prefix, tt.after, tt.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range infos {
			got = append(got, i.Key)
			if i.Size != 2 {
				t.Errorf("%s has %d bytes", i.Key, i.Size)
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%q after %q (-want +got):\n%s", tt.prefix, tt.after, d)
		}
	}
}

func testTag(t *testing.T, ctx context.Context, s artifact.Store, tagsOf Tags) {
	put(t, ctx, s, "k", "x")
	for _, tags := range []map[string]string{{"a": "1", "b": "2"}, {"b": "3", "c": "4"}, {"b": "3", "c": "4"}} {
		if err := s.Tag(ctx, "k", tags); err != nil {
			t.Fatal(err)
		}
		got, err := tagsOf("k")
		if d := cmp.Diff(tags, got); err != nil || d != "" {
			t.Errorf("tags, %v (-want +got):\n%s", err, d)
		}
	}
	want(t, ctx, s, "k", "x")
}

func testFailedPut(t *testing.T, ctx context.Context, s artifact.Store) {
	put(t, ctx, s, "k", "old")
	broken := io.MultiReader(strings.NewReader("new"), iotest.ErrReader(errors.New("the source broke")))
	if err := s.Put(ctx, "k", broken); err == nil {
		t.Error("Put of a broken source succeeded")
	}
	want(t, ctx, s, "k", "old")
}

// large is above the size at which stores write in parts.
const large = 20 << 20

func testLarge(t *testing.T, ctx context.Context, s artifact.Store) {
	if err := s.Put(ctx, "k", io.LimitReader(ones{}, large)); err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	if err != nil || n != large {
		t.Errorf("read %d of %d bytes, %v", n, large, err)
	}
}

// ones is an endless source.
type ones struct{}

func (ones) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte{1}, len(p))), nil }

func testReadAll(t *testing.T, ctx context.Context, s artifact.Store) {
	put(t, ctx, s, "k", "12345")
	if _, err := artifact.ReadAll(ctx, s, "k", 4); !errors.Is(err, artifact.ErrTooLarge) {
		t.Errorf("5 bytes where 4 are allowed: %v", err)
	}
}

func testPing(t *testing.T, ctx context.Context, s artifact.Store) {
	if err := s.Ping(ctx); err != nil {
		t.Error(err)
	}
}
