package starknet

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// word is a contract's refusal: Code is the settlement port's name of it, which is the same on every layer, detail what
// it means to an operator.
type word struct{ code, detail string }

// meaning are the words of piltover (keep-starknet-strange/piltover, modules named errors) and of Starknet itself.
var meaning = map[string]word{
	"State: invalid block number": {"INVALID_PREV_BLOCK_NUMBER", "the update does not start at the block after " +
		"the contract's: an earlier update is missing, or this one is settled already"},
	"State: invalid prev block num": {"INVALID_PREV_BLOCK_NUMBER", "the update does not start at the block after " +
		"the contract's: an earlier update is missing, or this one is settled already"},
	"State: invalid previous root": {"INVALID_PREVIOUS_ROOT", "the update starts from another state root than the " +
		"contract holds: the chain was reorganised, or the contract is another chain's"},
	"Config: not owner or operator": {"ONLY_OPERATOR",
		"the account is not an operator of the core contract: register it, or configure the account that is"},
	"no fact registered": {"NO_STATE_TRANSITION_PROOF", "the fact is not registered on the fact " +
		"registry (yet): the layout bridge's proof is not on chain, or program hashes differ"},
	"no state transition proof": {"NO_STATE_TRANSITION_PROOF", "the fact is not registered on the fact " +
		"registry (yet): the layout bridge's proof is not on chain, or program hashes differ"},
	"snos: invalid program hash": {"INVALID_PROGRAM_HASH", "SNOS ran in another version than the contract " +
		"takes: update the program info of the contract, or the SNOS version"},
	"snos: invalid config hash": {"INVALID_CONFIG_HASH",
		"SNOS ran with another configuration (chain id, fee token) than the contract was set up with"},
	"snos: invalid output hash": {"INVALID_OUTPUT_HASH", "the layout bridge proved another SNOS run than the " +
		"one whose output is sent: the two outputs are not of the same batch"},
	"snos: invalid output size": {"STARKNET_OUTPUT_TOO_SHORT", "the SNOS output ends early"},
	"snos: invalid messages segments": {"INVALID_MESSAGE_SEGMENT_SIZE",
		"the messages in the SNOS output do not fit their sizes"},
	"lb: invalid bootloader hash": {"INVALID_BOOTLOADER_HASH", "the layout bridge proved another bootloader's run " +
		"than the contract takes: update the program info of the contract"},
	"lb: invalid program hash": {"INVALID_LAYOUT_BRIDGE_PROGRAM_HASH",
		"the layout bridge ran in another version than the contract takes: update the program info of the contract"},
	"INVALID_MESSAGE_TO_SEAL": {"INVALID_MESSAGE_TO_CONSUME", "the update consumes a message from Starknet " +
		"that the contract does not know, or that was consumed or cancelled"},
	"INVALID_MESSAGE_TO_CONSUME":      {"INVALID_MESSAGE_TO_CONSUME", "the message is not there to be consumed"},
	"ReentrancyGuard: reentrant call": {"REENTRANT_CALL", "the core contract was called from within itself"},
	"Caller is not the owner":         {"ONLY_OWNER", "the account is not the contract's owner"},
	"ENTRYPOINT_NOT_FOUND": {"ENTRYPOINT_NOT_FOUND",
		"the contract has no such function: the address is another contract's, or piltover's version is another one"},
	"CONTRACT_NOT_DEPLOYED": {"CONTRACT_NOT_DEPLOYED", "there is no contract at the configured address"},
	"Failed to deserialize param #3": {"WRONG_ARGUMENTS",
		"update_state takes other arguments than the contract's class said: it was upgraded meanwhile, and is " +
			"read again"},
	"Failed to deserialize param #4": {"WRONG_ARGUMENTS",
		"update_state takes other arguments than the contract's class said: it was upgraded meanwhile, and is " +
			"read again"},
	"Input too long for arguments": {
		"WRONG_ARGUMENTS",
		"update_state takes other arguments than the contract's class said: it was upgraded meanwhile, and is " +
			"read again",
	},
	"Index out of bounds": {"STARKNET_OUTPUT_TOO_SHORT",
		"an output has fewer words than the contract reads"},
	"Out of gas":              {"OUT_OF_GAS", "the transaction's limit of L2 gas was too low"},
	"u256_add Overflow":       {"OVERFLOW", "the size of the data is out of range"},
	"argent/multicall-failed": {},
	"ENTRYPOINT_FAILED":       {},
	"Account: invalid caller": {"INVALID_CALLER", "the account contract was not called by the chain itself"},
	"Registry: only registrar": {"ONLY_REGISTRAR",
		"the account may not register facts on the development registry"},
}

