package output

import (
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// UpdateWords cuts the whole output of a run down to the words of the state update, which the core contract takes.
//
// A SNOS run's output is those words. An aggregator's begins with its inputs: their number m, then m times the size
// (itself included) and data; the update's words follow, and trailing zeros may come after. Only the whole structure
// separates the two: inputs that lead to an update are inputs. An update itself can't be taken for them, as its first
// word is a root, which is not a small number.
func UpdateWords(whole []felt.Felt) ([]felt.Felt, error) {
	start, noInputs := SkipInputs(whole)
	var after error
	if noInputs == nil {
		var w []felt.Felt
		if w, after = update(whole[start:]); after == nil {
			return w, nil
		}
	}
	w, err := update(whole)
	switch {
	case err == nil:
		return w, nil
	case noInputs == nil:
		return nil, fmt.Errorf("after the aggregator's inputs: %w", after)
	}
	return nil, fmt.Errorf("neither a state update nor an aggregator's output: %w", noInputs)
}

// update returns the words without what may follow them.
func update(words []felt.Felt) ([]felt.Felt, error) {
	o, rest, err := Parse(words)
	if err != nil {
		return nil, err
	}
	if o.Kzg == nil {
		return words, nil
	}
	for i, w := range rest {
		if !w.IsZero() {
			return nil, fmt.Errorf("%w: word %d after the messages is %s, want 0",
				ErrMalformed, len(words)-len(rest)+i, w)
		}
	}
	return words[:len(words)-len(rest)], nil
}

// SkipInputs returns where an aggregator's inputs end.
func SkipInputs(whole []felt.Felt) (int, error) {
	r := felt.NewReader(whole, ErrMalformed)
	m := r.Number("number of inputs", len(whole))
	for i := 0; i < m && r.Err() == nil; i++ {
		size := r.Number("size of an input", r.Left())
		if size == 0 {
			r.Fail("an input of 0 words, want its size and what follows")
		}
		r.Take("an input", size-1)
	}
	if m == 0 {
		r.Fail("no inputs")
	}
	if r.Err() != nil {
		return 0, r.Err()
	}
	return r.At(), nil
}

// WithInputs puts an aggregator's inputs before a state update's words: what UpdateWords takes off again.
func WithInputs(inputs [][]felt.Felt, update []felt.Felt) []felt.Felt {
	w := []felt.Felt{felt.FromUint64(uint64(len(inputs)))}
	for _, in := range inputs {
		w = append(w, felt.FromUint64(uint64(len(in)+1)))
		w = append(w, in...)
	}
	return append(w, update...)
}
