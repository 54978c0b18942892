// Package atlantic is a fake of Herodotus' proving service: the documented interface over HTTP on loopback, without
// proofs. Requests that are not as documented are refused and noted (Log.Violations). Where the documentation is silent
// (error codes of buckets, whether buckets can be listed) it is a guess.
package atlantic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
	"github.com/madara-orchestrator/orchestrator/shared/dev/loopback"
)

// Config says how the fake behaves. The zero value takes any key and finishes a query at the second question.
type Config struct {
	// APIKey is the key that requests must carry; "" takes any that is there.
	APIKey string
	// MoreVersions are aggregators that it has beside the documented ones.
	MoreVersions []string
	// ProofTime is how long a proof takes; 0 counts questions instead.
	ProofTime time.Duration
	// Polls is how often a query is asked about before it ends, without ProofTime; negative: it ends by Finish only.
	Polls int
	// Verdict says why a query is to fail, "" for none; nil fails those whose input is not a zip (PIE) or not JSON
	// (proof).
	Verdict func(Proven) string
	// OnProven is called for every query that ended well, before it counts as done: it may register a fact. Its error
	// fails the query. nil does nothing.
	OnProven func(context.Context, Proven) error
	// Aggregate makes the results of a closed bucket. nil makes results that are well-formed and mean nothing.
	Aggregate func(context.Context, Bucket) (Aggregated, error)
	// IndexBase is the index of a bucket's first child.
	IndexBase uint64
	// NoListing answers a listing of buckets as a route that does not exist.
	NoListing bool
	// Webhook gets a POST for every query that ended; "" none.
	Webhook string
}

// Proven is a query that ends.
type Proven struct {
	ID, DedupID string
	Bucket      string
	Index       uint64
	Aggregator  bool
	Result      string // what it was asked for
	PIE         string // path of its PIE; "" for a proof that is verified
	Input       string // path of what was submitted; "" for an aggregator
	Fact        string // of an aggregation, where Aggregate gives it
}

// Bucket is a closed bucket whose children are proven.
type Bucket struct {
	ID, ExternalID, Version string
	Params                  map[string]any
	Children                []Proven // by index
}

// Aggregated are a bucket's results.
type Aggregated struct {
	PIE       []byte // zip
	DASegment []byte // JSON list of hex felts
	Output    []byte // the same
	Fact      string // handed to OnProven
}

// Server is the fake.
type Server struct {
	fake.Faults
	fake.Log

	cfg    Config
	files  *fake.Files
	http   *http.Server
	url    string
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	queries []*queryState
	buckets []*bucketState
	now     func() time.Time
	ids     int
}

// Start starts a fake on a free port of loopback.
func Start(c Config) (*Server, error) {
	files, err := fake.NewFiles("atlantic")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	s := &Server{cfg: c, files: files, url: "http://" + l.Addr().String(), now: time.Now}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.http = &http.Server{Handler: loopback.Guard(s.Wrap(s.routes(), op, fail)), ReadHeaderTimeout: 10 * time.Second}
	s.work.Go(func() { _ = s.http.Serve(l) })
	return s, nil
}

// URL is the interface's root.
func (s *Server) URL() string { return s.url }

// ArtifactsURL is the root of the store of results.
func (s *Server) ArtifactsURL() string { return s.url + "/store" }

// Close stops the fake and removes its files.
func (s *Server) Close() error {
	s.cancel()
	err := s.http.Close()
	s.work.Wait()
	return errors.Join(err, s.files.Close())
}

// op names a request's operation: method and first part of the path, or first two where they are fixed.
func op(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if r.URL.Path == "/buckets/close" {
		return r.Method + " /buckets/close"
	}
	return r.Method + " /" + parts[0]
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /atlantic-query", s.authorized(s.submit))
	mux.HandleFunc("GET /atlantic-query/{id}", s.query)
	mux.HandleFunc("GET /atlantic-query-by-dedup-id", s.authorized(s.byDedup))
	mux.HandleFunc("POST /buckets", s.authorized(s.createBucket))
	mux.HandleFunc("GET /buckets", s.authorized(s.listBuckets))
	mux.HandleFunc("GET /buckets/{id}", s.bucket)
	mux.HandleFunc("POST /buckets/close", s.authorized(s.closeBucket))
	mux.HandleFunc("GET /is-alive",
		func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, 200, map[string]any{"alive": true}) })
	mux.HandleFunc("GET /store/queries/{id}/{file}", s.artifact)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.Violation(r, "no such route")
		fail404(w, r)
	})
	return mux
}

// fail404 answers as the service's web framework does for a path that it does not know.
func fail404(w http.ResponseWriter, r *http.Request) {
	reply(w, http.StatusNotFound, map[string]any{
		"message": fmt.Sprintf("Route %s:%s not found", r.Method, r.URL.Path), "error": "Not Found", "statusCode": 404,
	})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone if this fails
}

func fail(w http.ResponseWriter, status int) {
	message := "INTERNAL_SERVER_ERROR"
	if status == http.StatusTooManyRequests {
		message = "Rate limit exceeded, retry later"
	}
	reply(w, status, map[string]any{"message": message, "error": http.StatusText(status), "statusCode": status})
}

// answer records a request and answers it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, v any) {
	s.record(r, status, fake.Record{})
	reply(w, status, v)
}

// refuse answers with an error of the service's own.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, code string) {
	s.answer(w, r, status, map[string]any{"message": code, "error": http.StatusText(status), "statusCode": status})
}

func (s *Server) record(r *http.Request, status int, rec fake.Record) {
	rec.Method, rec.Path, rec.Status, rec.Key = r.Method, r.URL.Path, status, r.Header.Get("Api-Key")
	rec.Query = map[string]string{}
	for k, v := range r.URL.Query() {
		rec.Query[k] = strings.Join(v, ",")
	}
	s.Log.Add(rec)
}

func (s *Server) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("api-key")
		if key == "" || s.cfg.APIKey != "" && key != s.cfg.APIKey {
			s.refuse(w, r, http.StatusUnauthorized, "INVALID_API_KEY")
			return
		}
		next(w, r)
	}
}
