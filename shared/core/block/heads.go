package block

import "context"

// Notice is what a node announces by itself: one of its fields is set.
type Notice struct {
	Head     *Header   // a new head
	Replaced *Replaced // the chain was reorganised
	// Missed says that nothing was heard for a while, so heads may have come meanwhile.
	Missed bool
}

// Replaced are blocks that the chain has no more: others come in their place.
type Replaced struct{ From, To uint64 }

// Announcer announces new heads. It is a hint, and no source: heads may be missing, repeated or reorganised away, so a
// caller that is woken reads the source.
type Announcer interface {
	// Heads calls f for every notice, one at a time, until ctx ends, whose cause it returns. A connection that breaks
	// is opened again. ErrWrongChain ends it.
	Heads(ctx context.Context, f func(Notice)) error
}
