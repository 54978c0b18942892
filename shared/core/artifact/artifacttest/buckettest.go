package artifacttest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
)

// TestBucket checks a bucket against the contract of artifact.Bucket. newBucket returns one that is not there yet, and
// the store that keeps objects in it.
func TestBucket(t *testing.T, newBucket func(t *testing.T) (artifact.Bucket, artifact.Store)) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, artifact.Bucket, artifact.Store){
		"CreateAndDelete": testCreate, "Lifecycle": testLifecycle, "OnlyEmptyIsDeleted": testNotEmpty,
		"NotThere": testNoBucket,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			b, s := newBucket(t)
			run(t, ctx, b, s)
		})
	}
}

func exists(t *testing.T, ctx context.Context, b artifact.Bucket, want bool) {
	t.Helper()
	if got, err := b.Exists(ctx); err != nil || got != want {
		t.Errorf("the bucket exists: %t, %v; want %t", got, err, want)
	}
}

func create(t *testing.T, ctx context.Context, b artifact.Bucket) {
	t.Helper()
	if err := b.Create(ctx); err != nil {
		t.Fatal(err)
	}
}

func testCreate(t *testing.T, ctx context.Context, b artifact.Bucket, s artifact.Store) {
	exists(t, ctx, b, false)
	create(t, ctx, b)
	exists(t, ctx, b, true)
	put(t, ctx, s, "k", "x")
	create(t, ctx, b) // again: what is in it stays
	want(t, ctx, s, "k", "x")
	if err := artifact.Empty(ctx, s); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a bucket that is gone is not an error
		if err := b.Delete(ctx); err != nil {
			t.Fatal(err)
		}
		exists(t, ctx, b, false)
	}
	create(t, ctx, b)
	exists(t, ctx, b, true)
}

func testLifecycle(t *testing.T, ctx context.Context, b artifact.Bucket, _ artifact.Store) {
	create(t, ctx, b)
	for _, rules := range [][]artifact.Lifecycle{
		{},
		{{ID: "a", Tag: "done", Value: "true", Expire: 14}, {ID: "b", Uploads: 1}, {ID: "c", Versions: 7}},
		{{ID: "a", Expire: 1, Uploads: 2, Versions: 3}},
		{},
	} {
		if err := b.SetLifecycle(ctx, rules); err != nil {
			t.Fatal(err)
		}
		got, err := b.Lifecycle(ctx)
		if d := cmp.Diff(rules, got); err != nil || d != "" {
			t.Errorf("rules, %v (-want +got):\n%s", err, d)
		}
	}
}

func testNotEmpty(t *testing.T, ctx context.Context, b artifact.Bucket, s artifact.Store) {
	create(t, ctx, b)
	put(t, ctx, s, "a/k", "x")
	if err := b.Delete(ctx); !errors.Is(err, artifact.ErrNotEmpty) {
		t.Errorf("a bucket with an object is deleted: %v", err)
	}
	exists(t, ctx, b, true)
	want(t, ctx, s, "a/k", "x")
}

func testNoBucket(t *testing.T, ctx context.Context, b artifact.Bucket, s artifact.Store) {
	_, err := b.Lifecycle(ctx)
	for name, err := range map[string]error{"Lifecycle": err,
		"SetLifecycle": b.SetLifecycle(ctx, []artifact.Lifecycle{{ID: "a", Expire: 1}})} {
		if !errors.Is(err, artifact.ErrNoBucket) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Ping(ctx); err == nil {
		t.Error("a store without a bucket can be used")
	}
}

// Links is a Linker with the store of the objects.
type Links struct {
	artifact.Linker
	Store artifact.Store
	// Unchecked: the service does not look at signature and age of a link, as the emulator moto.
	Unchecked bool
}

// TestLinker checks links against the contract of artifact.Linker, with a plain HTTP client.
func TestLinker(t *testing.T, newLinks func(t *testing.T) Links) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, context.Context, Links){
		"Download": testDownload, "OnlyGet": testOnlyGet, "Expires": testExpires, "Changed": testChanged,
		"Missing": testMissing, "Lifetime": testLifetime,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			l := newLinks(t)
			if l.Unchecked && (name == "OnlyGet" || name == "Expires" || name == "Changed") {
				t.Skip("the emulator checks no links")
			}
			run(t, ctx, l)
		})
	}
}

// key has characters that a URL must escape.
const key = "snos/0000000001/a +%&=?#ü.json"

func (l Links) to(t *testing.T, ctx context.Context, key string, age time.Duration) string {
	t.Helper()
	u, err := l.Link(ctx, key, age)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// fetch asks a URL without any credentials.
func fetch(t *testing.T, ctx context.Context, method, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPut {
		r, _ = http.NewRequestWithContext(ctx, method, url, strings.NewReader("other"))
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func testDownload(t *testing.T, ctx context.Context, l Links) {
	for _, k := range []string{key, "aggregator/0000000001/proof.json"} {
		put(t, ctx, l.Store, k, "content of "+k)
		if status, got := fetch(t, ctx, http.MethodGet, l.to(t, ctx, k, time.Minute)); status != http.StatusOK ||
			got != "content of "+k {
			t.Errorf("%s: %d %.200s", k, status, got)
		}
	}
}

func testOnlyGet(t *testing.T, ctx context.Context, l Links) {
	put(t, ctx, l.Store, key, "x")
	for _, m := range []string{http.MethodPut, http.MethodDelete} {
		if status, got := fetch(t, ctx, m, l.to(t, ctx, key, time.Minute)); status/100 != 4 {
			t.Errorf("%s is answered %d %.200s", m, status, got)
		}
	}
	want(t, ctx, l.Store, key, "x")
}

func testExpires(t *testing.T, ctx context.Context, l Links) {
	put(t, ctx, l.Store, key, "secret content")
	u := l.to(t, ctx, key, time.Second)
	for {
		status, got := fetch(t, ctx, http.MethodGet, u)
		if status == http.StatusOK {
			select {
			case <-ctx.Done():
				t.Fatal("a link of a second still works")
			case <-time.After(200 * time.Millisecond):
			}
			continue
		}
		if status != http.StatusForbidden || !strings.Contains(strings.ToLower(got), "expired") ||
			strings.Contains(got, "secret content") {
			t.Errorf("an old link is answered %d %.300s", status, got)
		}
		return
	}
}

func testChanged(t *testing.T, ctx context.Context, l Links) {
	put(t, ctx, l.Store, "snos/1/a", "a")
	put(t, ctx, l.Store, "snos/1/b", "secret content")
	u := strings.Replace(l.to(t, ctx, "snos/1/a", time.Minute), "snos/1/a", "snos/1/b", 1)
	if status, got := fetch(t, ctx, http.MethodGet, u); status != http.StatusForbidden ||
		strings.Contains(got, "secret content") {
		t.Errorf("the link of another object is answered %d %.300s", status, got)
	}
}

func testMissing(t *testing.T, ctx context.Context, l Links) {
	if status, got := fetch(t, ctx, http.MethodGet, l.to(t, ctx, "none", time.Minute)); status != http.StatusNotFound {
		t.Errorf("the link of no object is answered %d %.300s", status, got)
	}
}

func testLifetime(t *testing.T, ctx context.Context, l Links) {
	for _, age := range []time.Duration{-time.Second, 0, time.Millisecond, artifact.MaxLinkAge + time.Second} {
		if u, err := l.Link(ctx, key, age); !errors.Is(err, artifact.ErrLifetime) {
			t.Errorf("%s: %s, %v", age, u, err)
		}
	}
}
