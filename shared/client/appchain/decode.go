package appchain

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// malformed wraps a decoding error.
func malformed(what string, err error) error {
	return fmt.Errorf("decode %s: %w: %w", what, err, block.ErrMalformed)
}

func malformedf(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, block.ErrMalformed)...)
}

func decodeFelt(raw []byte) (felt.Felt, error) {
	var f *felt.Felt
	if err := unmarshal(raw, &f); err != nil {
		return felt.Zero, malformed("field element", err)
	}
	if f == nil {
		return felt.Zero, malformedf("null where a field element is due")
	}
	return *f, nil
}

func decodeString(raw []byte, most int, into *string) error {
	if err := unmarshal(raw, into); err != nil {
		return malformed("text", err)
	}
	if len(*into) > most {
		return malformedf("text of %d bytes where at most %d are due", len(*into), most)
	}
	return nil
}

// decodeChainID reads a chain id, a short string in a felt.
func decodeChainID(raw []byte) (string, error) {
	f, err := decodeFelt(raw)
	if err != nil {
		return "", fmt.Errorf("chain id: %w", err)
	}
	text := f[:]
	for len(text) > 0 && text[0] == 0 {
		text = text[1:]
	}
	for _, c := range text {
		if c < 0x20 || c > 0x7e {
			return "", malformedf("chain id %s is not a short string", f)
		}
	}
	if len(text) == 0 {
		return "", malformedf("chain id is empty")
	}
	return string(text), nil
}

// wireHeader is what we read of a block. A pointer is nil where the field is absent.
type wireHeader struct {
	Status          string         `json:"status"`
	BlockHash       *felt.Felt     `json:"block_hash"`
	ParentHash      *felt.Felt     `json:"parent_hash"`
	BlockNumber     *uint64        `json:"block_number"`
	NewRoot         *felt.Felt     `json:"new_root"`
	Timestamp       *uint64        `json:"timestamp"`
	StarknetVersion string         `json:"starknet_version"`
	Transactions    jsontext.Value `json:"transactions"`
}

// maxTimestamp is the year 9999: what time.Time can still format as RFC 3339.
const maxTimestamp = 253402300799

// header checks the block and converts it; transactions stay to the caller. A block without a hash, or whose status
// says that it is not closed, does not exist yet.
func (w *wireHeader) header(n uint64) (block.Header, error) {
	switch w.Status {
	case "", "ACCEPTED_ON_L2", "ACCEPTED_ON_L1": // new heads carry no status
	case "PRE_CONFIRMED", "PENDING":
		return block.Header{}, fmt.Errorf("block %d is not closed: %w", n, block.ErrNotFound)
	default:
		return block.Header{}, malformedf("block %d has status %.40q", n, w.Status)
	}
	if w.BlockHash == nil || w.ParentHash == nil || w.BlockNumber == nil || w.NewRoot == nil || w.Timestamp == nil {
		return block.Header{}, malformedf("block %d lacks hash, parent, number, root or time", n)
	}
	switch {
	case *w.BlockNumber != n:
		return block.Header{}, malformedf("node answered block %d where %d was asked", *w.BlockNumber, n)
	case w.BlockHash.IsZero():
		return block.Header{}, malformedf("block %d has hash 0", n)
	case *w.Timestamp > maxTimestamp:
		return block.Header{}, malformedf("block %d has time %d", n, *w.Timestamp)
	case len(w.StarknetVersion) > 31:
		return block.Header{}, malformedf("block %d has a Starknet version of %d characters", n, len(w.StarknetVersion))
	}
	return block.Header{
		Number: n, Hash: *w.BlockHash, ParentHash: *w.ParentHash, NewRoot: *w.NewRoot,
		Timestamp: time.Unix(int64(*w.Timestamp), 0).UTC(), StarknetVersion: w.StarknetVersion,
	}, nil
}

// decodeHeader reads an answer of starknet_getBlockWithTxHashes.
func decodeHeader(n uint64, raw []byte) (block.Header, error) {
	w, h, err := decodeBlock(n, raw)
	if err != nil {
		return block.Header{}, err
	}
	var hashes []felt.Felt
	if err := unmarshal(w.Transactions, &hashes); err != nil {
		return block.Header{}, malformed("transaction hashes", err)
	}
	h.Transactions = len(hashes)
	return h, nil
}

