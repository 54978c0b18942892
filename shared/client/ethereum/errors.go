package ethereum

import (
	"errors"
	"fmt"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// verdicts turn what nodes say of a sent transaction into the port's errors. Nodes share no error codes for these, so their
// texts decide: geth (core/txpool/errors.go, core/error.go), reth, erigon, nethermind and anvil, all in lower case. The first
// match counts.
var verdicts = []struct {
	text string
	err  error
}{
	{"already known", nil},
	{"known transaction", nil},
	{"already imported", nil},
	{"already in the pool", nil},
	{"nonce too low", tx.ErrNonceTooLow},
	{"nonce is too low", tx.ErrNonceTooLow},
	{"old nonce", tx.ErrNonceTooLow},
	{"underpriced", tx.ErrUnderpriced},
	{"replacement not allowed", tx.ErrUnderpriced},
	{"fee too low", tx.ErrUnderpriced},
	{"feetoolow", tx.ErrUnderpriced},
	{"less than block base fee", tx.ErrUnderpriced},
	{"max fee per gas less than", tx.ErrUnderpriced},
	{"max fee per blob gas", tx.ErrUnderpriced},
	{"below the minimum", tx.ErrUnderpriced},
	{"insufficient funds", tx.ErrInsufficientFunds},
	{"insufficientfunds", tx.ErrInsufficientFunds},
	{"exceeds the configured cap", tx.ErrRefused}, // node's own --rpc.txfeecap
	{"invalid chain id", tx.ErrRefused},
	{"invalid sender", tx.ErrRefused},
	{"exceeds block gas limit", tx.ErrRefused},
	{"exceeds transaction gas limit", tx.ErrRefused},
	{"gas limit too high", tx.ErrRefused},
	{"intrinsic gas too low", tx.ErrRefused},
	{"oversized data", tx.ErrRefused},
	{"transaction type not supported", tx.ErrRefused},
	{"too many blobs", tx.ErrRefused},
	{"blob", tx.ErrRefused}, // whatever else is wrong with blobs or their sidecar
	{"sidecar", tx.ErrRefused},
	{"invalid proof", tx.ErrRefused},
	{"tip above fee cap", tx.ErrRefused},
	{"max priority fee per gas higher than", tx.ErrRefused},
	{"rlp:", tx.ErrRefused},
}

// sendError translates a node's answer to eth_sendRawTransaction. nil is success; an error that says nothing about the
// transaction stays as it is.
func (n *Node) sendError(err error) error {
	if err == nil {
		return nil
	}
	text := strings.ToLower(err.Error())
	var said interface{ ErrorCode() int }
	if !errors.As(err, &said) { // not the node's answer: transport
		return n.wrap("send the transaction", err)
	}
	for _, v := range verdicts {
		if strings.Contains(text, v.text) {
			if v.err == nil {
				return nil
			}
			return fmt.Errorf("%w: %w", v.err, n.wrap("send the transaction", err))
		}
	}
	return n.wrap("send the transaction", err)
}
