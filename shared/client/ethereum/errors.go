package ethereum

import (
	"errors"
	"fmt"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// errSidecar says that the node wants the blobs in the other form. It comes with tx.ErrRefused.
var errSidecar = errors.New("sidecar has the wrong version")

// errKnown says that the node has the transaction already.
var errKnown = errors.New("transaction is known already")

// errPassing says that another time, or after another transaction, the node may take it.
var errPassing = errors.New("transaction can't be taken now")

// verdicts turn what nodes say of a sent transaction into the port's errors. Nodes share no error codes for these, so
// their texts decide, in lower case and without spaces: those of geth (core/error.go, core/txpool/errors.go and
// validation.go), anvil (crates/anvil/src/eth/error.rs), reth, erigon, nethermind (AcceptTxResult) and besu. The first
// match counts, so what is more special stands first.
var verdicts = []struct {
	text string
	err  error
}{
	{"unknown transaction type", tx.ErrRefused}, // before "known transaction"
	{"already known", errKnown},
	{"already imported", errKnown},
	{"already in the pool", errKnown},
	{"known transaction", errKnown},
	{"existing tx with same hash", errKnown},

	{"nonce too low", tx.ErrNonceTooLow},
	{"nonce is too low", tx.ErrNonceTooLow},
	{"old nonce", tx.ErrNonceTooLow},

	{"nonce too high", errPassing}, // a transaction before this one is missing
	{"nonce gap", errPassing},
	{"nonce too distant", errPassing},
	{"gapped", errPassing},
	{"pool is full", errPassing},
	{"pool full", errPassing},
	{"out of capacity", errPassing},
	{"already reserved", errPassing}, // pools of blob and other transactions don't share an account
	{"conflicting type", errPassing},
	{"limit exceeded: pooled", errPassing},
	{"in-flight transaction limit", errPassing},
	{"discarded", errPassing},
	{"syncing", errPassing},
	{"rate limit", errPassing},
	{"too many requests", errPassing},

	{"underpriced", tx.ErrUnderpriced},
	{"insufficient gas price", tx.ErrUnderpriced},
	{"gas price below", tx.ErrUnderpriced}, // geth and besu: the node's floor
	{"gas price too low", tx.ErrUnderpriced},
	{"replacement not allowed", tx.ErrUnderpriced},
	{"fee too low", tx.ErrUnderpriced},
	{"fee cap too low", tx.ErrUnderpriced},
	{"fee cap less than", tx.ErrUnderpriced},
	{"max fee per gas less than", tx.ErrUnderpriced},
	{"max fee per blob gas less than", tx.ErrUnderpriced},
	{"is greater than tx-specified `max_fee_per_blob_gas`", tx.ErrUnderpriced},
	{"below minimum", tx.ErrUnderpriced},
	{"below the minimum", tx.ErrUnderpriced},

	{"insufficient funds", tx.ErrInsufficientFunds},
	{"insufficient balance", tx.ErrInsufficientFunds},
	{"upfront cost exceeds", tx.ErrInsufficientFunds},
	{"lack of funds", tx.ErrInsufficientFunds},

	{"sidecar version", errSidecar},
	{"wrong sidecar format", errSidecar},
	{"4844 sidecar", errSidecar},
	{"7594 sidecar", errSidecar},
	{"proof version", errSidecar},
	{"wrapper version", errSidecar},
	{"wrapper_version", errSidecar},
	{"cell proof", errSidecar},
	{"cell_proof", errSidecar},
	{"rlp", errSidecar}, // a node that does not know the form can't read the transaction
	{"failed to decode", errSidecar},
	{"blob proofs expected", errSidecar},
	{"proofs compared to", errSidecar},

	{"exceeds the configured cap", tx.ErrRefused}, // the node's own --rpc.txfeecap
	{"chain id", tx.ErrRefused},
	{"signed for another chain", tx.ErrRefused},
	{"invalid sender", tx.ErrRefused},
	{"failed to resolve sender", tx.ErrRefused},
	{"not an eoa", tx.ErrRefused},
	{"account not eoa", tx.ErrRefused},
	{"sender is contract", tx.ErrRefused},
	{"gas limit", tx.ErrRefused}, // of the block, of a transaction, of the node
	{"gaslimit", tx.ErrRefused},
	{"intrinsic gas", tx.ErrRefused},
	{"floor data gas", tx.ErrRefused},
	{"oversized data", tx.ErrRefused},
	{"max tx size", tx.ErrRefused},
	{"not supported", tx.ErrRefused},
	{"too many blobs", tx.ErrRefused},
	{"blob limit exceeded", tx.ErrRefused},
	{"missing sidecar", tx.ErrRefused},
	{"blobless", tx.ErrRefused},
	{"kzg", tx.ErrRefused},
	{"invalid proof", tx.ErrRefused},
	{"blob hash", tx.ErrRefused},
	{"versioned hash", tx.ErrRefused},
	{"tip above fee cap", tx.ErrRefused},
	{"max priority fee per gas higher than", tx.ErrRefused},
	{"invalid transaction", tx.ErrRefused},
	{"invalid signature", tx.ErrRefused},
}

// squeeze makes a text comparable: lower case, no spaces ("OldNonce" and "old nonce" are one).
func squeeze(s string) string { return strings.ReplaceAll(strings.ToLower(s), " ", "") }

// verdict is the first of verdicts that a node's text matches; nil where none does.
func verdict(text string) error {
	text = squeeze(text)
	for _, v := range verdicts {
		if strings.Contains(text, squeeze(v.text)) {
			return v.err
		}
	}
	return nil
}

// answered says whether err is a node's answer to a request; anything else is a failure of the network.
func answered(err error) bool {
	var said interface{ ErrorCode() int }
	return errors.As(err, &said)
}

// sendError translates a node's answer to eth_sendRawTransaction. nil is success. An error that says nothing about the
// transaction stays as it is: the network may or may not have it.
func sendError(err error) error {
	if err == nil || !answered(err) {
		return err
	}
	switch v := verdict(err.Error()); v {
	case errKnown:
		return nil
	case nil, errPassing:
		return err
	case errSidecar:
		return fmt.Errorf("%w: %w: %w", tx.ErrRefused, errSidecar, err)
	default:
		return fmt.Errorf("%w: %w", v, err)
	}
}
