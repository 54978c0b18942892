package starknet

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Error codes of the Starknet API (starknet-specs, starknet_api_openrpc.json and starknet_write_api.json).
const (
	codeContractNotFound    = 20
	codeNoEntrypoint        = 21
	codeBlockNotFound       = 24
	codeTransactionNotFound = 29
	codeNoBlocks            = 32
	codeContractError       = 40
	codeExecutionError      = 41
	codeInvalidNonce        = 52
	codeResources           = 53
	codeBalance             = 54
	codeValidation          = 55
	codeNonAccount          = 58
	codeDuplicate           = 59
	codeVersion             = 61
	codeUnexpected          = 63
	codeUnderpriced         = 64
	codeFeeTooLow           = 65
	codeInvalidParams       = -32602
)

// code is the error code that a node answered with; 0 for none.
func code(err error) int {
	var e *rpcError
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

var (
	// errKnown says that the node has, or had, the transaction.
	errKnown = errors.New("transaction is known already")
	// errNonce says that the node wants another nonce.
	errNonce = errors.New("nonce is not the next one")
	// errPassing says that the node, or the network, may take it another time.
	errPassing = errors.New("transaction can't be taken now")
)

// texts decide where a code stands for several failures, in lower case. They are those of the blockifier, which nodes
// hand on (transaction/errors.rs), and of the sequencer's gateway and mempool. The first match counts.
var texts = []struct {
	text string
	err  error
}{
	{"nonce", errNonce},
	{"exceed balance", tx.ErrInsufficientFunds},
	{"exceeds balance", tx.ErrInsufficientFunds},
	{"insufficient balance", tx.ErrInsufficientFunds},
	{"smaller than the transaction's maximal fee", tx.ErrInsufficientFunds},
	{"resource bounds were not satisfied", tx.ErrUnderpriced},
	{"lower than the actual gas price", tx.ErrUnderpriced},
	{"gas price is too low", tx.ErrUnderpriced},
	{"max gas price", tx.ErrUnderpriced},
	{"max fee", tx.ErrUnderpriced},
	{"underpriced", tx.ErrUnderpriced},
	{"tip is too low", tx.ErrUnderpriced},
	{"already exists", errKnown},
	{"invalid signature", tx.ErrRefused},
	{"invalid-owner-sig", tx.ErrRefused},
	{"not deployed", tx.ErrRefused},
	{"calldata", tx.ErrRefused},
}

// verdict translates a node's answer to a sent transaction: nil where there is none, or err says nothing about the
// transaction, errPassing where it may pass another time, else this file's or the port's errors.
func verdict(err error) error {
	var e *rpcError
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code {
	case codeDuplicate:
		return errKnown
	case codeInvalidNonce:
		return errNonce
	case codeResources, codeUnderpriced, codeFeeTooLow:
		return tx.ErrUnderpriced
	case codeBalance:
		return tx.ErrInsufficientFunds
	case codeNonAccount, codeVersion, codeInvalidParams:
		return tx.ErrRefused
	case codeValidation, codeUnexpected, codeExecutionError:
		lower := strings.ToLower(e.Message + " " + e.detail())
		for _, t := range texts {
			if strings.Contains(lower, t.text) {
				return t.err
			}
		}
		if e.Code == codeValidation {
			return tx.ErrRefused
		}
	}
	return errPassing
}

// nonceWords are words for a nonce that is not the account's next one: the blockifier's (transaction/errors.rs,
// TransactionPreValidationError::InvalidNonce), and those of starknet-devnet 0.8.1. Nodes answer them to estimates too,
// under the code of failed executions.
var nonceWords = []string{"invalid transaction nonce", "account transaction nonce is invalid"}

// nonceRefusal says whether a node refused to run a transaction because of its nonce: the contract was never called.
func nonceRefusal(err error) bool {
	var e *rpcError
	if !errors.As(err, &e) {
		return false
	}
	text := strings.ToLower(e.Message + " " + e.detail())
	return e.Code == codeInvalidNonce ||
		slices.ContainsFunc(nonceWords, func(words string) bool { return strings.Contains(text, words) })
}

const (
	// maxReason bounds how much of a reason is kept, in bytes.
	maxReason = 500
	// maxDepth bounds how many nested calls of a reason are looked at.
	maxDepth = 32
)

// detail is the text of an error's data: a text itself, or the innermost text of nested calls.
func (e *rpcError) detail() string {
	raw := e.Data
	for range maxDepth {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return text
		}
		var o struct {
			Revert    json.RawMessage `json:"revert_error"`
			Execution json.RawMessage `json:"execution_error"`
			Error     json.RawMessage `json:"error"`
			Reason    json.RawMessage `json:"reason"`
		}
		if json.Unmarshal(raw, &o) != nil {
			break
		}
		switch {
		case len(o.Execution) > 0:
			raw = o.Execution
		case len(o.Revert) > 0:
			raw = o.Revert
		case len(o.Error) > 0:
			raw = o.Error
		case len(o.Reason) > 0:
			raw = o.Reason
		default:
			return ""
		}
	}
	return ""
}
