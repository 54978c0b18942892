// Package look is one look at a settlement layer that several nodes show: reads that belong together come from one of
// them. Nodes are never at the same block for long, so what is read of two of them may contradict itself: a nonce that
// one shows as used, by a transaction that the other does not have yet, looks like one that is lost to a third party.
package look

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrUnanswered says that a node gave no answer to a read: it is down, overloaded, limits our rate, or something before
// it answered. Another node may answer. A node's own answer, such as a contract's refusal, is never this.
var ErrUnanswered = errors.New("the node did not answer")

// Unanswered marks an error as ErrUnanswered; its text stays.
func Unanswered(err error) error { return unanswered{err} }

type unanswered struct{ error }

// Is says that it is ErrUnanswered.
func (unanswered) Is(target error) bool { return target == ErrUnanswered }

// Unwrap gives the cause.
func (u unanswered) Unwrap() error { return u.error }

// Look is what the reads of one look share. Safe for concurrent use.
type Look struct {
	mu    sync.Mutex
	nodes map[any]int          // the node that is asked, by set of nodes
	gone  map[any]map[int]bool // nodes that failed in this look
	again bool
}

type (
	lookKey  struct{}
	leastKey struct{}
)

// Do runs a look: within do, every read that is made with its context comes from one node. Where that node fails in the
// middle, do starts again from its beginning on the next node, as long as there is one; so do must be such that it can
// end anywhere and begin again. A look within a look is a part of it.
func Do(ctx context.Context, do func(ctx context.Context) error) error {
	if Of(ctx) != nil {
		return do(ctx)
	}
	l := &Look{nodes: map[any]int{}, gone: map[any]map[int]bool{}}
	for {
		err := do(context.WithValue(ctx, lookKey{}, l))
		if err == nil || ctx.Err() != nil || !l.restart() {
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

// AtLeast says that a block was seen before, as a document records it: a node that does not have it yet is not asked.
func AtLeast(ctx context.Context, block uint64) context.Context {
	if block <= Least(ctx) {
		return ctx
	}
	return context.WithValue(ctx, leastKey{}, block)
}

// Least is the highest block of AtLeast; 0 for none.
func Least(ctx context.Context) uint64 {
	n, _ := ctx.Value(leastKey{}).(uint64)
	return n
}

// Of is the look under way; nil for none.
func Of(ctx context.Context) *Look {
	l, _ := ctx.Value(lookKey{}).(*Look)
	return l
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

// Fail notes that a node of a set of n failed. The look keeps to it until it starts again.
func (l *Look) Fail(set any, node, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone[set] == nil {
		l.gone[set] = map[int]bool{}
	}
	l.gone[set][node] = true
	l.again = len(l.gone[set]) < n
}

// restart forgets which nodes are asked, if another one can take the place of one that failed.
func (l *Look) restart() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	again := l.again
	l.again = false
	clear(l.nodes)
	return again
}

// Lagging is the error of a node that does not have a block yet that was seen before.
type Lagging struct{ Head, Want uint64 }

// Error gives both blocks.
func (l Lagging) Error() string {
	return fmt.Sprintf("it lags: its newest block is %d, block %d was seen already", l.Head, l.Want)
}
