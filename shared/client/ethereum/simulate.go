package ethereum

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// waiting are the calls of signed transactions that are in no block yet.
func (w *Wallet) waiting(ctx context.Context, from common.Address, before []tx.Signed) ([]callArgs, error) {
	if len(before) == 0 {
		return nil, nil
	}
	var nonce hexutil.Uint64
	if err := w.node.call(ctx, "eth_getTransactionCount", &nonce, from, "latest"); err != nil {
		return nil, err
	}
	var calls []callArgs
	for _, s := range before {
		raw, _, err := unpack(s.Raw)
		if err != nil {
			return nil, fmt.Errorf("signed transaction %s: %w", s.Hash, err)
		}
		t := new(types.Transaction)
		if err := t.UnmarshalBinary(raw); err != nil || t.To() == nil {
			return nil, fmt.Errorf("signed transaction %s: it can't be read (%w)", s.Hash, err)
		}
		if t.Nonce() < uint64(nonce) {
			continue
		}
		gas := hexutil.Uint64(t.Gas())
		c := callArgs{From: &from, To: *t.To(), Gas: &gas, Data: t.Data(), BlobHashes: t.BlobHashes()}
		if t.Type() == types.BlobTxType {
			c.BlobPrice = (*hexutil.Big)(t.BlobGasFeeCap())
		}
		calls = append(calls, c)
	}
	return calls, nil
}

// simulated is what is used of a call's result (execution-apis, eth_simulateV1).
type simulated struct {
	Status  hexutil.Uint64 `json:"status"`
	GasUsed hexutil.Uint64 `json:"gasUsed"`
	Error   *callError     `json:"error"`
}

// callError is the error of one call, as rpc's own errors are.
type callError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data"`
}

// Error, ErrorCode and ErrorData are those of rpc.Error and rpc.DataError.
func (e *callError) Error() string  { return e.Message }
func (e *callError) ErrorCode() int { return e.Code }
func (e *callError) ErrorData() any { return e.Data }

// simulateAfter runs a call on top of others, in one block on the newest one. What the others come to does not matter:
// if the call needs them, it fails. The gas is what the call used, refunds taken off, which is less than an estimate.
func (w *Wallet) simulateAfter(ctx context.Context, before []callArgs, args callArgs) (tx.Usage, error) {
	var blocks []struct {
		Calls []simulated `json:"calls"`
	}
	calls := append(slices.Clone(before), args)
	err := w.node.call(ctx, "eth_simulateV1", &blocks, map[string]any{
		"blockStateCalls": []any{map[string]any{"calls": calls}},
	}, "latest")
	switch {
	case missing(err):
		return tx.Usage{}, fmt.Errorf("%w: %w", tx.ErrOneAtATime, err)
	case err != nil:
		return tx.Usage{}, simulateError(args.To, err)
	case len(blocks) != 1 || len(blocks[0].Calls) != len(calls):
		return tx.Usage{}, w.node.wrap("eth_simulateV1", errors.New("the answer has another number of calls"))
	}
	last := blocks[0].Calls[len(before)]
	switch {
	case last.Error != nil:
		return tx.Usage{}, simulateError(args.To, w.node.wrap("eth_simulateV1", last.Error))
	case last.Status != 1 || last.GasUsed == 0:
		return tx.Usage{}, w.node.wrap("eth_simulateV1", errors.New("a call failed without an error"))
	}
	return args.usage(uint64(last.GasUsed)), nil
}

// Codes with which nodes say that they do not have a method (JSON-RPC 2.0; EIP-1474).
const (
	codeNoMethod    = -32601
	codeUnsupported = -32004
)

// missing says whether the node does not have the method.
func missing(err error) bool {
	var said interface{ ErrorCode() int }
	return errors.As(err, &said) && (said.ErrorCode() == codeNoMethod || said.ErrorCode() == codeUnsupported)
}
