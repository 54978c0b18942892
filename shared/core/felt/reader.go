package felt

import (
	"fmt"
	"math"
)

// Reader takes felts off a list, one by one, and keeps the first fault. After a fault every read returns zeros, so a
// decoder asks for Err once at its end, and before it loops. Its errors wrap the one given to NewReader and name the
// word, counted from 0, before which reading stopped.
type Reader struct {
	words     []Felt
	at        int
	malformed error
	err       error
}

// NewReader returns a Reader of words, whose errors wrap malformed.
func NewReader(words []Felt, malformed error) *Reader {
	return &Reader{words: words, malformed: malformed}
}

// Err returns the first fault, nil for none.
func (r *Reader) Err() error { return r.err }

// At returns how many words were taken.
func (r *Reader) At() int { return r.at }

// Left returns how many words are left.
func (r *Reader) Left() int { return len(r.words) - r.at }

// Rest returns the words that are left, without taking them.
func (r *Reader) Rest() []Felt { return r.words[r.at:] }

// Fail keeps a fault of the caller's own, unless there was one before.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w at word %d: %s", r.malformed, r.at, fmt.Sprintf(format, args...))
	}
}

// Keep keeps err, a fault that some other function found and that wraps what callers look for, unless there was one
// before.
func (r *Reader) Keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Next takes one word of what.
func (r *Reader) Next(what string) Felt {
	if w := r.Take(what, 1); w != nil {
		return w[0]
	}
	return Zero
}

// Take takes n words of what; nil after a fault. The result shares the list's memory.
func (r *Reader) Take(what string, n int) []Felt {
	if r.err == nil && (n < 0 || n > r.Left()) {
		r.Fail("ends within %s", what)
	}
	if r.err != nil {
		return nil
	}
	r.at += n
	return r.words[r.at-n : r.at : r.at]
}

// Number takes a word that holds a number of at most most; 0 after a fault.
func (r *Reader) Number(what string, most int) int {
	w := r.Next(what)
	n, ok := w.Uint64()
	if r.err == nil && (!ok || n > uint64(max(most, 0))) {
		r.Fail("%s is %s, at most %d can be", what, w, most)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// Count takes a number of things that take at least size words each, so that a false one allocates nothing; 0 after a
// fault.
func (r *Reader) Count(what string, size int) int {
	n, ok := r.Next(what).Uint64()
	if !ok {
		n = math.MaxUint64
	}
	return r.Fits(what, n, size)
}

// Fits is Count for a number that was read already.
func (r *Reader) Fits(what string, n uint64, size int) int {
	if r.err == nil && n > uint64(r.Left()/size) {
		r.Fail("%s is %d where %d words are left", what, n, r.Left())
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// Flag takes a word that is 0 or 1.
func (r *Reader) Flag(what string) bool {
	w := r.Next(what)
	if n, ok := w.Uint64(); r.err == nil && (!ok || n > 1) {
		r.Fail("%s is %s, want 0 or 1", what, w)
	}
	return w == FromUint64(1)
}
