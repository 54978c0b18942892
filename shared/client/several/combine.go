package several

import (
	"cmp"
	"errors"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// errNotOffered says that a node was not offered the transaction: it serves another chain.
var errNotOffered = look.Unreached(errors.New("the node serves another chain"))

// combine is what came of a transaction that was offered to several nodes.
//
// One that took it, or has it already, is enough: it passes it on to the others. A used nonce is looked up before
// anything else is done. A node that wants higher fees decides over one that gave no answer, for a replacement has the
// same nonce, so that it harms nothing if that node did take this one; otherwise a node that is down could keep it from
// being replaced. So does one that finds the wallet empty, which only a person can change. Where a node gave no answer,
// or may take it later, the transaction may be in the network: it is asked about again. Only what every node that got
// it refuses is refused: a node that surely did not get it, as one that can't be connected to, has no say.
func combine(errs []error) error {
	return slices.MinFunc(errs, func(a, b error) int { return cmp.Compare(rankOf(a), rankOf(b)) })
}

// rankOf says how much a node's answer counts beside others: the lowest decides.
func rankOf(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, tx.ErrNonceTooLow):
		return 1
	case errors.Is(err, tx.ErrUnderpriced):
		return 2
	case errors.Is(err, tx.ErrInsufficientFunds):
		return 3
	case errors.Is(err, errNotOffered):
		return 7
	case errors.Is(err, look.ErrUnreached):
		return 6
	case errors.Is(err, tx.ErrRefused):
		return 5
	}
	return 4 // no answer, or one that says: another time
}
