package starknet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Archive reads publications back: the calldata of their transactions, which are parts of the chain's blocks. It is a
// da.Archive that costs one read a transaction.
type Archive struct{ node *Node }

var _ da.Archive = (*Archive)(nil)

// NewArchive returns the archive that a node is. It makes no request.
func NewArchive(n *Node) *Archive { return &Archive{n} }

// Kept implements da.Archive: calldata is kept as long as the chain.
func (*Archive) Kept() time.Duration { return 0 }

// Ping implements da.Archive.
func (a *Archive) Ping(ctx context.Context) error { return a.node.Ping(ctx) }

// argumentsAt is where in calldata of one call the arguments' number and the arguments are: behind the number of
// calls, the contract and the selector.
const argumentsAt = 3

// Check implements da.Archive. What counts is what a reader uses, the call's arguments: the contract that is called may
// have been changed in the settings since.
func (a *Archive) Check(ctx context.Context, s da.Sent) error {
	want, err := calldataOf(s.Payload)
	if err != nil {
		return fmt.Errorf("what was sent: %w", err)
	}
	h, err := felt.FromHex(s.Hash)
	if err != nil {
		return fmt.Errorf("transaction hash: %w", err)
	}
	var t struct {
		Calldata []felt.Felt `json:"calldata"`
	}
	err = a.node.call(ctx, getTransaction, &t, h)
	if code(err) == codeTransactionNotFound {
		return fmt.Errorf("transaction %s: %w", s.Hash, da.ErrMissing)
	}
	if err != nil {
		return err
	}
	if t.Calldata == nil {
		return a.node.wrap(getTransaction, errors.New("the transaction has no calldata"))
	}
	return compare(s.Hash, t.Calldata, want)
}

// compare compares the arguments of one call in calldata.
func compare(hash string, have, want []felt.Felt) error {
	if len(have) < argumentsAt || have[0] != want[0] {
		return fmt.Errorf("transaction %s is not one call with arguments: %w", hash, da.ErrDiffers)
	}
	have, want = have[argumentsAt:], want[argumentsAt:]
	if slices.Equal(have, want) {
		return nil
	}
	for i := range min(len(have), len(want)) {
		if have[i] != want[i] {
			return fmt.Errorf("transaction %s: felt %d of its calldata is %s, %s was sent: %w",
				hash, argumentsAt+i, have[i], want[i], da.ErrDiffers)
		}
	}
	return fmt.Errorf("transaction %s: its calldata has %d felts, %d were sent: %w",
		hash, argumentsAt+len(have), argumentsAt+len(want), da.ErrDiffers)
}
