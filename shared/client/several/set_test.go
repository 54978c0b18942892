package several_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/several"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

var (
	errDown  = look.Unanswered(errors.New("no route"))
	errOther = errors.New("another chain")
)

// bench is a set of nodes with what each says.
type bench struct {
	*several.Set
	heads  []uint64
	errs   []error // of probes
	probes int
	now    time.Time
	log    bytes.Buffer
}

func setup(heads ...uint64) *bench {
	b := &bench{heads: heads, errs: make([]error, len(heads)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b.Set = several.New(several.Options{
		Names: []string{"node 1", "node 2", "node 3"}[:len(heads)], Slack: 2, WrongChain: errOther,
		Now: func() time.Time { return b.now },
		Probe: func(_ context.Context, i int) (uint64, error) {
			b.probes++
			return b.heads[i], b.errs[i]
		},
		Each: func(n int, do func(int)) {
			for i := range n {
				do(i)
			}
		},
		Log: slog.New(slog.NewTextHandler(&b.log, nil)),
	})
	return b
}

// read is one read that fails on some nodes; asked are those that were asked.
func (b *bench) read(ctx context.Context, asked *[]int, fails ...int) error {
	return b.Read(ctx, func(_ context.Context, node int) error {
		*asked = append(*asked, node)
		if slices.Contains(fails, node) {
			return errDown
		}
		return nil
	})
}

// A look that a node leaves in the middle begins again on the next one, with all its reads.
func TestLookBeginsAgain(t *testing.T) {
	t.Parallel()
	b := setup(100, 100, 100)
	var asked []int
	began := 0
	err := look.Do(t.Context(), func(ctx context.Context) error {
		began++
		if err := b.read(ctx, &asked); err != nil {
			return err
		}
		return look.Do(ctx, func(ctx context.Context) error { return b.read(ctx, &asked, 0, 1) }) // a part of it
	})
	if err != nil || began != 3 || !slices.Equal(asked, []int{0, 0, 1, 1, 2, 2}) {
		t.Errorf("%v, begun %d times, asked %v", err, began, asked)
	}
	asked = nil
	if err := b.read(t.Context(), &asked); err != nil || !slices.Equal(asked, []int{2}) {
		t.Errorf("the next look: %v, asked %v: want the node that did not fail", err, asked)
	}
	b.now = b.now.Add(time.Minute)
	asked = nil
	if err := b.read(t.Context(), &asked); err != nil || !slices.Equal(asked, []int{0}) {
		t.Errorf("a minute later: %v, asked %v: want the first again", err, asked)
	}
}

// Where an answer is an error, it is the answer: nobody else is asked. Nor where the caller has given up.
func TestAnswersStand(t *testing.T) {
	t.Parallel()
	b := setup(100, 100)
	refused := errors.New("reverted")
	n := 0
	if err := b.Read(t.Context(), func(context.Context, int) error { n++; return refused }); !errors.Is(err, refused) ||
		n != 1 {
		t.Errorf("%v after %d reads", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	err := b.Read(ctx, func(context.Context, int) error { n++; cancel(); return errDown })
	if !errors.Is(err, look.ErrUnanswered) || n != 1 {
		t.Errorf("given up: %v after %d reads", err, n)
	}
	var asked []int
	if err := b.read(t.Context(), &asked); err != nil || !slices.Equal(asked, []int{0}) {
		t.Errorf("then %v, asked %v: none of it was the node's fault", err, asked)
	}
}

// A node that lags is left out until it has caught up; where all lag, nobody is believed.
func TestLaggingNode(t *testing.T) {
	t.Parallel()
	b := setup(90, 100)
	var asked []int
	if err := b.read(t.Context(), &asked); err != nil || !slices.Equal(asked, []int{1}) {
		t.Fatalf("%v, asked %v", err, asked)
	}
	if text := b.log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "block 100 was seen") {
		t.Errorf("log: %s", text)
	}
	b.now, asked = b.now.Add(time.Minute), nil
	b.errs[1] = errDown
	err := b.read(t.Context(), &asked)
	if err == nil || len(asked) > 0 || !strings.Contains(err.Error(), "node 1: it lags") ||
		!strings.Contains(err.Error(), "node 2: no route") {
		t.Errorf("%v, asked %v: the one that lags was believed", err, asked)
	}
	b.heads[0] = 99 // within the slack
	if err := b.read(t.Context(), &asked); err != nil || !slices.Equal(asked, []int{0}) {
		t.Errorf("caught up: %v, asked %v", err, asked)
	}
	asked = nil
	err = look.Do(t.Context(), func(ctx context.Context) error {
		look.AtLeast(ctx, 100)
		return b.read(ctx, &asked)
	})
	if err == nil || len(asked) > 0 {
		t.Errorf("%v, asked %v: it does not have a block that a document records", err, asked)
	}
	b.heads[0], b.now = 50, b.now.Add(time.Hour) // set back: what was seen an hour ago does not count
	if err := b.read(t.Context(), &asked); err != nil || !slices.Equal(asked, []int{0}) {
		t.Errorf("set back: %v, asked %v", err, asked)
	}
}

// What a look has seen is not forgotten when it begins again on another node.
func TestSeenOutlivesANewBeginning(t *testing.T) {
	t.Parallel()
	b := setup(100, 99) // within the slack
	var asked []int
	err := look.Do(t.Context(), func(ctx context.Context) error {
		if err := b.read(ctx, &asked); err != nil {
			return err
		}
		look.AtLeast(ctx, 100) // a transaction is in it
		return b.read(ctx, &asked, 0)
	})
	if err == nil || !slices.Equal(asked, []int{0, 0}) {
		t.Errorf("%v, asked %v: the second one does not have the block", err, asked)
	}
}

// A node that shows an older block than it did is one that lags.
func TestNodeThatGoesBack(t *testing.T) {
	t.Parallel()
	b := setup(100, 98)
	var asked []int
	_ = b.read(t.Context(), &asked)
	b.heads[0], b.now = 90, b.now.Add(time.Minute)
	if err := b.read(t.Context(), &asked); err != nil || !slices.Equal(asked, []int{0, 1}) {
		t.Errorf("%v, asked %v", err, asked)
	}
	b.heads[1], b.now = 90, b.now.Add(time.Minute)
	if err := b.read(t.Context(), &asked); err == nil {
		t.Errorf("asked %v: block 100 was seen", asked)
	}
}

// A look begins again for the error of a node that failed, and not for another one after a failure that was got over.
func TestOnlyAFailureBeginsAgain(t *testing.T) {
	t.Parallel()
	b := setup(100, 100)
	var asked []int
	began, other := 0, errors.New("the database is gone")
	err := look.Do(t.Context(), func(ctx context.Context) error {
		began++
		_ = b.read(ctx, &asked, 0)
		return other
	})
	if !errors.Is(err, other) || began != 1 {
		t.Errorf("%v, begun %d times", err, began)
	}
	b.now, began = b.now.Add(time.Minute), 0
	err = look.Do(t.Context(), func(ctx context.Context) error {
		began++
		if err := b.read(ctx, &asked, 0); err != nil {
			return job.RetryAfter(time.Second, fmt.Errorf("read the wallet: %w", err))
		}
		return nil
	})
	if err != nil || began != 2 {
		t.Errorf("%v, begun %d times", err, began)
	}
}

// A node that does not answer holds nobody up for long once another one has taken what is offered; where none has, all
// are waited for.
func TestOfferDoesNotWaitForTheSlowest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := several.New(several.Options{Names: []string{"node 1", "node 2", "node 3"}, Now: time.Now})
		offer := func(after ...time.Duration) (time.Duration, error) {
			began := time.Now()
			err := s.Offer(t.Context(), func(ctx context.Context, i int) error {
				select {
				case <-ctx.Done():
					return look.Unanswered(ctx.Err())
				case <-time.After(after[i]):
				}
				if i == 1 {
					return errDown
				}
				return nil
			})
			return time.Since(began), err
		}
		if took, err := offer(time.Second, 0, time.Minute); err != nil || took != 3*time.Second {
			t.Errorf("%v after %s", err, took)
		}
		if took, err := offer(time.Second, 2*time.Second, time.Second); err != nil || took != 2*time.Second {
			t.Errorf("%v after %s", err, took)
		}
		if took, err := offer(20*time.Second, 0, 20*time.Second); err != nil || took != 20*time.Second {
			t.Errorf("%v after %s", err, took)
		}
	})
}