func decodeBlock(n uint64, raw []byte) (wireHeader, block.Header, error) {
	var w wireHeader
	if err := unmarshal(raw, &w); err != nil {
		return w, block.Header{}, malformed(fmt.Sprintf("block %d", n), err)
	}
	h, err := w.header(n)
	if err == nil && len(w.Transactions) == 0 {
		err = malformedf("block %d lacks its transactions", n)
	}
	return w, h, err
}

// wireTransaction is what we read of a transaction with its receipt.
type wireTransaction struct {
	Transaction struct {
		Type     string      `json:"type"`
		Contract *felt.Felt  `json:"contract_address"`
		Selector *felt.Felt  `json:"entry_point_selector"`
		Nonce    *felt.Felt  `json:"nonce"`
		Calldata []felt.Felt `json:"calldata"`
	} `json:"transaction"`
	Receipt *struct {
		Messages []struct {
			From    *felt.Felt  `json:"from_address"`
			To      *felt.Felt  `json:"to_address"`
			Payload []felt.Felt `json:"payload"`
		} `json:"messages_sent"`
		Events    []struct{}    `json:"events"`
		Resources wireResources `json:"execution_resources"`
	} `json:"receipt"`
}

type wireResources struct {
	L2Gas uint64 `json:"l2_gas"`
}

// receipts is a block with what its receipts hold.
type receipts struct {
	header   block.Header
	messages block.Messages
	events   uint64
	l2Gas    uint64
}

// felts is how many field elements the receipts keep. A message without a payload takes some too.
func (r receipts) felts() int {
	n := headerFelts + 3*len(r.messages.ToL1) + 5*len(r.messages.ToL2)
	for _, m := range r.messages.ToL1 {
		n += len(m.Payload)
	}
	for _, m := range r.messages.ToL2 {
		n += len(m.Payload)
	}
	return n
}

// decodeReceipts reads an answer of starknet_getBlockWithReceipts.
func decodeReceipts(n uint64, raw []byte) (receipts, error) {
	w, h, err := decodeBlock(n, raw)
	if err != nil {
		return receipts{}, err
	}
	var txs []wireTransaction
	if err := unmarshal(w.Transactions, &txs); err != nil {
		return receipts{}, malformed(fmt.Sprintf("receipts of block %d", n), err)
	}
	h.Transactions = len(txs)
	out := receipts{header: h}
	for i, tx := range txs {
		if err := out.add(tx); err != nil {
			return receipts{}, fmt.Errorf("transaction %d of block %d: %w", i, n, err)
		}
	}
	return out, nil
}

func (r *receipts) add(tx wireTransaction) error {
	if tx.Receipt == nil {
		return malformedf("no receipt")
	}
	for _, m := range tx.Receipt.Messages {
		if m.From == nil || m.To == nil {
			return malformedf("message lacks sender or receiver")
		}
		r.messages.ToL1 = append(r.messages.ToL1, block.MessageToL1{From: *m.From, To: *m.To, Payload: m.Payload})
	}
	r.events += uint64(len(tx.Receipt.Events))
	l2 := r.l2Gas + tx.Receipt.Resources.L2Gas
	if l2 < r.l2Gas {
		return malformedf("gas overflows")
	}
	r.l2Gas = l2
	t := tx.Transaction
	switch {
	case t.Type == "":
		return malformedf("no type")
	case t.Type != "L1_HANDLER":
		return nil
	case t.Contract == nil || t.Selector == nil || t.Nonce == nil || len(t.Calldata) == 0:
		return malformedf("L1 handler lacks contract, selector, nonce or the sender in its calldata")
	}
	r.messages.ToL2 = append(r.messages.ToL2, block.MessageToL2{
		From: t.Calldata[0], To: *t.Contract, Nonce: *t.Nonce, Selector: *t.Selector, Payload: t.Calldata[1:]})
	return nil
}
