package felt_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

var errMalformed = errors.New("malformed thing")

func words(t *testing.T, ns ...int64) []felt.Felt {
	t.Helper()
	out := make([]felt.Felt, len(ns))
	for i, n := range ns {
		f, err := felt.FromBig(new(big.Int).Mod(big.NewInt(n), felt.Prime()))
		if err != nil {
			t.Fatal(err)
		}
		out[i] = f
	}
	return out
}

// TestReader reads lists with one method each: what is returned, how many words it takes, and the first fault.
func TestReader(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words []int64
		read  func(*felt.Reader) int
		want  int
		at    int
		fault string
	}{
		"next": {[]int64{7, 8}, func(r *felt.Reader) int { return int(number(r.Next("x"))) }, 7, 1, ""},
		"next, none left": {nil, func(r *felt.Reader) int { return int(number(r.Next("x"))) },
			0, 0, "at word 0: ends within x"},
		"take":         {[]int64{7, 8, 9}, func(r *felt.Reader) int { return len(r.Take("x", 2)) }, 2, 2, ""},
		"take nothing": {nil, func(r *felt.Reader) int { return len(r.Take("x", 0)) }, 0, 0, ""},
		"take too much": {[]int64{7}, func(r *felt.Reader) int { return len(r.Take("x", 2)) },
			0, 0, "ends within x"},
		"take less than 0": {[]int64{7}, func(r *felt.Reader) int { return len(r.Take("x", -1)) },
			0, 0, "ends within x"},
		"number": {[]int64{3}, func(r *felt.Reader) int { return r.Number("x", 3) }, 3, 1, ""},
		"number, too large": {[]int64{4}, func(r *felt.Reader) int { return r.Number("x", 3) },
			0, 1, "at word 1: x is 0x4, at most 3 can be"},
		"number, of a felt": {[]int64{-1}, func(r *felt.Reader) int { return r.Number("x", 3) },
			0, 1, "at most 3 can be"},
		"number, below 0": {[]int64{1}, func(r *felt.Reader) int { return r.Number("x", -5) },
			0, 1, "at most -5 can be"},
		"count": {[]int64{2, 0, 0, 0, 0, 0}, func(r *felt.Reader) int { return r.Count("x", 2) },
			2, 1, ""},
		"count, one too far": {[]int64{3, 0, 0, 0, 0, 0}, func(r *felt.Reader) int { return r.Count("x", 2) },
			0, 1, "x is 3 where 5 words are left"},
		"count, of a felt": {[]int64{-1, 0}, func(r *felt.Reader) int { return r.Count("x", 1) },
			0, 1, "where 1 words are left"},
		"flag":          {[]int64{1}, func(r *felt.Reader) int { return truth(r.Flag("x")) }, 1, 1, ""},
		"flag, not set": {[]int64{0}, func(r *felt.Reader) int { return truth(r.Flag("x")) }, 0, 1, ""},
		"flag, another": {[]int64{2}, func(r *felt.Reader) int { return truth(r.Flag("x")) },
			0, 1, "x is 0x2, want 0 or 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := felt.NewReader(words(t, c.words...), errMalformed)
			if got := c.read(r); got != c.want || r.At() != c.at || r.Left() != len(c.words)-c.at {
				t.Errorf("read %d, %d words taken, %d left; want %d and %d taken", got, r.At(), r.Left(), c.want, c.at)
			}
			err := r.Err()
			if c.fault == "" && err != nil {
				t.Errorf("fault %v", err)
			}
			if c.fault != "" && (!errors.Is(err, errMalformed) || !strings.HasSuffix(err.Error(), c.fault)) {
				t.Errorf("fault %v, want one of %q", err, c.fault)
			}
		})
	}
}

// TestReaderKeepsTheFirstFault reads on after a fault: nothing is taken any more, and the first fault stays.
func TestReaderKeepsTheFirstFault(t *testing.T) {
	t.Parallel()
	r := felt.NewReader(words(t, 1, 2, 3), errMalformed)
	first := errors.New("first")
	r.Keep(first)
	r.Keep(errors.New("second"))
	r.Fail("third")
	if w := r.Next("x"); !w.IsZero() || r.Take("x", 2) != nil || r.Count("x", 1) != 0 || r.At() != 0 {
		t.Errorf("%d words taken after a fault", r.At())
	}
	if !errors.Is(r.Err(), first) {
		t.Errorf("fault %v, want the first one", r.Err())
	}
}

func number(f felt.Felt) uint64 {
	n, _ := f.Uint64()
	return n
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
