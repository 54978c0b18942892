package ethereum

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
	"github.com/holiman/uint256"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
)

// Sidecar is the form in which blobs travel with their transaction. The hash does not depend on it.
type Sidecar string

// Forms of a sidecar. Ethereum takes V1 (cell proofs) since Osaka, V0 (a proof a blob) before.
const (
	SidecarAuto Sidecar = "auto" // V1, and V0 where the node refuses that
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
	if err := w.node.ready(ctx); err != nil { // a signature for another chain must not exist
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
		return tx.Signed{}, fmt.Errorf("the signature is not of wallet %s (%v)", from, err)
	}
	raw, err := t.MarshalBinary()
	if err != nil {
		return tx.Signed{}, fmt.Errorf("encode transaction: %w", err)
	}
	return tx.Signed{Hash: t.Hash().Hex(), Raw: raw}, nil
}

func (w *Wallet) unsigned(p tx.Payload, nonce uint64, f tx.Fees) (types.TxData, error) {
	to, err := parseAddress("called contract", p.To)
	if err != nil {
		return nil, err
	}
	if len(p.Blobs) == 0 {
		return &types.DynamicFeeTx{
			ChainID: w.node.chain, Nonce: nonce, GasTipCap: orZero(f.Tip), GasFeeCap: orZero(f.GasPrice), Gas: f.Gas, To: &to, Value: new(big.Int), Data: p.Data,
		}, nil
	}
	cs, err := commitments(p.Blobs)
	if err != nil {
		return nil, err
	}
	u := func(n *big.Int) *uint256.Int { return uint256.MustFromBig(orZero(n)) }
	return &types.BlobTx{
		ChainID: u(w.node.chain), Nonce: nonce, GasTipCap: u(f.Tip), GasFeeCap: u(f.GasPrice), Gas: f.Gas, To: to, Value: new(uint256.Int),
		Data: p.Data, BlobFeeCap: u(f.BlobPrice), BlobHashes: versionedHashes(cs),
	}, nil
}

func orZero(n *big.Int) *big.Int {
	if n == nil {
		return new(big.Int)
	}
	return n
}

// Broadcast implements tx.Chain.
func (w *Wallet) Broadcast(ctx context.Context, s tx.Signed, p tx.Payload) error {
	var t types.Transaction
	if err := t.UnmarshalBinary(s.Raw); err != nil {
		return fmt.Errorf("signed transaction %s: %w: %w", s.Hash, tx.ErrRefused, err)
	}
	if t.Hash() != common.HexToHash(s.Hash) {
		return fmt.Errorf("signed transaction %s: its bytes have hash %s: %w", s.Hash, t.Hash(), tx.ErrRefused)
	}
	if t.ChainId().Cmp(w.node.chain) != 0 {
		return fmt.Errorf("signed transaction %s is for chain %s, the node's is %s: %w", s.Hash, t.ChainId(), w.node.chain, tx.ErrRefused)
	}
	if t.Type() != types.BlobTxType {
		return w.node.sendError(w.sendRaw(ctx, &t))
	}
	forms := []Sidecar{w.sidecar}
	if w.sidecar == SidecarAuto {
		forms = []Sidecar{SidecarV1, SidecarV0}
	}
	var err error
	for _, form := range forms {
		var full *types.Transaction
		if full, err = withSidecar(&t, p.Blobs, form); err != nil {
			return fmt.Errorf("signed transaction %s: %w: %w", s.Hash, tx.ErrRefused, err)
		}
		if err = w.node.sendError(w.sendRaw(ctx, full)); !errors.Is(err, tx.ErrRefused) {
			return err
		}
	}
	return err
}

func (w *Wallet) sendRaw(ctx context.Context, t *types.Transaction) error {
	if err := w.node.ready(ctx); err != nil {
		return err
	}
	raw, err := t.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encode transaction: %w", err)
	}
	var hash common.Hash
	return w.node.rpc.CallContext(ctx, &hash, "eth_sendRawTransaction", hexutil.Bytes(raw))
}

// withSidecar puts the blobs to a signed blob transaction.
func withSidecar(t *types.Transaction, raw [][]byte, form Sidecar) (*types.Transaction, error) {
	blobs, err := asBlobs(raw)
	if err != nil {
		return nil, err
	}
	cs, err := kzg.CommitAll(blobs)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(versionedHashes(cs), t.BlobHashes()) {
		return nil, errors.New("the blobs are not those that were signed")
	}
	proofs := make([][]kzg.Proof, len(blobs))
	version := types.BlobSidecarVersion1
	if form == SidecarV0 {
		version = types.BlobSidecarVersion0
	}
	err = kzg.Parallel(len(blobs), func(i int) (err error) {
		if form == SidecarV0 {
			var p kzg.Proof
			p, err = kzg.BlobProof(&blobs[i], cs[i])
			proofs[i] = []kzg.Proof{p}
			return err
		}
		proofs[i], err = kzg.CellProofs(&blobs[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	var bs []kzg4844.Blob
	var commits []kzg4844.Commitment
	var all []kzg4844.Proof
	for i := range blobs {
		bs, commits = append(bs, kzg4844.Blob(blobs[i])), append(commits, kzg4844.Commitment(cs[i]))
		for _, p := range proofs[i] {
			all = append(all, kzg4844.Proof(p))
		}
	}
	return t.WithBlobTxSidecar(types.NewBlobTxSidecar(version, bs, commits, all)), nil
}