// refusals are the codes that are not permanent. Roots are compared where the block numbers are equal: where they
// differ, the contract holds another history, and time does not change that.
var refusals = map[string]tx.Refusal{
	"INVALID_PREV_BLOCK_NUMBER":          tx.NotYet,
	"WRONG_ARGUMENTS":                    tx.NotYet,
	"NO_STATE_TRANSITION_PROOF":          tx.Unproven,
	"INVALID_CONFIG_HASH":                tx.Unconfigured,
	"INVALID_PROGRAM_HASH":               tx.Unconfigured,
	"INVALID_BOOTLOADER_HASH":            tx.Unconfigured,
	"INVALID_LAYOUT_BRIDGE_PROGRAM_HASH": tx.Unconfigured,
}

// generic are words that say only that a call within failed.
var generic = map[string]bool{"ENTRYPOINT_FAILED": true, "argent/multicall-failed": true}

// revertOf returns the refusal in a node's answer, or nil if there is none.
func revertOf(err error) *tx.RevertError {
	var e *rpcError
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code {
	case codeContractError, codeExecutionError:
		return newRevert(e.detail())
	case codeNoEntrypoint:
		return newRevert("ENTRYPOINT_NOT_FOUND")
	}
	return nil
}

// failedAt is the index of the transaction that an estimate of several failed at (Starknet API,
// TRANSACTION_EXECUTION_ERROR).
func failedAt(err error) int {
	var e *rpcError
	var data struct {
		Index int `json:"transaction_index"`
	}
	if errors.As(err, &e) && e.Code == codeExecutionError {
		_ = json.Unmarshal(e.Data, &data) // without an index it is the first
	}
	return data.Index
}

var (
	feltPattern  = regexp.MustCompile(`0x[0-9a-fA-F]{6,64}`)
	quotePattern = regexp.MustCompile(`['"]([^'"\n]{3,60})['"]`)
)

// maxRevert bounds how much of a reason is looked at, in bytes.
const maxRevert = 64 << 10

// newRevert finds the contract's words in a reason, which nodes write as felts, as short strings in quotes, or both.
func newRevert(reason string) *tx.RevertError {
	if len(reason) > maxRevert { // what went wrong stands at the end of the list of calls
		reason = reason[len(reason)-maxRevert:]
	}
	reason = strings.TrimSpace(strings.ToValidUTF8(reason, "?"))
	var first string
	for _, w := range words(reason) {
		if w = strings.TrimSpace(w); w == "" || generic[w] {
			continue
		}
		if m, ok := meaning[w]; ok {
			return &tx.RevertError{Refusal: refusals[m.code], Code: m.code, Detail: m.detail + " (" + w + ")"}
		}
		if first == "" {
			first = w
		}
	}
	for _, w := range []string{"Out of gas", "ENTRYPOINT_NOT_FOUND", "Input too long for arguments",
		"Failed to deserialize param #3"} {
		if strings.Contains(reason, w) {
			return &tx.RevertError{Code: meaning[w].code, Detail: meaning[w].detail}
		}
	}
	if strings.Contains(reason, "is not deployed") {
		m := meaning["CONTRACT_NOT_DEPLOYED"]
		return &tx.RevertError{Code: m.code, Detail: m.detail}
	}
	if reason == "" {
		reason = "the node gave no reason"
	}
	return &tx.RevertError{Code: first, Detail: tail(reason)}
}

// tail keeps the end of a reason, where the innermost call stands.
func tail(s string) string {
	s = strings.TrimSpace(s)
	if len(s) <= maxReason {
		return s
	}
	return "..." + strings.ToValidUTF8(s[len(s)-maxReason:], "")
}

// words are the short strings of a reason, in its order: felts that are printable, then what stands in quotes.
func words(reason string) []string {
	var out []string
	for _, f := range feltPattern.FindAllString(reason, -1) {
		if s := printable(f[2:]); s != "" {
			out = append(out, s)
		}
	}
	for _, q := range quotePattern.FindAllStringSubmatch(reason, -1) {
		out = append(out, q[1])
	}
	return out
}

// printable is the short string that hex digits stand for; "" where they stand for none.
func printable(digits string) string {
	digits = strings.TrimLeft(digits, "0")
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) < 3 || len(b) > 31 {
		return ""
	}
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return ""
		}
	}
	return string(b)
}
