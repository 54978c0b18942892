// Package sharp is a fake of SHARP's gateway: its interface over HTTP or mutual TLS on loopback, without proofs.
// Requests that are not as known are refused and noted (Log.Violations). What the gateway says to a key that it has is
// not documented; here it is an error.
package sharp

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
	"github.com/madara-orchestrator/orchestrator/shared/dev/loopback"
)

// Config says how the fake behaves. The zero value takes any customer over plain HTTP and processes a job at the
// second question.
type Config struct {
	// CustomerID is the customer that requests must name; "" takes any that is there.
	CustomerID string
	// TLS serves mutual TLS; Server.Credentials has what a client needs.
	TLS bool
	// ProofTime is how long a proof takes; 0 counts questions instead.
	ProofTime time.Duration
	// Polls is how often a job is asked about before it is processed, without ProofTime; negative: it ends by Finish
	// only.
	Polls int
	// Validate lets jobs be IN_PROGRESS with validation_done before they are processed.
	Validate bool
	// Verdict says why a job is invalid, "" for none; nil refuses what is not a zip.
	Verdict func(Proven) string
	// OnProven is called for every job that ended well, before it counts as processed: it may register a fact. Its
	// error fails the job. nil does nothing.
	OnProven func(context.Context, Proven) error
}

// Proven is a job that ends.
type Proven struct {
	Key         string
	Applicative bool
	Children    []string // keys, in order
	PIE         string   // path
	// HashFunction is the name of the function that programs are hashed with.
	HashFunction string
}

// Server is the fake.
type Server struct {
	fake.Faults
	fake.Log

	cfg    Config
	files  *fake.Files
	http   *http.Server
	url    string
	creds  Credentials
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu         sync.Mutex
	jobs       []*jobState
	duplicates int
	ids        int
}

// Start starts a fake on a free port of loopback.
func Start(c Config) (*Server, error) {
	files, err := fake.NewFiles("sharp")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	s := &Server{cfg: c, files: files, url: "http://" + l.Addr().String() + "/v1/gateway"}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.http = &http.Server{Handler: loopback.Guard(s.Wrap(s.routes(), op, fail)), ReadHeaderTimeout: 10 * time.Second}
	if c.TLS {
		conf, creds, err := mutual()
		if err != nil {
			return nil, errors.Join(err, l.Close(), files.Close())
		}
		s.creds, s.url = creds, "https"+strings.TrimPrefix(s.url, "http")
		s.http.ErrorLog = silent()
		l = tls.NewListener(l, conf)
	}
	s.work.Go(func() { _ = s.http.Serve(l) })
	return s, nil
}

// URL is the gateway's root.
func (s *Server) URL() string { return s.url }

// Credentials are what a client needs with TLS.
func (s *Server) Credentials() Credentials { return s.creds }

// Close stops the fake and removes its files.
func (s *Server) Close() error {
	s.cancel()
	err := s.http.Close()
	s.work.Wait()
	return errors.Join(err, s.files.Close())
}

// op names a request's operation, such as "POST /add_job".
func op(r *http.Request) string {
	return r.Method + " " + strings.TrimPrefix(r.URL.Path, "/v1/gateway")
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/gateway/add_job", s.customer(s.addJob))
	mux.HandleFunc("POST /v1/gateway/add_applicative_job", s.customer(s.addApplicative))
	mux.HandleFunc("GET /v1/gateway/get_status", s.customer(s.status))
	mux.HandleFunc("GET /v1/gateway/get_proof", s.customer(s.proof))
	mux.HandleFunc("GET /v1/gateway/is_alive", s.customer(func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, r, 200, map[string]any{"alive": true})
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.Violation(r, "no such route")
		http.NotFound(w, r)
	})
	return mux
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone if this fails
}

func fail(w http.ResponseWriter, status int) {
	reply(w, status, map[string]any{"code": "INTERNAL", "message": http.StatusText(status)})
}

func (s *Server) record(r *http.Request, status int, rec fake.Record) {
	rec.Method, rec.Path, rec.Status = r.Method, strings.TrimPrefix(r.URL.Path, "/v1/gateway"), status
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		rec.Key = r.TLS.PeerCertificates[0].Subject.CommonName
	}
	rec.Query = map[string]string{}
	for k, v := range r.URL.Query() {
		rec.Query[k] = strings.Join(v, ",")
	}
	s.Log.Add(rec)
}

// answer records a request and answers it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, v any) {
	s.record(r, status, fake.Record{})
	reply(w, status, v)
}

// customer lets requests through that name the customer.
func (s *Server) customer(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("customer_id")
		if id == "" || s.cfg.CustomerID != "" && id != s.cfg.CustomerID {
			s.answer(w, r, http.StatusForbidden,
				map[string]any{"code": "UNKNOWN_CUSTOMER", "message": "unknown customer"})
			return
		}
		next(w, r)
	}
}
