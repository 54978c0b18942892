package starknet_test

import (
	"errors"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// TestSimulate_NonceMoved: a node refuses an estimate whose nonce another transaction of the account has used
// meanwhile. The contract was never called, so this is not its refusal: the estimate is made again, and given up as
// ErrNonceMoved.
func TestSimulate_NonceMoved(t *testing.T) {
	t.Parallel()
	said := "Invalid transaction nonce of contract at address 0x1. Account nonce: 0x8; got: 0x7."
	for name, tt := range map[string]struct {
		code  int
		data  any
		times int
		want  error
	}{
		"moved once":                {41, map[string]any{"transaction_index": 0, "execution_error": said}, 1, nil},
		"moved once, as text":       {41, said, 1, nil},
		"moved once, nested":        {41, map[string]any{"execution_error": map[string]any{"error": said}}, 1, nil},
		"the code of invalid nonce": {52, nil, 2, nil},
		"moved once, at starknet-devnet": {41, map[string]any{"transaction_index": 0,
			"execution_error": "Account transaction nonce is invalid."}, 1, nil},
		"moved all the time": {41, map[string]any{"transaction_index": 0, "execution_error": said}, 3,
			tx.ErrNonceMoved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			w := b.wallet(t, thirdParty)
			for range tt.times {
				b.Answer("starknet_estimateFee", tt.code, "Transaction execution error", tt.data)
			}
			_, err := w.Simulate(t.Context(), take("nonce"))
			var revert *tx.RevertError
			if errors.As(err, &revert) {
				t.Fatalf("it counts as a contract's refusal: %v", err)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}
