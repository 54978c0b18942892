// Package rewind is what operators do about batches that can't be settled as they are: all unsettled batches from one
// on are discarded and their blocks are batched again. It holds the record of that (State), the rule by which
// everything else knows what was discarded (Stale), the decision whether it may be done (decide.go), and the port to
// the store.
package rewind

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

var (
	// ErrConflict says that the stored version is not the one the caller read.
	ErrConflict = errors.New("the record of rewinds was changed by another writer")
	// ErrActive says that a rewind is under way.
	ErrActive = errors.New("a rewind is under way")
)

// Rewind is one of them. Its document alone says that batches are discarded: from the moment it is stored nothing acts
// on a document of an older epoch whose batch is not below From.
type Rewind struct {
	Epoch uint64 // that documents have which are written after it; from 1
	// From is the first discarded batch: an aggregator batch, on an L3 a SNOS batch. It only grows, and only while the
	// rewind is under way: where a transaction of a batch was signed meanwhile, that batch and those below it stay.
	From uint64
	// FromSnos is the first discarded SNOS batch; on an L3 From.
	FromSnos uint64
	Asked    uint64 // From as it was asked for
	By       string
	Reason   string
	At       time.Time
	// Dead are the hashes of recorded transactions of the discarded batches that can't be mined any more.
	Dead []string
	// Gone is the lowest batch that is discarded for good, 0 before there is one: its jobs that send are removed, and
	// From can't come to lie above it any more. Nothing else of a batch is removed before. In the end it is From.
	Gone      uint64
	Discarded int    // batches that are discarded by now
	Note      string // why From is not Asked
	DoneAt    time.Time
}

// Active says whether the rewind is under way.
func (r Rewind) Active() bool { return r.DoneAt.IsZero() }

// State is the record of the chain's rewinds, the newest last.
type State struct {
	Rewinds []Rewind
	Version uint64 // grows with every write; 0: nothing is stored
}

// Kept is how many rewinds the record keeps. Older ones discarded what was settled again long ago.
const Kept = 50

// Epoch is the epoch that new documents have; 0 before the first rewind.
func (s State) Epoch() uint64 {
	if n := len(s.Rewinds); n > 0 {
		return s.Rewinds[n-1].Epoch
	}
	return 0
}

// Active returns the rewind that is under way.
func (s State) Active() (Rewind, bool) {
	if n := len(s.Rewinds); n > 0 && s.Rewinds[n-1].Active() {
		return s.Rewinds[n-1], true
	}
	return Rewind{}, false
}

// Kind is which of the two kinds of batches an index counts.
type Kind bool

// The kinds of batches.
const (
	Snos       Kind = false
	Aggregator Kind = true
)

// KindOf is the kind of batches that a stage works on.
func KindOf(l stage.Layer, n stage.Name) Kind { return Kind(l.OnAggregator(n)) }

// Stale says whether a document of a batch, written in an epoch, was discarded: a later rewind began at its batch or
// below.
func (s State) Stale(k Kind, index, epoch uint64) bool {
	return slices.ContainsFunc(s.Rewinds, func(r Rewind) bool {
		from := r.FromSnos
		if k == Aggregator {
			from = r.From
		}
		return epoch < r.Epoch && index >= from
	})
}

// Later says whether a document is of an epoch that this record does not know: a rewind began after it was read. What
// whoever has it read before may be gone, so nothing is to be concluded from both.
func (s State) Later(epoch uint64) bool { return epoch > s.Epoch() }

// Clone returns a copy that shares nothing that can be changed.
func (s State) Clone() State {
	s.Rewinds = slices.Clone(s.Rewinds)
	for i := range s.Rewinds {
		s.Rewinds[i].Dead = slices.Clone(s.Rewinds[i].Dead)
	}
	return s
}

// Begin returns the record with one more rewind, which is under way. ErrActive while another one is.
func (s State) Begin(r Rewind) (State, error) {
	if _, active := s.Active(); active {
		return s, ErrActive
	}
	s = s.Clone()
	r.Epoch, r.DoneAt = s.Epoch()+1, time.Time{}
	s.Rewinds = append(s.Rewinds, r)
	s.Rewinds = s.Rewinds[max(0, len(s.Rewinds)-Kept):]
	return s, nil
}

// With returns the record with the newest rewind changed.
func (s State) With(change func(*Rewind)) State {
	s = s.Clone()
	change(&s.Rewinds[len(s.Rewinds)-1])
	return s
}

// Store keeps the record. Reads see every acknowledged write. Safe for concurrent use.
type Store interface {
	// Get returns the record; an empty one where nothing was rewound.
	Get(ctx context.Context) (State, error)
	// Put replaces the record if its stored version is s.Version, and returns it with Version+1. Otherwise ErrConflict.
	Put(ctx context.Context, s State) (State, error)
}

// Of reads a store's record; a nil store has an empty one.
func Of(ctx context.Context, s Store) (State, error) {
	if s == nil {
		return State{}, nil
	}
	return s.Get(ctx)
}
