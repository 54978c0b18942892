package ethereum

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Sidecar is the form in which blobs travel with their transaction. The hash does not depend on it.
type Sidecar string

// Forms of a sidecar. Ethereum takes V1 (cell proofs, EIP-7594) since Osaka, V0 (a proof a blob, EIP-4844) before.
const (
	// SidecarAuto learns the form from the node: V1 is tried first, the other one where the node refuses the form
	// itself, and what it took is tried first from then on. Nothing is lost by trying: a refused transaction is not in
	// the network.
	SidecarAuto Sidecar = "auto"
	SidecarV0   Sidecar = "v0"
	SidecarV1   Sidecar = "v1"
)

// ParseSidecar reads a sidecar's name; "" is SidecarAuto.
func ParseSidecar(s string) (Sidecar, error) {
	switch v := Sidecar(s); v {
	case "":
		return SidecarAuto, nil
	case SidecarAuto, SidecarV0, SidecarV1:
		return v, nil
	}
	return "", fmt.Errorf("sidecar %q: want auto, v0 or v1", s)
}

// Sign implements tx.Chain.
func (w *Wallet) Sign(ctx context.Context, p tx.Payload, nonce uint64, fees tx.Fees) (tx.Signed, error) {
	if err := w.node.Ping(ctx); err != nil { // asked each time: a signature for another chain must not exist
		return tx.Signed{}, err
	}
	data, err := w.unsigned(p, nonce, fees)
	if err != nil {
		return tx.Signed{}, err
	}
	signer := types.LatestSignerForChainID(w.node.chain)
	t := types.NewTx(data)
	sig, err := w.signer.SignDigest(ctx, signer.Hash(t))
	if err != nil {
		return tx.Signed{}, fmt.Errorf("sign transaction with nonce %d: %w", nonce, err)
	}
	if t, err = t.WithSignature(signer, sig[:]); err != nil {
		return tx.Signed{}, fmt.Errorf("sign transaction with nonce %d: %w", nonce, err)
	}
	from, err := w.Address(ctx)
	if err != nil {
		return tx.Signed{}, err
	}
	if got, err := types.Sender(signer, t); err != nil || got != from {
		return tx.Signed{}, fmt.Errorf("sign transaction with nonce %d: the signature is not the wallet's, %s (%v)",
			nonce, from, err)
	}
	raw, err := t.MarshalBinary()
	if err != nil {
		return tx.Signed{}, fmt.Errorf("encode transaction: %w", err)
	}
	if len(p.Blobs) == 0 {
		return tx.Signed{Hash: t.Hash().Hex(), Raw: raw}, nil
	}
	form := w.forms()[0]
	proofs, err := blobProofs(p.Blobs, form)
	if err != nil {
		return tx.Signed{}, fmt.Errorf("prove the blobs of the transaction with nonce %d: %w", nonce, err)
	}
	return tx.Signed{Hash: t.Hash().Hex(), Raw: withProofs(raw, form, proofs)}, nil
}

func (w *Wallet) unsigned(p tx.Payload, nonce uint64, f tx.Fees) (types.TxData, error) {
	to, err := parseAddress("called contract", p.To)
	if err != nil {
		return nil, err
	}
	var amounts [4]*uint256.Int
	for i, n := range []*big.Int{w.node.chain, f.Tip, f.GasPrice, f.DataGasPrice} {
		v, overflow := uint256.FromBig(orZero(n))
		if overflow || orZero(n).Sign() < 0 {
			return nil, fmt.Errorf("sign with nonce %d: %s is not an amount of 256 bits", nonce, n)
		}
		amounts[i] = v
	}
	if len(p.Blobs) == 0 {
		return &types.DynamicFeeTx{
			ChainID: w.node.chain, Nonce: nonce, GasTipCap: orZero(f.Tip), GasFeeCap: orZero(f.GasPrice), Gas: f.Gas,
			To:    &to,
			Value: new(big.Int), Data: p.Data,
		}, nil
	}
	cs, err := commitments(p.Blobs)
	if err != nil {
		return nil, err
	}
	return &types.BlobTx{
		ChainID: amounts[0], Nonce: nonce, GasTipCap: amounts[1], GasFeeCap: amounts[2], Gas: f.Gas,
		To: to, Value: new(uint256.Int),
		Data: p.Data, BlobFeeCap: amounts[3], BlobHashes: versionedHashes(cs),
	}, nil
}

