// Package fake has what the fakes of proving services share: faults by script, and a record of the requests.
package fake

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Fault is something that goes wrong with a request.
type Fault string

// Faults.
const (
	RateLimited  Fault = "rate limited"  // 429 with Retry-After
	Unavailable  Fault = "unavailable"   // 503 without a body
	Internal     Fault = "internal"      // 500, the service's own
	BadGateway   Fault = "bad gateway"   // 502, a load balancer's HTML page
	NoRoute      Fault = "no route"      // 404, a load balancer's text
	Refused      Fault = "refused"       // the connection is closed before the request is looked at
	LostResponse Fault = "lost response" // the request takes effect, then the connection is closed
	CutResponse  Fault = "cut response"  // half of the answer, then the connection is closed
	Garbage      Fault = "garbage"       // 200 with a body that is not an answer
	Slow         Fault = "slow"          // the request takes effect after a second
)

// Strike is a fault that strikes the next requests of an operation.
type Strike struct {
	Fault      Fault
	Op         string        // method and first part of the path, such as "POST /atlantic-query"; "" is any request
	Times      int           // how many requests; 0 is one, negative is all
	RetryAfter time.Duration // of RateLimited and Unavailable; 0 is none, less than a second is one
}

// Rates are how likely faults are, from 0 to 1, for runs that are to be disturbed at random.
type Rates struct {
	Seed   uint64
	Faults map[Fault]float64
}

// Faults disturbs requests. The zero value disturbs none. Safe for concurrent use.
type Faults struct {
	mu      sync.Mutex
	strikes []*Strike
	rates   Rates
	random  *rand.Rand
	struck  int
}

// Inject lets a fault strike.
func (t *Faults) Inject(s Strike) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.Times == 0 {
		s.Times = 1
	}
	t.strikes = append(t.strikes, &s)
}

// Random lets faults strike at random; the same seed strikes the same requests where they come in the same order.
func (t *Faults) Random(r Rates) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rates, t.random = r, rand.New(rand.NewPCG(r.Seed, 1))
}

// Clear ends all faults.
func (t *Faults) Clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.strikes, t.rates = nil, Rates{}
}

// Struck is how many requests were disturbed so far.
func (t *Faults) Struck() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.struck
}

// order is the order in which random faults are drawn.
var order = []Fault{RateLimited, Unavailable, Internal, BadGateway, NoRoute, Refused,
	LostResponse, CutResponse, Garbage, Slow}

// next is what strikes a request of op; nil for nothing.
func (t *Faults) next(op string) *Strike {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.strikes {
		if (s.Op == "" || s.Op == op) && s.Times != 0 {
			if s.Times > 0 {
				s.Times--
			}
			t.struck++
			c := *s
			return &c
		}
	}
	if len(t.rates.Faults) == 0 {
		return nil
	}
	draw := t.random.Float64()
	for _, f := range order {
		if draw -= t.rates.Faults[f]; draw < 0 {
			t.struck++
			return &Strike{Fault: f, RetryAfter: time.Second}
		}
	}
	return nil
}

// Wrap disturbs the requests to a handler. op names a request's operation. fail answers with an error of the service's
// own.
func (t *Faults) Wrap(next http.Handler, op func(*http.Request) string,
	fail func(http.ResponseWriter, int)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := t.next(op(r))
		if s == nil {
			next.ServeHTTP(w, r)
			return
		}
		switch s.Fault {
		case RateLimited:
			after(w, s.RetryAfter)
			fail(w, http.StatusTooManyRequests)
		case Unavailable:
			after(w, s.RetryAfter)
			w.WriteHeader(http.StatusServiceUnavailable)
		case Internal:
			fail(w, http.StatusInternalServerError)
		case BadGateway:
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprint(w, "<html><body>502 Bad Gateway</body></html>")
		case NoRoute:
			http.NotFound(w, r)
		case Refused:
			panic(http.ErrAbortHandler)
		case LostResponse:
			next.ServeHTTP(&sink{header: http.Header{}}, r)
			panic(http.ErrAbortHandler)
		case CutResponse:
			cut(w, r, next)
		case Garbage:
			fmt.Fprint(w, "{\"well\": tha")
		case Slow:
			select {
			case <-time.After(time.Second):
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		}
	})
}

func after(w http.ResponseWriter, d time.Duration) {
	if d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(max((d+time.Second-1)/time.Second, 1))))
	}
}

// sink keeps an answer that nobody gets.
type sink struct {
	header http.Header
	status int
	body   []byte
}

// Header implements http.ResponseWriter.
func (s *sink) Header() http.Header { return s.header }

// WriteHeader implements http.ResponseWriter.
func (s *sink) WriteHeader(status int) { s.status = status }

// Write implements http.ResponseWriter. It keeps a megabyte.
func (s *sink) Write(p []byte) (int, error) {
	if len(s.body) < 1<<20 {
		s.body = append(s.body, p...)
	}
	return len(p), nil
}

func cut(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := &sink{header: w.Header()}
	next.ServeHTTP(s, r)
	w.Header().Set("Content-Length", strconv.Itoa(len(s.body)))
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	_, _ = w.Write(s.body[:len(s.body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
