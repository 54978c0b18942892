package snosrunner

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// Background is a runner that works after Submit has returned, and posts to a task's Callback when the run has ended.
type Background struct {
	*Runner
	takes time.Duration
	ctx   context.Context
	stop  context.CancelFunc
	runs  sync.WaitGroup

	mu       sync.Mutex
	running  map[string]bool // by handle
	reported int             // callbacks that were taken
	fault    error           // why the last one that failed was not
}

// NewBackground makes a runner's runs take a time, at least. Close ends them.
func NewBackground(r *Runner, takes time.Duration) *Background {
	b := &Background{Runner: r, takes: takes, running: map[string]bool{}}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b
}

// Submit implements snos.Runner.
func (b *Background) Submit(_ context.Context, t snos.Task) (string, error) {
	handle := handleOf(t)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.running[handle] {
		b.running[handle] = true
		b.runs.Go(func() { b.work(handle, t) })
	}
	return handle, nil
}

// work runs a task and says that it has ended. A run that fails is lost, and submitted again.
func (b *Background) work(handle string, t snos.Task) {
	select {
	case <-b.ctx.Done():
		return
	case <-time.After(b.takes):
	}
	_, err := b.Runner.Submit(b.ctx, t)
	b.mu.Lock()
	delete(b.running, handle)
	b.mu.Unlock()
	if err == nil && t.Callback != "" {
		err = b.report(t.Callback)
		b.mu.Lock()
		defer b.mu.Unlock()
		if err != nil {
			b.fault = err
		} else {
			b.reported++
		}
	}
}

// report posts to a task's callback. That it fails costs the orchestrator time and nothing else, so it is not repeated.
func (b *Background) report(url string) error {
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	resp, err := caller.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("the callback was answered with %s", resp.Status)
	}
	return nil
}

// caller takes names below localhost for this machine, as RFC 6761 has it: the emulator's APIs have such names, and not
// every resolver knows them.
var caller = &http.Client{Transport: &http.Transport{
	DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(addr); err == nil && strings.HasSuffix(host, ".localhost") {
			addr = net.JoinHostPort("127.0.0.1", port)
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	},
}}

// Status implements snos.Runner.
func (b *Background) Status(ctx context.Context, handle string) (snos.Progress, error) {
	b.mu.Lock()
	running := b.running[handle]
	b.mu.Unlock()
	if running {
		return snos.Progress{State: snos.Running}, ctx.Err()
	}
	return b.Runner.Status(ctx, handle)
}

// Reported is how many callbacks were taken, and why the last one that failed was not.
func (b *Background) Reported() (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reported, b.fault
}

// Close ends what runs.
func (b *Background) Close() error {
	b.stop()
	b.runs.Wait()
	return nil
}
