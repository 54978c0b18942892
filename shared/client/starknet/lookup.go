package starknet

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Finality statuses of a transaction (Starknet API, TXN_STATUS).
const (
	statusReceived     = "RECEIVED"
	statusCandidate    = "CANDIDATE"
	statusPreConfirmed = "PRE_CONFIRMED"
	statusAcceptedL2   = "ACCEPTED_ON_L2"
	statusAcceptedL1   = "ACCEPTED_ON_L1"
	statusRejected     = "REJECTED" // some nodes, and older APIs
	reverted           = "REVERTED"
	succeeded          = "SUCCEEDED"
)

type txStatus struct {
	Finality string `json:"finality_status"`
	Reason   string `json:"failure_reason"`
}

func (w *Wallet) status(ctx context.Context, hash string) (s txStatus, err error) {
	h, err := felt.FromHex(hash)
	if err != nil {
		return s, fmt.Errorf("transaction hash: %w", err)
	}
	return s, w.node.call(ctx, "starknet_getTransactionStatus", &s, h)
}

// receipt is what is used of a receipt.
type receipt struct {
	Fee struct {
		Amount *hexBig `json:"amount"`
		Unit   string  `json:"unit"`
	} `json:"actual_fee"`
	Execution string     `json:"execution_status"`
	Finality  string     `json:"finality_status"`
	Reason    string     `json:"revert_reason"`
	Hash      *felt.Felt `json:"block_hash"`
	Number    *uint64    `json:"block_number"`
	Resources struct {
		L2Gas  uint64 `json:"l2_gas"`
		L1Gas  uint64 `json:"l1_gas"`
		L1Data uint64 `json:"l1_data_gas"`
	} `json:"execution_resources"`
}

// Lookup implements tx.Chain. A transaction in the pre-confirmed block is Pending: that block is not closed. One that
// the node has rejected is Unknown, for it will never be in a block as it is.
func (w *Wallet) Lookup(ctx context.Context, hash string) (tx.Status, error) {
	s, err := w.status(ctx, hash)
	if code(err) == codeTransactionNotFound {
		return tx.Status{Phase: tx.Unknown}, nil
	}
	if err != nil {
		return tx.Status{}, err
	}
	switch s.Finality {
	case statusRejected:
		return tx.Status{Phase: tx.Unknown}, nil
	case statusReceived, statusCandidate, statusPreConfirmed:
		return tx.Status{Phase: tx.Pending}, nil
	case statusAcceptedL2, statusAcceptedL1:
		return w.included(ctx, hash)
	}
	return tx.Status{}, w.node.wrap("starknet_getTransactionStatus",
		fmt.Errorf("status %.40q is none of the API's", s.Finality))
}

// BlockHash implements tx.Chain.
func (w *Wallet) BlockHash(ctx context.Context, number uint64) (string, error) {
	h, err := w.node.block(ctx, blockNumber{number})
	if c := code(err); c == codeBlockNotFound || c == codeNoBlocks {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return h.Hash.String(), nil
}

// paid finds the price of L2 gas, tip included, in the fee that was paid. Where the fee is not a whole multiple (L1 gas
// was used, or the node counts otherwise than its receipt says) less than one fri a unit is lost.
func paid(s tx.Status, fee *big.Int) tx.Status {
	rest := new(big.Int).Sub(fee, new(big.Int).Mul(new(big.Int).SetUint64(s.DataGasUsed), s.DataGasPrice))
	if s.GasUsed == 0 || rest.Sign() < 0 {
		s.GasUsed, s.GasPrice, s.DataGasUsed, s.DataGasPrice = 1, fee, 0, new(big.Int)
		return s
	}
	s.GasPrice = rest.Quo(rest, new(big.Int).SetUint64(s.GasUsed))
	return s
}

// included reads receipt and prices of an accepted transaction. A node that does not have the receipt yet, or says that
// the block is not closed, counts the transaction as Pending.
func (w *Wallet) included(ctx context.Context, hash string) (tx.Status, error) {
	var r receipt
	err := w.node.call(ctx, "starknet_getTransactionReceipt", &r, hash)
	if code(err) == codeTransactionNotFound {
		return tx.Status{Phase: tx.Pending}, nil
	}
	if err != nil {
		return tx.Status{}, err
	}
	if r.Finality != statusAcceptedL2 && r.Finality != statusAcceptedL1 || r.Number == nil || r.Hash == nil {
		return tx.Status{Phase: tx.Pending}, nil
	}
	if r.Fee.Amount == nil || r.Execution != succeeded && r.Execution != reverted {
		return tx.Status{}, w.node.wrap("starknet_getTransactionReceipt",
			errors.New("the receipt lacks fee or execution status"))
	}
	s := tx.Status{
		Phase: tx.Included, Success: r.Execution == succeeded, Block: *r.Number, BlockHash: r.Hash.String(),
		GasUsed: r.Resources.L2Gas, DataGasUsed: r.Resources.L1Data,
	}
	if !s.Success {
		s.Revert = newRevert(r.Reason)
	}
	h, err := w.node.block(ctx, blockHash{*r.Hash})
	if err != nil {
		return tx.Status{}, err
	}
	s.DataGasPrice = h.L1Data.Fri.big()
	return paid(s, r.Fee.Amount.big()), nil
}
