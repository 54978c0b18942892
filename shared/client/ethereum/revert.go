package ethereum

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// meaning says what the core contract's refusals mean to an operator and what to look at.
var meaning = map[string]string{
	"ONLY_OPERATOR": "the wallet is not an operator of the core contract: register it, or " +
		"configure the wallet that is",
	"INVALID_PREV_BLOCK_NUMBER": "the update does not start at the block after the contract's: an " +
		"earlier update is missing, or this one is settled already",
	"INVALID_PREV_BLOCK_HASH": "the update starts from another block hash than the contract holds: " +
		"the chain was reorganised, or the contract is another chain's",
	"INVALID_PREVIOUS_ROOT": "the update starts from another state root than the contract holds: " +
		"the chain was reorganised, or the contract is another chain's",
	"INVALID_BLOCK_NUMBER": "the update does not go forward: its last block is not above the " +
		"contract's",
	"UNEXPECTED_KZG_DA_FLAG": "the program output is for the other kind of data availability: check " +
		"whether SNOS ran with KZG data availability",
	"INVALID_NUMBER_OF_KZG_PROOFS": "the program output names another number of blobs than there are proofs",
	"INVALID_KZG_PROOF_SIZE":       "a KZG proof is not 48 bytes long",
	"INVALID_KZG_COMMITMENT":       "a commitment in the program output is out of range",
	"INVALID_BLOB_HASH":            "the transaction carries fewer blobs than the program output names",
	"INVALID_Y_VALUE":              "an evaluation in the program output is out of range",
	"POINT_EVALUATION_PRECOMPILE_CALL_FAILED": "a KZG proof does not fit blob, z and y: blobs and program output are " +
		"not of the same run",
	"PROGRAM_OUTPUT_VALUE_OUT_OF_RANGE": "a word of the program output is not below the field's prime",
	"INVALID_CONFIG_HASH": "SNOS ran with another configuration (chain id, fee token, DA keys) " +
		"than the contract was set up with",
	"FULL_OUTPUT_NOT_SUPPORTED": "SNOS ran with full output, which is for the aggregator: settle the " +
		"aggregator's output",
	"AGGREGATOR_MODE_INVALID_OS_PROGRAM_HASH": "the aggregator ran over another SNOS version than the contract " +
		"takes: update the program hash or the SNOS version",
	"NO_STATE_TRANSITION_PROOF": "the fact is not registered on the verifier (yet): the proof is not " +
		"on chain, or program hashes differ",
	"INVALID_MESSAGE_TO_CONSUME": "the update consumes a message from L1 that the contract does not " +
		"know, or that was consumed or cancelled",
	"INVALID_MESSAGE_SEGMENT_SIZE": "the messages in the program output do not fit their sizes",
	"STARKNET_OUTPUT_TOO_LONG":     "words follow the messages in the program output",
	"STARKNET_OUTPUT_TOO_SHORT":    "the program output ends early",
	"ONLY_REGISTRAR":               "the wallet may not register facts on the development registry",
}

// refusals are the contract's words that are not permanent. Block hash and root are compared where the block numbers
// are equal: where they differ, the contract holds another history, and time does not change that.
var refusals = map[string]tx.Refusal{
	"INVALID_PREV_BLOCK_NUMBER":               tx.NotYet,
	"NO_STATE_TRANSITION_PROOF":               tx.Unproven,
	"AGGREGATOR_MODE_INVALID_OS_PROGRAM_HASH": tx.Unconfigured,
	"INVALID_CONFIG_HASH":                     tx.Unconfigured,
}

// codePattern is what the contracts' reasons look like.
var codePattern = regexp.MustCompile(`\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b`)

// maxReason bounds how much of a reason is kept, in bytes.
const maxReason = 500

// halts are failures of a call that nodes do not report as reverts and that will not pass.
var halts = []string{"invalid opcode", "invalid jump", "stack underflow", "stack limit reached", "out of gas"}

// allowance is what nodes say of a call that takes more gas than it may (geth, eth/gasestimator).
const allowance = "gas required exceeds allowance"

// revertOf returns the refusal in a node's answer, or nil if there is none.
func revertOf(err error) *tx.RevertError {
	if err == nil || !answered(err) {
		return nil
	}
	text := err.Error()
	var de rpc.DataError
	if errors.As(err, &de) {
		text = de.Error()
		if s, ok := de.ErrorData().(string); ok {
			if r := decodeRevert(fromHex(s)); r != nil {
				return r
			}
		}
	}
	lower := strings.ToLower(text)
	if i := strings.Index(lower, "revert"); i >= 0 {
		return newRevert(text[min(i, len(text)):])
	}
	if strings.Contains(lower, allowance) {
		return &tx.RevertError{Detail: redact.Clip(text, maxReason) +
			": the call takes more gas than the chain takes of a transaction (since " +
			"Osaka 16777216, EIP-7825) or than the wallet can pay: make batches smaller (fewer messages and blocks a " +
			"batch), or refill the wallet"}
	}
	for _, h := range halts {
		if strings.Contains(lower, h) {
			return newRevert(text)
		}
	}
	return nil
}

// maxRevert bounds how much of a revert's data is looked at, in bytes.
const maxRevert = 64 << 10

// fromHex reads hex with 0x, or the word "Reverted" before it as some nodes write; nil where there is none.
func fromHex(s string) []byte {
	digits, ok := strings.CutPrefix(strings.TrimPrefix(s, "Reverted "), "0x")
	if !ok || len(digits) > 2*maxRevert {
		return nil
	}
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return nil
	}
	return raw
}

// decodeRevert reads the data that a call reverted with: Error(string), Panic(uint256), or a custom error, of which
// only the selector and the arguments' bytes are known. nil for no data.
func decodeRevert(raw []byte) *tx.RevertError {
	if len(raw) == 0 {
		return nil
	}
	if reason, err := abi.UnpackRevert(raw); err == nil {
		if [4]byte(raw[:4]) == panicSelector {
			return &tx.RevertError{Detail: "panic in the contract: " + redact.Clip(reason, maxReason)}
		}
		return newRevert(reason)
	}
	if len(raw) < 4 {
		return &tx.RevertError{Detail: fmt.Sprintf("unknown reason 0x%x", raw)}
	}
	return &tx.RevertError{Detail: redact.Clip(fmt.Sprintf("custom error 0x%x with arguments 0x%x: look its selector "+
		"up in the contract's ABI", raw[:4], raw[4:]), maxReason)}
}

// panicSelector begins the data of Panic(uint256) (Solidity documentation, "Panic via assert and Error via require").
var panicSelector = [4]byte{0x4e, 0x48, 0x7b, 0x71}

// newRevert finds the contract's word in a reason and says what it means.
func newRevert(reason string) *tx.RevertError {
	reason = redact.Clip(strings.ToValidUTF8(reason, "?"), maxReason)
	code := codePattern.FindString(reason)
	if detail, ok := meaning[code]; ok {
		return &tx.RevertError{Refusal: refusals[code], Code: code, Detail: detail}
	}
	if reason == "" {
		reason = "the contract gave an empty reason"
	}
	return &tx.RevertError{Code: code, Detail: reason}
}