// A node that turns out to serve another chain when it is offered something did not get it.
func TestOfferToAnotherChain(t *testing.T) {
	t.Parallel()
	b := setup(100, 100)
	err := b.Offer(t.Context(), func(_ context.Context, i int) error {
		return []error{fmt.Errorf("checked: %w", errOther), tx.ErrRefused}[i]
	})
	if !errors.Is(err, tx.ErrRefused) {
		t.Errorf("got %v, want %v", err, tx.ErrRefused)
	}
}

// A node of another chain is left out and logged once; if all are, the error is that.
func TestAnotherChain(t *testing.T) {
	t.Parallel()
	b := setup(5_000, 100)
	b.errs[0] = errOther
	for range 5 {
		var asked []int
		if err := b.read(t.Context(), &asked); err != nil || !slices.Equal(asked, []int{1}) {
			t.Fatalf("%v, asked %v", err, asked)
		}
		b.now = b.now.Add(time.Minute)
	}
	if n := strings.Count(b.log.String(), "\n"); n != 1 {
		t.Errorf("%d lines: %s", n, b.log.String())
	}
	offered := []int{}
	err := b.Offer(t.Context(), func(_ context.Context, i int) error { offered = append(offered, i); return nil })
	if err != nil || !slices.Equal(offered, []int{1}) {
		t.Errorf("offered to %v, %v", offered, err)
	}
	detail, err := b.Look(t.Context())
	if err != nil || detail != "1 of 2 nodes can be used: node 1: another chain; node 2: answers" {
		t.Errorf("%s, %v", detail, err)
	}
	b.errs[1] = errOther
	b.now = b.now.Add(time.Minute)
	var asked []int
	if err := b.read(t.Context(), &asked); !errors.Is(err, errOther) || len(asked) > 0 {
		t.Errorf("%v, asked %v", err, asked)
	}
	if _, err := b.Look(t.Context()); !errors.Is(err, errOther) {
		t.Error(err)
	}
}

// What a node said counts for some seconds; a node that failed is not asked for a while, unless no other can be.
func TestProbes(t *testing.T) {
	t.Parallel()
	b := setup(100, 100)
	var asked []int
	for range 5 {
		_ = b.read(t.Context(), &asked)
	}
	if b.probes != 2 {
		t.Errorf("%d probes", b.probes)
	}
	b.errs[0] = errDown
	for range 2 { // 30 seconds
		for range 3 {
			b.now = b.now.Add(5 * time.Second)
			_ = b.read(t.Context(), &asked)
		}
	}
	if b.probes != 2+4 { // the first one at 10 s, the other at 10, 20 and 30 s
		t.Errorf("%d probes in 30 s", b.probes)
	}
	b.errs[1] = errDown
	b.now = b.now.Add(15 * time.Second)
	if err := b.read(t.Context(), &asked); err == nil {
		t.Error("both are down")
	}
	b.errs[0] = nil
	asked = nil
	if err := b.read(t.Context(), &asked); err != nil || !slices.Equal(asked, []int{0}) {
		t.Errorf("one is back: %v, asked %v", err, asked)
	}
}
