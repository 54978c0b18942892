package starknet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
	"github.com/madara-orchestrator/orchestrator/shared/dev/loopback"
)

// Server is the node.
type Server struct {
	fake.Faults
	c       *chain
	http    *http.Server
	url     string
	stop    chan struct{}
	stopped chan struct{}
	answers chan canned
}

// canned is an error that a method answers next.
type canned struct {
	method string
	err    rpcError
}

// maxCanned is how many errors may wait at once.
const maxCanned = 64

// Start starts a node.
func Start(o Options) (*Server, error) {
	c, err := newChain(o)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{
		c: c, url: "http://" + l.Addr().String(), stop: make(chan struct{}), stopped: make(chan struct{}),
		answers: make(chan canned, maxCanned),
	}
	fail := func(w http.ResponseWriter, status int) { http.Error(w, `{"message":"limit of requests"}`, status) }
	s.http = &http.Server{Handler: loopback.Guard(s.Wrap(slow(o.Latency, s.serve), method, fail)),
		ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(l) }()
	go s.produce(c.o.BlockInterval)
	return s, nil
}

// slow lets every request take some time before it is served.
func slow(d time.Duration, serve http.HandlerFunc) http.Handler {
	if d <= 0 {
		return serve
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			serve(w, r)
		case <-r.Context().Done():
		}
	})
}

// URL is where the node serves JSON-RPC.
func (s *Server) URL() string { return s.url }

// Form is the core contract's.
func (s *Server) Form() Form {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.c.seen().state.core.o.Form
}

// ChainID is the chain's id.
func (s *Server) ChainID() string { return s.c.o.ChainID }

// Close ends the node.
func (s *Server) Close() error {
	close(s.stop)
	<-s.stopped
	return s.http.Close()
}

// produce makes blocks at an interval.
func (s *Server) produce(every time.Duration) {
	defer close(s.stopped)
	if every <= 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.Mine(1)
		}
	}
}

// Mine closes n blocks, the first of what the pool holds.
func (s *Server) Mine(n int) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for range n {
		s.c.mine()
	}
}

// AcceptOnL1 has every closed block accepted on L1.
func (s *Server) AcceptOnL1() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.accepted = len(s.c.blocks) - 1
}

// Reorg takes the newest n blocks off the chain, and their transactions with them.
func (s *Server) Reorg(n int) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.blocks = s.c.blocks[:max(len(s.c.blocks)-n, 1)]
	s.c.accepted = min(s.c.accepted, len(s.c.blocks)-1)
	s.c.forks++
	for h, r := range s.c.receipts {
		if r.block >= uint64(len(s.c.blocks)) {
			delete(s.c.receipts, h)
		}
	}
}

// Drop empties the pool.
func (s *Server) Drop() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.pool = nil
}

// Reject takes the next transaction and rejects it afterwards for a reason.
func (s *Server) Reject(reason string) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.toReject = append(s.c.toReject, reason)
}

// Lag has reads show the chain as it was n blocks ago, without a pool; 0 ends it.
func (s *Server) Lag(n uint64) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.lag = n
}

// SetPrices sets the next blocks' prices of L2 gas and L1 data gas, in fri.
func (s *Server) SetPrices(l2, data *big.Int) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.prices.l2, s.c.prices.data = l2, data
}

// Answer has the next call of a method answered with an error; data nil is none.
func (s *Server) Answer(method string, code int, message string, data any) {
	s.answers <- canned{method, rpcError{code, message, data}}
}

// RegisterFact registers a fact at once, from the next block on and in the newest.
func (s *Server) RegisterFact(f felt.Felt) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	w := s.c.tip().state.clone()
	w.facts[f] = true
	s.c.tip().state = w
}

// Upgrade puts another class in the core contract's place, at once.
func (s *Server) Upgrade(f Form) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	w := s.c.tip().state.clone()
	w.core.o.Form = f
	s.c.tip().state = w
}

// Settled returns what the core contract holds: root, block number (P-1 for none) and block hash.
func (s *Server) Settled() (root, number, hash felt.Felt) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	k := &s.c.tip().state.core
	return k.root, k.number, k.blockHash
}

// method names a request's JSON-RPC method, and leaves the body to be read again.
func method(r *http.Request) string {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	r.Body = io.NopCloser(bytes.NewReader(raw))
	var q struct {
		Method string `json:"method"`
	}
	if err != nil || json.Unmarshal(raw, &q) != nil {
		return ""
	}
	return q.Method
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

type response struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  string          `json:"method"`
		Params  json.RawMessage `json:"params"`
	}
	out := response{Version: "2.0"}
	switch err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&q); {
	case err != nil:
		out.Error = &rpcError{-32700, "Parse error", err.Error()}
	case q.Version != "2.0" || len(q.ID) == 0 || r.Method != http.MethodPost:
		out.Error = &rpcError{-32600, "Invalid Request", nil}
	default:
		out.ID = q.ID
		if out.Error = s.canned(q.Method); out.Error == nil {
			out.Result, out.Error = s.named(q.Method, q.Params)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

// canned is the scripted error of a method, if one waits.
func (s *Server) canned(method string) *rpcError {
	for range len(s.answers) {
		select {
		case a := <-s.answers:
			if a.method == method {
				return &a.err
			}
			s.answers <- a
		default:
			return nil
		}
	}
	return nil
}
