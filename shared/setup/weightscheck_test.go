package setup_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// weights is a chain with a head and an answer to a question for weights.
type weights struct{ head, answer error }

func (w weights) Head(context.Context) (uint64, error) { return 7, w.head }
func (w weights) Weights(_ context.Context, from, to uint64) ([]block.Weights, error) {
	if from != 7 || to != 7 {
		return nil, errors.New("weights of another block than the newest")
	}
	return []block.Weights{{}}, w.answer
}

// Case P5: the check says where weights come from, and that a full node has none.
func TestWeightsCheck(t *testing.T) {
	t.Parallel()
	down := errors.New("the node is down")
	for name, tt := range map[string]struct {
		chain         weights
		gateway       bool
		detail, fault string
	}{
		"no gateway": {weights{down, down}, false, "estimated from receipts", ""},
		"gateway":    {weights{}, true, "from the feeder gateway", ""},
		"full node": {weights{nil, errors.New("status 500")}, true, "from the feeder gateway",
			"must be the node that produces the blocks"},
		"no block yet":     {weights{head: block.ErrNotFound}, true, "no block yet", ""},
		"head is not read": {weights{head: down}, true, "from the feeder gateway", "head"},
	} {
		detail, err := setup.WeightsCheck(tt.chain, tt.gateway).Look(t.Context())
		if !strings.Contains(detail, tt.detail) || (err == nil) != (tt.fault == "") ||
			err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%s: %q, %v", name, detail, err)
		}
	}
}
