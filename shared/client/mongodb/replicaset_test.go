package mongodb_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// commands keeps what the driver sends.
type commands struct {
	mu   sync.Mutex
	sent []bson.Raw
}

func (c *commands) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sent = append(c.sent, append(bson.Raw{}, e.Command...))
	}}
}

// find returns the first command of a name.
func (c *commands) find(name string) bson.Raw {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.sent {
		if _, err := x.LookupErr(name); err == nil {
			return x
		}
	}
	return nil
}

func newJob(n uint64) job.Job {
	m := &job.SnosRunMeta{StartBlock: n, EndBlock: n, StarknetVersion: "0.14.4"}
	return job.New(job.NewID(), n, m, "", time.Now().UTC().Truncate(time.Millisecond))
}

// Whatever a URI says, writes are acknowledged by a majority and are sent so that they can be tried again once (a
// transaction number), and reads are of what a majority has.
func TestURIsAreCorrected(t *testing.T) {
	t.Parallel()
	rs := tools.MongodReplicaSet(t)
	for i, query := range []string{"", "&w=1", "&w=0", "&retryWrites=false",
		"&w=1&retryWrites=false&retryReads=false&readPreference=secondary&readConcernLevel=local&journal=false"} {
		seen := &commands{}
		db, err := mongodb.Connect(mongodb.Config{URI: rs.URI + query, Database: "uris", Monitor: seen.monitor()})
		if err != nil {
			t.Errorf("%q: %v", query, err)
			continue
		}
		j := newJob(uint64(i))
		if err := db.Jobs().Create(t.Context(), j); err != nil {
			t.Errorf("%q: %v", query, err)
		}
		if _, err := db.Jobs().Get(t.Context(), j.ID); err != nil {
			t.Errorf("%q: %v", query, err)
		}
		write, read := seen.find("insert"), seen.find("find")
		if write == nil || read == nil {
			t.Fatalf("%q: no insert or no find was sent", query)
		}
		if w, _ := write.Lookup("writeConcern", "w").StringValueOK(); w != "majority" {
			t.Errorf("%q: write concern %v", query, write.Lookup("writeConcern"))
		}
		if _, err := write.LookupErr("txnNumber"); err != nil {
			t.Errorf("%q: the write can't be tried again: %v", query, err)
		}
		if level, _ := read.Lookup("readConcern", "level").StringValueOK(); level != "majority" {
			t.Errorf("%q: read concern %v", query, read.Lookup("readConcern"))
		}
		if mode, ok := read.Lookup("$readPreference", "mode").StringValueOK(); ok && mode != "primary" {
			t.Errorf("%q: read preference %s", query, mode)
		}
		if err := db.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
}

// What can't be corrected is refused without showing the URI; DocumentDB, which has no retryable writes, is taken as it
// is.
func TestURIsAreRefused(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"mongodb://hunter2:p@db.example/?directConnection=true": "directConnection",
		"mongodb://127.0.0.1:1/?directConnection=true":          "",
		"mongodb://hunter2@": "not valid", "http://hunter2": "not valid",
		"mongodb://h/?w=hunter2&journal=perhaps":                                                    "not valid",
		"mongodb://u:p@c.cluster-x.eu-west-1.docdb.amazonaws.com:27017/?tls=true&retryWrites=false": "",
	} {
		db, err := mongodb.Connect(mongodb.Config{URI: uri, Database: "x"})
		if (err == nil) != (want == "") ||
			err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v, want %q", uri, err, want)
		}
		if db != nil {
			_ = db.Close(context.WithoutCancel(t.Context()))
		}
	}
}

