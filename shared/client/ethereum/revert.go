package ethereum

import (
	"encoding/hex"
	"errors"
	"regexp"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// meaning says what the core contract's refusals mean to an operator and what to look at.
var meaning = map[string]string{
	"ONLY_OPERATOR":                           "the wallet is no operator of the core contract: register it, or configure the wallet that is",
	"INVALID_PREV_BLOCK_NUMBER":               "the update does not start at the block after the contract's: an earlier update is missing, or this one is settled already",
	"INVALID_PREV_BLOCK_HASH":                 "the update starts from another block hash than the contract holds: the chain was reorganised, or the contract is another chain's",
	"INVALID_PREVIOUS_ROOT":                   "the update starts from another state root than the contract holds: the chain was reorganised, or the contract is another chain's",
	"INVALID_BLOCK_NUMBER":                    "the update does not go forward: its last block is not above the contract's",
	"UNEXPECTED_KZG_DA_FLAG":                  "the program output is for the other kind of data availability: check whether SNOS ran with KZG data availability",
	"INVALID_NUMBER_OF_KZG_PROOFS":            "the program output names another number of blobs than there are proofs",
	"INVALID_KZG_PROOF_SIZE":                  "a KZG proof has not 48 bytes",
	"INVALID_KZG_COMMITMENT":                  "a commitment in the program output is out of range",
	"INVALID_BLOB_HASH":                       "the transaction carries fewer blobs than the program output names",
	"INVALID_Y_VALUE":                         "an evaluation in the program output is out of range",
	"POINT_EVALUATION_PRECOMPILE_CALL_FAILED": "a KZG proof does not fit blob, z and y: blobs and program output are not of the same run",
	"PROGRAM_OUTPUT_VALUE_OUT_OF_RANGE":       "a word of the program output is not below the field's prime",
	"INVALID_CONFIG_HASH":                     "SNOS ran with another configuration (chain id, fee token, DA keys) than the contract was set up with",
	"FULL_OUTPUT_NOT_SUPPORTED":               "SNOS ran with full output, which is for the aggregator: settle the aggregator's output",
	"AGGREGATOR_MODE_INVALID_OS_PROGRAM_HASH": "the aggregator ran over another SNOS version than the contract takes: update the program hash or the SNOS version",
	"NO_STATE_TRANSITION_PROOF":               "the fact is not registered on the verifier (yet): the proof is not on chain, or program hashes differ",
	"INVALID_MESSAGE_TO_CONSUME":              "the update consumes a message from L1 that the contract does not know, or that was consumed or cancelled",
	"INVALID_MESSAGE_SEGMENT_SIZE":            "the messages in the program output do not fit their sizes",
	"STARKNET_OUTPUT_TOO_LONG":                "words follow the messages in the program output",
	"STARKNET_OUTPUT_TOO_SHORT":               "the program output ends early",
	"ONLY_REGISTRAR":                          "the wallet may not register facts on the development registry",
}

// codePattern is what the contracts' reasons look like.
var codePattern = regexp.MustCompile(`\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b`)

// maxReason bounds how much of a reason is kept, in bytes.
const maxReason = 500

// revertOf returns the refusal that a node's error tells of, or nil when it tells of none.
func revertOf(err error) *tx.RevertError {
	if err == nil {
		return nil
	}
	text := err.Error()
	var de rpc.DataError
	if errors.As(err, &de) {
		if s, ok := de.ErrorData().(string); ok {
			if raw, herr := hex.DecodeString(strings.TrimPrefix(s, "0x")); herr == nil && len(raw) > 0 {
				return decodeRevert(raw)
			}
		}
		text = de.Error()
	}
	if i := strings.Index(text, "revert"); i >= 0 {
		return newRevert(text[i:])
	}
	return nil
}

// decodeRevert reads the data that a call reverted with: Error(string), Panic(uint256) or a custom error.
func decodeRevert(raw []byte) *tx.RevertError {
	reason, err := abi.UnpackRevert(raw)
	if err != nil {
		return &tx.RevertError{Detail: "unknown reason " + clip("0x"+hex.EncodeToString(raw))}
	}
	return newRevert(reason)
}

func newRevert(reason string) *tx.RevertError {
	reason = clip(strings.ToValidUTF8(reason, "?"))
	code := codePattern.FindString(reason)
	if detail, ok := meaning[code]; ok {
		return &tx.RevertError{Code: code, Detail: detail}
	}
	return &tx.RevertError{Code: code, Detail: reason}
}

func clip(s string) string {
	if len(s) > maxReason {
		return strings.ToValidUTF8(s[:maxReason], "") + "..."
	}
	return s
}
