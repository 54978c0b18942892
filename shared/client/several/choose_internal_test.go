package several

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

var (
	errDown  = look.Unanswered(errors.New("no route"))
	errOther = errors.New("another chain")
)

// TestChoose: the first node that answers, serves the chain and has what was seen.
func TestChoose(t *testing.T) {
	t.Parallel()
	fine, down := sight{head: 100}, sight{head: 100, err: errDown}
	other := sight{err: errOther, wrong: true}
	for name, c := range map[string]struct {
		sights []sight
		l      limits
		want   int    // -1: none
		says   string // by the error
	}{
		"all are fine":                {[]sight{fine, fine}, limits{highest: 100}, 0, ""},
		"a little behind":             {[]sight{{head: 98}, fine}, limits{highest: 100, slack: 2}, 0, ""},
		"too far behind":              {[]sight{{head: 97}, fine}, limits{highest: 100, slack: 2}, 1, ""},
		"below what a document has":   {[]sight{{head: 99}, fine}, limits{highest: 100, least: 100, slack: 2}, 1, ""},
		"down":                        {[]sight{down, fine}, limits{highest: 100}, 1, ""},
		"another chain":               {[]sight{other, fine}, limits{highest: 100}, 1, ""},
		"failed in this look":         {[]sight{{head: 100, gone: true}, fine}, limits{highest: 100}, 1, ""},
		"first down, second lags":     {[]sight{down, {head: 90}, fine}, limits{highest: 100, slack: 2}, 2, ""},
		"all lag behind one that was": {[]sight{down, {head: 90}}, limits{highest: 100, slack: 2}, -1, "block 100 was"},
		"all lag behind the document": {[]sight{{head: 90}}, limits{highest: 90, least: 91}, -1, "block 91 was seen"},
		"all of another chain":        {[]sight{other, other}, limits{}, -1, "another chain"},
		"one of another, one down":    {[]sight{other, down}, limits{}, -1, "node 2: no route"},
	} {
		got, err := choose([]string{"node 1", "node 2", "node 3"}, c.sights, c.l)
		if (err != nil) != (c.want < 0) || err == nil && got != c.want {
			t.Errorf("%s: %d, %v; want %d", name, got, err, c.want)
		}
		if err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q in it", name, err, c.says)
		}
		if all := strings.HasPrefix(name, "all of another"); err != nil && errors.Is(err, errOther) != all {
			t.Errorf("%s: %v is the error of another chain: %t", name, err, !all)
		}
	}
}

// TestTop: no lower block lowers the highest one seen, until no node has shown it for long.
func TestTop(t *testing.T) {
	t.Parallel()
	at := func(m int) time.Time { return time.Date(2026, 1, 1, 0, m, 0, 0, time.UTC) }
	var seen top
	for _, c := range []struct {
		minute     int
		head, want uint64
	}{{0, 100, 100}, {1, 90, 100}, {9, 100, 100}, {18, 90, 100}, {20, 91, 91}, {21, 90, 91}, {22, 95, 95}} {
		if seen = seen.seen(c.head, at(c.minute)); seen.highest(at(c.minute)) != c.want {
			t.Errorf("minute %d: %d, want %d", c.minute, seen.highest(at(c.minute)), c.want)
		}
	}
	if got := seen.highest(at(40)); got != 0 {
		t.Errorf("long after: %d", got)
	}
}

// TestCombine: what counts of the answers of several nodes to one transaction, in any order.
func TestCombine(t *testing.T) {
	t.Parallel()
	gap := errors.New("nonce too high") // another time
	unreached := look.Unreached(errors.New("connection refused"))
	for _, c := range []struct {
		errs []error
		want error
	}{
		{[]error{nil}, nil},
		{[]error{errDown, nil}, nil}, // "already known" is nil too
		{[]error{tx.ErrRefused, nil}, nil},
		{[]error{tx.ErrNonceTooLow, nil}, nil},
		{[]error{tx.ErrUnderpriced, nil}, nil},
		{[]error{tx.ErrUnderpriced, tx.ErrNonceTooLow}, tx.ErrNonceTooLow},
		{[]error{errDown, tx.ErrNonceTooLow}, tx.ErrNonceTooLow},
		{[]error{errDown, tx.ErrUnderpriced}, tx.ErrUnderpriced},
		{[]error{tx.ErrRefused, tx.ErrUnderpriced}, tx.ErrUnderpriced},
		{[]error{tx.ErrInsufficientFunds, tx.ErrUnderpriced}, tx.ErrUnderpriced},
		{[]error{tx.ErrInsufficientFunds, errDown}, tx.ErrInsufficientFunds},
		{[]error{tx.ErrInsufficientFunds, tx.ErrRefused}, tx.ErrInsufficientFunds},
		{[]error{tx.ErrRefused, errDown}, errDown},
		{[]error{tx.ErrRefused, gap}, gap},
		{[]error{tx.ErrRefused, tx.ErrRefused}, tx.ErrRefused},
		{[]error{errNotOffered, tx.ErrRefused}, tx.ErrRefused},
		{[]error{unreached, tx.ErrRefused}, tx.ErrRefused},
		{[]error{unreached, gap}, gap},
		{[]error{unreached, errDown, tx.ErrRefused}, errDown},
		{[]error{unreached, errNotOffered}, unreached},
		{[]error{errNotOffered, nil}, nil},
		{[]error{errNotOffered, errNotOffered}, errNotOffered},
	} {
		for range 2 {
			wrapped := make([]error, len(c.errs))
			for i, err := range c.errs {
				if wrapped[i] = err; err != nil {
					wrapped[i] = fmt.Errorf("node %d: %w", i, err)
				}
			}
			got := combine(wrapped)
			if c.want == nil && got != nil || c.want != nil && !errors.Is(got, c.want) {
				t.Errorf("%v: %v, want %v", c.errs, got, c.want)
			}
			for i, j := 0, len(c.errs)-1; i < j; i, j = i+1, j-1 {
				c.errs[i], c.errs[j] = c.errs[j], c.errs[i]
			}
		}
	}
}
