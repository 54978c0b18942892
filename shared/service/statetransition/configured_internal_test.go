package statetransition

import (
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
)

// An output with another config hash than the settings' is never sent; a contract with another one is waited for.
func TestConfigured(t *testing.T) {
	t.Parallel()
	want := felt.FromUint64(7)
	unknown := errors.New("unknown version")
	h := &Handler{Needs: func(v string) (settlement.Needs, error) {
		if v != "0.14.4" {
			return settlement.Needs{}, unknown
		}
		return settlement.Needs{ConfigHash: want}, nil
	}}
	words := func(config uint64) []felt.Felt {
		w := make([]felt.Felt, 12)
		w[7] = felt.FromUint64(config)
		return w
	}
	for name, tt := range map[string]struct {
		version          string
		output, contract uint64
		fatal, wait      bool
		says             string
	}{
		"equal":          {"0.14.4", 7, 7, false, false, ""},
		"output differs": {"0.14.4", 8, 7, true, false, "the program output has 0x8, the settings have 0x7"},
		"both differ":    {"0.14.4", 8, 8, true, false, "CHAIN_FEE_TOKEN_ADDRESS"},
		"contract differs": {"0.14.4", 7, 8, false, true,
			"batches of Starknet 0.14.4 need: its owner must set config hash to 0x7 (it is 0x8)"},
		"version is not known":  {"0.15.0", 7, 7, true, false, "unknown version"},
		"job of another schema": {"", 8, 7, false, false, ""},
	} {
		err := h.configured(tt.version, words(tt.output), settlement.Config{ConfigHash: felt.FromUint64(tt.contract)})
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", name, err, tt.says)
		}
		if job.IsPermanent(err) != tt.fatal {
			t.Errorf("%s: fatal %t, want %t", name, job.IsPermanent(err), tt.fatal)
		}
		if wait := job.RetryDelay(err) > 0; wait != tt.wait {
			t.Errorf("%s: waits %t, want %t", name, wait, tt.wait)
		}
		if classified := h.classify(t.Context(), nil, err); tt.fatal != job.IsPermanent(classified) {
			t.Errorf("%s: classified as %v", name, classified)
		}
	}
}