// The primary steps down and is killed again and again while jobs are written: no write that was acknowledged is lost,
// and each compare-and-set wins once, whatever its caller was answered.
func TestElections(t *testing.T) {
	t.Parallel()
	rs := tools.MongodReplicaSet(t)
	db, err := mongodb.Connect(mongodb.Config{URI: rs.URI, Database: "elections", PoolSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context()))
	store := db.Jobs()
	if err := store.EnsureIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	const rounds = 4
	stop, won := make(chan struct{}), make(chan time.Time)
	type written struct {
		id   string
		wins uint64 // updates that were answered with success
	}
	var writers sync.WaitGroup
	results := make([]written, 3)
	for w := range results {
		writers.Go(func() {
			j := newJob(uint64(w + 1))
			for store.Create(t.Context(), j) != nil {
				if _, err := store.Get(t.Context(), j.ID); err == nil { // the answer was lost, the write was not
					break
				}
			}
			results[w].id = j.ID
			for {
				select {
				case <-stop:
					return
				default:
				}
				began := time.Now()
				now, err := store.Get(t.Context(), j.ID)
				if err != nil {
					continue
				}
				now.Generation++
				if _, err := store.Update(t.Context(), now); err == nil {
					results[w].wins++
					select {
					case won <- began:
					case <-stop:
						return
					}
				}
			}
		})
	}
	for i := range rounds {
		change := rs.StepDown
		if i%2 == 1 {
			change = rs.Kill
		}
		if err := change(t.Context()); err != nil {
			t.Errorf("round %d: %v", i, err)
		}
		for changed := time.Now(); (<-won).Before(changed); { // until something is read and written at the new primary
		}
	}
	close(stop)
	writers.Wait()
	for _, r := range results {
		j, err := store.Get(t.Context(), r.id)
		if err != nil || uint64(j.Version) < r.wins+1 {
			t.Errorf("job %s: version %d, %v; %d updates were acknowledged", r.id, j.Version, err, r.wins)
		}
		if r.wins == 0 {
			t.Error("nothing was written between the elections")
		}
		t.Logf("%d updates acknowledged, version %d", r.wins, j.Version)
	}
}

// router stands between the driver and mongod, and forgets connections without a word as a NAT gateway does.
type router struct {
	address string
	mu      sync.Mutex
	epoch   int
	release chan struct{}
}

func newRouter(t *testing.T, target string) *router {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &router{address: l.Addr().String(), release: make(chan struct{})}
	t.Cleanup(func() { close(r.release); _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				_ = in.Close()
				continue
			}
			epoch := r.now()
			for _, p := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(p[0], &forgetful{p[1], r, epoch})
					_ = p[0].Close()
				}()
			}
		}
	}()
	return r
}

func (r *router) now() int { r.mu.Lock(); defer r.mu.Unlock(); return r.epoch }

// forget drops whatever is sent from now on over connections that exist.
func (r *router) forget() { r.mu.Lock(); r.epoch++; r.mu.Unlock() }

type forgetful struct {
	net.Conn
	r     *router
	epoch int
}

// Read passes nothing on once the connection is forgotten, and does not end either.
func (f *forgetful) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if f.r.now() != f.epoch {
		<-f.r.release
		return 0, io.EOF
	}
	return n, err
}

// Connections that were forgotten while the function was frozen are not used: the first read after it succeeds at once.
// With connections that are trusted for longer it fails, after its whole time.
func TestFrozenConnections(t *testing.T) {
	t.Parallel()
	uri := tools.Mongod(t)
	for name, tt := range map[string]struct {
		idle  time.Duration
		fails bool
	}{"the idle time has passed": {time.Nanosecond, false}, "trusted for too long": {time.Hour, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRouter(t, strings.TrimPrefix(uri, "mongodb://"))
			db, err := mongodb.Connect(mongodb.Config{URI: "mongodb://" + r.address, Database: "frozen",
				IdleTime: tt.idle, Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close(context.WithoutCancel(t.Context()))
			if _, err := db.Jobs().Get(t.Context(), "none"); !errors.Is(err, job.ErrNotFound) {
				t.Fatal(err)
			}
			r.forget()
			_, err = db.Jobs().Get(t.Context(), "none")
			if errors.Is(err, job.ErrNotFound) == tt.fails {
				t.Errorf("the first read afterwards: %v", err)
			}
		})
	}
}
