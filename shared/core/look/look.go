// Package look is one look at a settlement layer that several nodes show: reads that belong together come from one of
// them. Nodes are never at the same block for long, so what is read of two of them may contradict itself: a nonce that
// one shows as used, by a transaction that the other does not have yet, looks like one that is lost to a third party.
package look

import (
	"context"
	"errors"
	"sync"
)

// ErrUnanswered says that a node gave no answer to a read: it is down, overloaded, limits our rate, or something before
// it answered. Another node may answer. A node's own answer, such as a contract's refusal, is never this.
var ErrUnanswered = errors.New("the node did not answer")

// ErrUnreached is ErrUnanswered of a node that surely did not get the request.
var ErrUnreached = errors.New("the request did not reach the node")

// Unanswered marks an error as ErrUnanswered; its text stays.
func Unanswered(err error) error { return marked{err, false} }

// Unreached marks an error as ErrUnanswered and ErrUnreached; its text stays.
func Unreached(err error) error { return marked{err, true} }

type marked struct {
	error
	unreached bool
}

// Is says that it is ErrUnanswered, and whether it is ErrUnreached.
func (m marked) Is(target error) bool {
	return target == ErrUnanswered || m.unreached && target == ErrUnreached
}

// Unwrap gives the cause.
func (m marked) Unwrap() error { return m.error }

// Look is what the reads of one look share. Safe for concurrent use.
type Look struct {
	mu    sync.Mutex
	nodes map[any]int          // the node that is asked, by set of nodes
	gone  map[any]map[int]bool // nodes that failed in this look
	least uint64               // the highest block of AtLeast; it outlives a new beginning
}

type lookKey struct{}

// Do runs a look: within do, every read that is made with its context comes from one node. Where that node fails in the
// middle, and do returns that error, do starts again from its beginning on the next node, as long as there is one; so
// do must be such that it can end anywhere and begin again. A look within a look is a part of it.
func Do(ctx context.Context, do func(ctx context.Context) error) error {
	if Of(ctx) != nil {
		return do(ctx)
	}
	l := &Look{nodes: map[any]int{}, gone: map[any]map[int]bool{}}
	for {
		err := do(context.WithValue(ctx, lookKey{}, l))
		if ctx.Err() != nil || !l.restart(err) {
			return err
		}
	}
}

// Value is Do for what returns a value.
func Value[T any](ctx context.Context, do func(ctx context.Context) (T, error)) (out T, err error) {
	err = Do(ctx, func(ctx context.Context) error {
		out, err = do(ctx)
		return err
	})
	return out, err
}

// AtLeast notes in the look under way that a block was seen, as a document records it: a node that does not have it is
// not chosen, also where the look begins again. Outside a look it would mean nothing, so that it panics there.
func AtLeast(ctx context.Context, block uint64) {
	l := Of(ctx)
	if l == nil {
		panic("look.AtLeast outside a look")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.least = max(l.least, block)
}

// Of is the look under way; nil for none.
func Of(ctx context.Context) *Look {
	l, _ := ctx.Value(lookKey{}).(*Look)
	return l
}

// Least is the highest block of AtLeast; 0 for none.
func (l *Look) Least() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.least
}

// Node is the node of a set that this look asks.
func (l *Look) Node(set any) (node int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	node, ok = l.nodes[set]
	return node, ok
}

// Keep has this look ask a node of a set from now on.
func (l *Look) Keep(set any, node int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodes[set] = node
}

// Gone says whether a node failed in this look.
func (l *Look) Gone(set any, node int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone[set][node]
}

// Fail notes that a node of a set of n failed. The look keeps to it until it starts again, which it does where the
// error that Fail returns, or one that wraps it, is how it ends.
func (l *Look) Fail(set any, node, n int, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone[set] == nil {
		l.gone[set] = map[int]bool{}
	}
	l.gone[set][node] = true
	return &failure{err, l, len(l.gone[set]) < n}
}

// failure is the error of a node that failed in a look.
type failure struct {
	error
	look  *Look
	again bool // another node can take its place
}

// Unwrap gives the cause.
func (f *failure) Unwrap() error { return f.error }

// restart forgets which nodes are asked, if the look ended because one failed that another one can take the place of.
// Other errors are answers: what failed before them was got over.
func (l *Look) restart(err error) bool {
	var f *failure
	if !errors.As(err, &f) || f.look != l || !f.again {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.nodes)
	return true
}
