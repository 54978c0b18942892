package appchain

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/dev/loopback"
)

// Chain is a running development chain. Safe for concurrent use.
type Chain struct {
	opts     Options
	listener net.Listener
	server   *http.Server
	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	done     sync.WaitGroup

	mu     sync.RWMutex
	first  uint64
	blocks []produced
	byHash map[felt.Felt]uint64
	state  *state
	world  *world    // nil for a recording
	rec    *recorded // nil for a produced chain
	heads  map[chan uint64]struct{}
	late   uint64 // blocks that a recording holds back until Advance
}

// Start produces the chain's first blocks and serves it.
func Start(o Options) (*Chain, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("configure development chain: %w", err)
	}
	c := newChain(o)
	c.world = newWorld(o)
	c.state = c.world.state
	c.Advance(o.Blocks)
	if err := c.serve(); err != nil {
		return nil, err
	}
	return c, nil
}

func newChain(o Options) *Chain {
	c := &Chain{opts: o, byHash: map[felt.Felt]uint64{}, heads: map[chan uint64]struct{}{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// serve opens the listener and starts the producer.
func (c *Chain) serve() error {
	l, err := net.Listen("tcp", c.opts.ListenAddr)
	if err != nil {
		return fmt.Errorf("serve development chain: %w", err)
	}
	c.listener = l
	c.server = &http.Server{Handler: loopback.Guard(c.handler()), ReadHeaderTimeout: 10 * time.Second}
	c.done.Go(func() { _ = c.server.Serve(l) })
	if c.opts.BlockInterval > 0 {
		c.done.Go(c.tick)
	}
	return nil
}

func (c *Chain) tick() {
	t := time.NewTicker(c.opts.BlockInterval)
	defer t.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-t.C:
			if !c.full() {
				c.Advance(1)
			}
		}
	}
}

func (c *Chain) full() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.opts.MaxBlocks > 0 && uint64(len(c.blocks)) >= c.opts.MaxBlocks
}

// Advance adds n blocks at once. A recording adds what it still holds back, see RecordingOptions.Held.
func (c *Chain) Advance(n int) {
	for range n {
		c.mu.Lock()
		switch {
		case c.world != nil:
			p := c.world.produce(uint64(len(c.blocks)))
			c.byHash[p.header.Hash] = p.header.Number
			c.blocks = append(c.blocks, p)
		case c.late > 0:
			c.late--
		}
		head := c.first + c.visible() - 1
		for ch := range c.heads {
			select {
			case ch <- head:
			default: // a subscriber that doesn't read catches up by the number it gets next
			}
		}
		c.mu.Unlock()
	}
}

// visible is the number of blocks that are served. Called with the lock held.
func (c *Chain) visible() uint64 { return uint64(len(c.blocks)) - c.late }

// Deliver hands messages of the settlement layer to the chain, whose next block consumes them. A recording ignores
// them.
func (c *Chain) Deliver(messages ...block.MessageToL2) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.world != nil {
		c.world.delivered = append(c.world.delivered, messages...)
	}
}

// MessagesToL2 returns the settlement layer's messages that the chain consumed so far, in order: what a core contract
// must hold before it accepts the batches.
func (c *Chain) MessagesToL2() []block.MessageToL2 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []block.MessageToL2
	for _, b := range c.blocks[:c.visible()] {
		for _, tx := range b.txs {
			if tx.toL2 != nil {
				out = append(out, *tx.toL2)
			}
		}
	}
	return out
}

// LookAhead returns the messages that a chain of these options will consume in its first blocks. A settlement layer
// must know them before such a chain, which may make its blocks with time, comes to them. made is called with the
// number of blocks that were made.
func LookAhead(o Options, blocks int, made func(n int)) ([]block.MessageToL2, error) {
	o.Blocks, o.MaxBlocks, o.BlockInterval = 0, 0, 0
	c, err := Start(o)
	if err != nil {
		return nil, fmt.Errorf("look ahead for messages: %w", err)
	}
	defer c.Close()
	c.Make(blocks, made)
	return c.MessagesToL2(), nil
}

// Make makes blocks one by one and calls made with their number after each.
func (c *Chain) Make(blocks int, made func(n int)) {
	for n := range blocks {
		c.Advance(1)
		made(n + 1)
	}
}

// Head returns the newest block's header; ok is false while there is none.
func (c *Chain) Head() (h block.Header, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.visible() == 0 {
		return block.Header{}, false
	}
	return c.blocks[c.visible()-1].header, true
}

// First returns the number of the first block that is served: 0 unless it serves a recording.
func (c *Chain) First() uint64 { return c.first }

// ChainID returns the chain's id.
func (c *Chain) ChainID() string { return c.opts.ChainID }

// Now returns the chain's own time: that of its newest block, or the genesis time.
func (c *Chain) Now() time.Time {
	if h, ok := c.Head(); ok {
		return h.Timestamp
	}
	return c.opts.GenesisTime
}

// URL returns the JSON-RPC address.
func (c *Chain) URL() string { return "http://" + c.listener.Addr().String() }

// WebsocketURL returns the address of the JSON-RPC over websocket, which serves subscriptions.
func (c *Chain) WebsocketURL() string { return "ws://" + c.listener.Addr().String() + "/ws" }

// GatewayURL returns the root of the feeder gateway.
func (c *Chain) GatewayURL() string { return c.URL() }

// Close stops producing and serving and waits for both to end. A second call does nothing.
func (c *Chain) Close() error {
	c.stop()
	err := c.server.Close()
	c.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}

// subscribe returns a channel that gets the head's number at every new block, and a function that ends it.
func (c *Chain) subscribe() (<-chan uint64, func()) {
	ch := make(chan uint64, 16)
	c.mu.Lock()
	c.heads[ch] = struct{}{}
	c.mu.Unlock()
	return ch, func() {
		c.mu.Lock()
		delete(c.heads, ch)
		c.mu.Unlock()
	}
}

// Listeners is how many websockets are subscribed to new heads.
func (c *Chain) Listeners() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.heads)
}

// block returns block n of those that are served.
func (c *Chain) block(n uint64) (produced, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if n < c.first || n-c.first >= c.visible() {
		return produced{}, false
	}
	return c.blocks[n-c.first], true
}

// Messages returns the messages of block n; ok is false when there is no such block.
func (c *Chain) Messages(n uint64) (m block.Messages, ok bool) {
	b, ok := c.block(n)
	for _, tx := range b.txs {
		m.ToL1 = append(m.ToL1, slices.Clone(tx.toL1)...)
		if tx.toL2 != nil {
			m.ToL2 = append(m.ToL2, *tx.toL2)
		}
	}
	return m, ok
}
