package s3_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/madara-orchestrator/orchestrator/shared/client/s3"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact/artifacttest"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

var stacks atomic.Int64

func TestConformance(t *testing.T) {
	t.Parallel()
	tools.AWS(t, func(t *testing.T, endpoint string) {
		cfg := devcloud.Config(endpoint)
		artifacttest.TestStore(t, func(t *testing.T) (artifact.Store, artifacttest.Tags) {
			s, err := devcloud.Provision(t.Context(), cfg,
				devcloud.Options{Chain: fmt.Sprintf("s3x%d", stacks.Add(1)), Layer: stage.L2})
			if err != nil {
				t.Fatal(err)
			}
			return s3.New(cfg, s.Bucket,
				true), func(key string) (map[string]string, error) { return tags(t, cfg, s.Bucket, key) }
		})
	})
}

func TestBucketConformance(t *testing.T) {
	t.Parallel()
	tools.AWS(t, func(t *testing.T, endpoint string) {
		artifacttest.TestBucket(t, func(*testing.T) (artifact.Bucket, artifact.Store) {
			s := s3.New(devcloud.Config(endpoint), fmt.Sprintf("s3b%d-%d", stacks.Add(1), time.Now().UnixNano()), true)
			return s.Bucket(), s
		})
	})
}

func TestLinkConformance(t *testing.T) {
	t.Parallel()
	tools.AWS(t, func(t *testing.T, endpoint string) {
		artifacttest.TestLinker(t, func(t *testing.T) artifacttest.Links {
			s := s3.New(devcloud.Config(endpoint), fmt.Sprintf("s3l%d-%d", stacks.Add(1), time.Now().UnixNano()), true)
			if err := s.Bucket().Create(t.Context()); err != nil {
				t.Fatal(err)
			}
			return artifacttest.Links{Linker: s, Store: s, Unchecked: endpoint == tools.Moto(t)}
		})
	})
}

// tags reads an object's tags by the service itself.
func tags(t *testing.T, cfg aws.Config, bucket, key string) (map[string]string, error) {
	api := awss3.NewFromConfig(cfg, func(o *awss3.Options) { o.UsePathStyle = true })
	out, err := api.GetObjectTagging(t.Context(), &awss3.GetObjectTaggingInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	set := map[string]string{}
	for _, x := range out.TagSet {
		set[*x.Key] = *x.Value
	}
	return set, nil
}

// No role of the stack may read an object's tags, and nothing needs them: Stat and Tag work where reading tags is
// denied.
func TestTagsAreNotRead(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Query().Has("tagging") {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w,
				`<Error><Code>AccessDenied</Code><Message>not authorized to perform: s3:GetObjectTagging</Message>`+
					`</Error>`)
			return
		}
		w.Header().Set("Content-Length", "0")
	}))
	t.Cleanup(srv.Close)
	store := s3.New(devcloud.Config(srv.URL), "b", true)
	if _, err := store.Stat(t.Context(), "snos/0000000001/pie.zip"); err != nil {
		t.Errorf("Stat: %v", err)
	}
	if err := store.Tag(t.Context(), "snos/0000000001/pie.zip", map[string]string{"a": "b"}); err != nil {
		t.Errorf("Tag: %v", err)
	}
}

// An answer without Content-Length is not an empty object.
func TestStatWithoutLength(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `"x"`) }))
	t.Cleanup(srv.Close)
	info, err := s3.New(devcloud.Config(srv.URL), "b", true).Stat(t.Context(), "snos/0000000001/pie.zip")
	if err == nil || errors.Is(err, artifact.ErrNotFound) || !strings.Contains(err.Error(), "Content-Length") {
		t.Errorf("%+v, %v", info, err)
	}
}

// server takes uploads in parts and forgets them.
func server(t *testing.T, got *atomic.Int64) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		got.Add(n)
		w.Header().Set("ETag", `"x"`)
		if r.Method == http.MethodPost && strings.Contains(r.URL.RawQuery, "uploads") {
			fmt.Fprint(w,
				`<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId>`+
					`</InitiateMultipartUploadResult>`)
		} else if r.Method == http.MethodPost {
			fmt.Fprint(w, `<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>`)
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A 200 MB artifact passes in a fraction of its size of memory. It runs alone: other tests' memory would count.
func TestMemoryIsBounded(t *testing.T) {
	const size = 200 << 20
	const most = 64 << 20
	var got atomic.Int64
	store := s3.New(devcloud.Config(server(t, &got).URL), "b", true)
	var peak atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	err := store.Put(t.Context(), "k", io.LimitReader(zeros{}, size))
	close(stop)
	<-stopped
	if err != nil || got.Load() < size {
		t.Fatalf("%d bytes arrived, %v", got.Load(), err)
	}
	if peak.Load() > most {
		t.Errorf("the heap grew to %d MB for an artifact of %d MB", peak.Load()>>20, size>>20)
	}
	t.Logf("peak heap %d MB", peak.Load()>>20)
}
