package setup

import (
	"context"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// Weights is what the check of the bouncer weights reads of the app chain.
type Weights interface {
	Head(ctx context.Context) (uint64, error)
	Weights(ctx context.Context, from, to uint64) ([]block.Weights, error)
}

// WeightsCheck reports where the bouncer weights come from. Only the node that produces the blocks has them: another
// one named as feeder gateway is not ready.
func WeightsCheck(chain Weights, gateway bool) admin.Check {
	return admin.Check{Name: "bouncer weights", Look: func(ctx context.Context) (string, error) {
		if !gateway {
			return "estimated from receipts and state updates, as CHAIN_FEEDER_GATEWAY is not set: " +
				"the block-producing node alone has them. " +
				"Give the limits BATCH_MAX_* a margin", nil
		}
		const from = "from the feeder gateway"
		head, err := chain.Head(ctx)
		if errors.Is(err, block.ErrNotFound) {
			return from + "; the chain has no block yet", nil
		}
		if err != nil {
			return from, fmt.Errorf("read the app chain's head: %w", err)
		}
		if _, err := chain.Weights(ctx, head, head); err != nil {
			return from, fmt.Errorf(
				"CHAIN_FEEDER_GATEWAY must be the node that produces the blocks, "+
					"which alone has their bouncer weights; "+
					"unset it to estimate them: %w",
				err,
			)
		}
		return from, nil
	}}
}
