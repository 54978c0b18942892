// Package compare is what compares DA segments with the app chain, as a function is configured.
package compare

import (
	"context"
	"errors"
	"log/slog"

	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/appchain/direct"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
)

// Open returns what compares DA segments with the chain, where that is configured; nil: it is not, or segments are
// encrypted.
func Open(ctx context.Context, p *cloud.Process) (da.Compare, error) {
	if !p.Config.Compares() {
		return nil, nil
	}
	if len(p.Config.Chain.DAPublicKeys) > 0 {
		p.Log.InfoContext(ctx, "DA segments are not compared with the chain: they are encrypted, CHAIN_DA_PUBLIC_KEYS")
		return nil, nil
	}
	src, err := direct.Source(ctx, p)
	if err != nil {
		return nil, err
	}
	c := protocol.Compare(src)
	if !p.Config.DA.Compare {
		c = asFar(c, p.Log)
	}
	return c, nil
}

// asFar compares as far as the chain's node has what it takes: with SETTLEMENT_BEACON alone nobody has asked that
// nothing be settled without it.
func asFar(c da.Compare, log *slog.Logger) da.Compare {
	return func(ctx context.Context, segment []felt.Felt, b da.Blocks) error {
		err := c(ctx, segment, b)
		if errors.Is(err, da.ErrNotCompared) {
			log.WarnContext(ctx, "settled without a comparison; DA_COMPARE would wait", "from_block", b.From,
				"to_block", b.To, "error", err)
			return nil
		}
		return err
	}
}
