package l1

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// DA is the da.Layer of an L1 and its da.Archive: data goes into the calldata of a transaction.
type DA struct{ l1 *Chain }

var (
	_ da.Layer   = (*DA)(nil)
	_ da.Archive = (*DA)(nil)
)

// DA returns the chain as a data availability layer.
func (s *Chain) DA() *DA { return &DA{l1: s} }

// Name implements da.Layer.
func (*DA) Name() string { return "memory" }

// MaxWords implements da.Layer.
func (d *DA) MaxWords() int { return d.l1.cfg.MaxDAWords }

// Commit implements da.Layer: sha256 of the words without its five highest bits.
func (*DA) Commit(words []felt.Felt) da.Commitment {
	hash := felt.Felt(sha256.Sum256(felt.Concat(words)))
	hash[0] &= 0x07 // below the field's prime
	return da.Commitment{Hash: hash, Size: uint64(len(words))}
}

// Encode implements da.Layer. The commitment is Commit's.
func (d *DA) Encode(_ context.Context, data da.Data) (tx.Payload, da.Commitment, error) {
	if n := len(data.Words); n > d.l1.cfg.MaxDAWords {
		return tx.Payload{}, da.Commitment{}, fmt.Errorf("publish %d words of batch %d, at most %d: %w",
			n, data.Batch, d.l1.cfg.MaxDAWords, da.ErrTooLarge)
	}
	if len(data.Words) == 0 {
		return tx.Payload{}, da.Commitment{}, fmt.Errorf("publish batch %d: there is no data", data.Batch)
	}
	b, err := json.Marshal(data)
	if err != nil {
		return tx.Payload{}, da.Commitment{}, fmt.Errorf("encode data of batch %d: %w", data.Batch, err)
	}
	return tx.Payload{To: d.l1.cfg.DA, Data: b}, d.Commit(data.Words), nil
}

// Kept implements da.Archive.
func (*DA) Kept() time.Duration { return 0 }

// Ping implements da.Archive.
func (*DA) Ping(context.Context) error { return nil }

// Check implements da.Archive.
func (d *DA) Check(ctx context.Context, sent da.Sent) error {
	_, err := fault.Call(ctx, d.l1.env, "l1", "Calldata", sent.Hash, func(f fault.Fault) (struct{}, error) {
		d.l1.mu.Lock()
		defer d.l1.mu.Unlock()
		d.l1.catchUp()
		return struct{}{}, d.l1.compare(sent, d.l1.all().struck(f))
	})
	return err
}

// compare compares a transaction's calldata. The caller holds the lock.
func (s *Chain) compare(sent da.Sent, v sight) error {
	number, ok := s.mined[sent.Hash]
	if !ok || number > s.tip(v.behind).number {
		return fmt.Errorf("transaction %s: %w", sent.Hash, da.ErrMissing)
	}
	for _, r := range s.blocks[number].results {
		if r.tx.hash == sent.Hash && !bytes.Equal(r.tx.Data, sent.Payload.Data) {
			return fmt.Errorf("transaction %s: %w", sent.Hash, da.ErrDiffers)
		}
	}
	return nil
}

// Published returns what the canonical chain holds, in order.
func (d *DA) Published() []da.Data {
	s := d.l1
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []da.Data
	for _, b := range s.blocks {
		for _, r := range b.results {
			var data da.Data
			if r.revert == nil && r.tx.To == s.cfg.DA && json.Unmarshal(r.tx.Data, &data) == nil {
				out = append(out, data)
			}
		}
	}
	return out
}
