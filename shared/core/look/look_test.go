package look_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/look"
)

// nodes are some of which fail.
type nodes struct {
	fails []error // by node
	asked []int
}

// read asks the look's node, or the first that has not failed in it.
func (n *nodes) read(ctx context.Context) (int, error) {
	l := look.Of(ctx)
	at, ok := l.Node(n)
	for i := 0; !ok && i < len(n.fails); i++ {
		if !l.Gone(n, i) {
			at, ok = i, true
			l.Keep(n, i)
		}
	}
	n.asked = append(n.asked, at)
	if err := n.fails[at]; err != nil {
		return 0, fmt.Errorf("read: %w", l.Fail(n, at, len(n.fails), err))
	}
	return at, nil
}

// twice makes two reads, whose answers must be of one node.
func (n *nodes) twice(t *testing.T) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		one, err := n.read(ctx)
		if err != nil {
			return 0, err
		}
		two, err := look.Value(ctx, n.read) // a part of the same look
		if err == nil && one != two {
			t.Errorf("node %d answers, then node %d", one, two)
		}
		return two, err
	}
}

// Where a node fails, the look begins again on the next one, as long as there is one.
func TestValue(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for name, tt := range map[string]struct {
		fails []error
		want  int
		err   error
		asked []int
	}{
		"one node":    {[]error{nil}, 0, nil, []int{0, 0}},
		"the first":   {[]error{nil, nil}, 0, nil, []int{0, 0}},
		"it is down":  {[]error{down, nil}, 1, nil, []int{0, 1, 1}},
		"all are":     {[]error{down, down}, 0, down, []int{0, 1}},
		"the only is": {[]error{down}, 0, down, []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &nodes{fails: tt.fails}
			got, err := look.Value(t.Context(), n.twice(t))
			if !errors.Is(err, tt.err) || tt.err == nil && err != nil || got != tt.want {
				t.Errorf("%d, %v; want %d, %v", got, err, tt.want, tt.err)
			}
			if d := cmp.Diff(tt.asked, n.asked); d != "" {
				t.Error(d)
			}
		})
	}
}

// An answer ends the look, also after a failure that was got over; so does the end of its context.
func TestEnds(t *testing.T) {
	t.Parallel()
	refused, runs := errors.New("the contract refuses"), 0
	n := &nodes{fails: []error{errors.New("down"), nil}}
	err := look.Do(t.Context(), func(ctx context.Context) error {
		runs++
		_, _ = n.read(ctx)
		return refused
	})
	if !errors.Is(err, refused) || runs != 1 {
		t.Errorf("%v after %d runs", err, runs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	runs = 0
	err = look.Do(ctx, func(ctx context.Context) error {
		runs++
		cancel()
		_, err := n.read(ctx)
		return err
	})
	if err == nil || runs != 1 {
		t.Errorf("%v after %d runs of a look that has ended", err, runs)
	}
}

// A block that was seen stays seen where the look begins again; outside a look nobody could know of it.
func TestAtLeast(t *testing.T) {
	t.Parallel()
	n, least := &nodes{fails: []error{errors.New("down"), nil}}, []uint64{}
	err := look.Do(t.Context(), func(ctx context.Context) error {
		least = append(least, look.Of(ctx).Least())
		look.AtLeast(ctx, 7)
		look.AtLeast(ctx, 5)
		_, err := n.read(ctx)
		return err
	})
	if d := cmp.Diff([]uint64{0, 7}, least); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	defer func() {
		if recover() == nil {
			t.Error("outside a look it says nothing")
		}
	}()
	look.AtLeast(t.Context(), 1)
}

// Marks leave an error's text and cause as they are.
func TestMarks(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	for err, unreached := range map[error]bool{look.Unanswered(cause): false, look.Unreached(cause): true} {
		if !errors.Is(err, look.ErrUnanswered) || errors.Is(err, look.ErrUnreached) != unreached ||
			!errors.Is(err, cause) || err.Error() != cause.Error() {
			t.Errorf("%v: unreached %t", err, errors.Is(err, look.ErrUnreached))
		}
	}
}