func orZero(n *big.Int) *big.Int {
	if n == nil {
		return new(big.Int)
	}
	return n
}

// Broadcast implements tx.Chain. A transaction that is in a block already counts as taken.
func (w *Wallet) Broadcast(ctx context.Context, s tx.Signed, p tx.Payload) error {
	raw, kept, err := unpack(s.Raw)
	if err != nil {
		return fmt.Errorf("signed transaction %s: %w: %w", s.Hash, tx.ErrRefused, err)
	}
	t, err := w.signed(tx.Signed{Hash: s.Hash, Raw: raw}, p)
	if err != nil {
		return fmt.Errorf("signed transaction %s: %w: %w", s.Hash, tx.ErrRefused, err)
	}
	if t.Type() == types.BlobTxType {
		err = w.sendBlobs(ctx, t, p.Blobs, kept)
	} else {
		err = w.send(ctx, t)
	}
	if errors.Is(err, tx.ErrNonceTooLow) {
		if st, lerr := w.Lookup(ctx, s.Hash); lerr == nil && st.Phase != tx.Unknown {
			return nil
		}
	}
	return err
}

// signed reads a signed transaction and checks that hash, chain and payload belong to it.
func (w *Wallet) signed(s tx.Signed, p tx.Payload) (*types.Transaction, error) {
	t := new(types.Transaction)
	if err := t.UnmarshalBinary(s.Raw); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	to, err := parseAddress("called contract", p.To)
	switch {
	case err != nil:
		return nil, err
	case t.Hash() != common.HexToHash(s.Hash):
		return nil, fmt.Errorf("its bytes have hash %s", t.Hash())
	case t.ChainId().Cmp(w.node.chain) != 0:
		return nil, fmt.Errorf("it is for chain %s, configured is %s", t.ChainId(), w.node.chain)
	case t.To() == nil || *t.To() != to || !bytes.Equal(t.Data(), p.Data) || len(t.BlobHashes()) != len(p.Blobs):
		return nil, errors.New("another payload was signed")
	}
	return t, nil
}

// forms are the forms of a sidecar in the order in which they are tried: that of the setting alone, or with SidecarAuto
// the one that the node took last first, V1 at first.
func (w *Wallet) forms() []Sidecar {
	switch {
	case w.sidecar == SidecarV0 || w.sidecar == SidecarV1:
		return []Sidecar{w.sidecar}
	case w.took.Load() == SidecarV0:
		return []Sidecar{SidecarV0, SidecarV1}
	}
	return []Sidecar{SidecarV1, SidecarV0}
}

// sendBlobs sends a blob transaction in the form of the setting, with the proofs that were kept for it. With
// SidecarAuto it tries the other form only when the node says that the form is what it refuses.
func (w *Wallet) sendBlobs(ctx context.Context, t *types.Transaction, raw [][]byte, kept proofs) error {
	var first error
	for _, form := range w.forms() {
		full, err := withSidecar(t, raw, form, kept)
		if err != nil {
			return fmt.Errorf("signed transaction %s: %w: %w", t.Hash(), tx.ErrRefused, err)
		}
		if err = w.send(ctx, full); err == nil {
			w.took.Store(form)
		}
		if !errors.Is(err, errSidecar) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// send hands a transaction to the node.
func (w *Wallet) send(ctx context.Context, t *types.Transaction) error {
	raw, err := t.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encode transaction: %w", err)
	}
	var hash common.Hash
	return sendError(w.node.call(ctx, sendRaw, &hash, hexutil.Bytes(raw)))
}
