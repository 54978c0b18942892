// Package compare is what compares DA segments with the app chain, as a function is configured.
package compare

import (
	"context"

	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/appchain"
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
	src, err := appchain.Source(ctx, p)
	if err != nil {
		return nil, err
	}
	return protocol.Compare(src), nil
}
