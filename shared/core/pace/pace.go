// Package pace learns how long the work of others takes: runs, proofs, aggregations, inclusions. A stage then asks near
// the expected end, where it would otherwise ask all the time. What is learned is a hint: if it is lost or wrong, a
// stage asks as often as without it.
package pace

import (
	"context"
	"math/bits"
	"slices"
	"strconv"
	"time"
)

// Kind is one kind of work of about one size.
type Kind struct {
	Work string // the stage, and the part of its work where it has several: "Aggregator/run"
	Size int    // a class of sizes, see Class; 0 where size does not matter
}

// Key names the kind, in stores.
func (k Kind) Key() string { return k.Work + "/" + strconv.Itoa(k.Size) }

// Class is the class of a size: each holds sizes up to twice as large as its smallest.
func Class(size uint64) int { return bits.Len64(size) }

// Sample is how long one piece of work took: longer than After, when it was found in progress last, and no longer than
// By, when it was found done.
type Sample struct {
	After, By time.Duration
	// Reported says that somebody outside reported when it was done: a webhook, an event.
	Reported bool
}

// Kept is how many samples of a kind are kept, the newest; with fewer than Least nothing is expected.
const (
	Kept  = 32
	Least = 5
)

// Summary is what is known of one kind of work: its last samples, the newest last.
type Summary struct{ Samples []Sample }

// Window is when work is expected to end, counted from its beginning. The zero value expects nothing.
type Window struct {
	From, To time.Duration
	// Reported says that somebody outside reports when the work ends, as a rule.
	Reported bool
}

// Known says whether anything is expected.
func (w Window) Known() bool { return w.To > 0 }

// The window leaves out what is unusual at both ends: of 32 samples about one. Work that takes longer is asked about as
// without history, work that is shorter is found by the early polls.
const (
	unusuallyShort = 0.03
	usual          = 0.98
)

// Of the newest samples at least nine in ten must have been reported for it to be the rule.
const newest = 10

// margin is the part of the window that is added before it, in percent: few samples are never the shortest there are,
// and much work is under way by the time it shows.
const margin = 10

// Expect is when work of the kind ends.
func (s Summary) Expect() Window {
	if len(s.Samples) < Least {
		return Window{}
	}
	reported, of := 0, s.Samples[max(0, len(s.Samples)-newest):]
	for _, x := range of {
		if x.Reported {
			reported++
		}
	}
	w := Window{From: s.quantile(unusuallyShort), To: s.quantile(usual), Reported: 10*reported >= 9*len(of)}
	w.From = max(0, w.From-(w.To-w.From)*margin/100)
	return w
}

// quantile is the time within which a part of the work ends: each sample's end is anywhere between After and By.
func (s Summary) quantile(part float64) time.Duration {
	var ends []time.Duration
	for _, x := range s.Samples {
		ends = append(ends, x.After, x.By)
	}
	slices.Sort(ends)
	was, at := 0.0, ends[0]
	for _, e := range slices.Compact(ends) {
		now := s.ended(e)
		if now >= part {
			if now > was {
				at += time.Duration((part - was) / (now - was) * float64(e-at))
			}
			return at
		}
		was, at = now, e
	}
	return at
}

// ended is the part of the work that ends within a time.
func (s Summary) ended(within time.Duration) float64 {
	sum := 0.0
	for _, x := range s.Samples {
		switch {
		case within >= x.By:
			sum++
		case within > x.After:
			sum += float64(within-x.After) / float64(x.By-x.After)
		}
	}
	return sum / float64(len(s.Samples))
}

// Valid says whether a sample can be: stores refuse others.
func (s Sample) Valid() bool { return s.After >= 0 && s.By > 0 && s.After <= s.By }

// Store keeps summaries. Safe for concurrent use. Samples may get lost, and a read may miss the newest.
type Store interface {
	// Summary returns what is known of a kind; an empty one where that is nothing.
	Summary(ctx context.Context, k Kind) (Summary, error)
	// Add adds a sample, in one operation, and drops the oldest beyond Kept. One that is not valid is dropped.
	Add(ctx context.Context, k Kind, s Sample) error
}
