package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/config"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"CHAIN_RPC", "CHAIN_ID", "SETTLEMENT_RPC", "API_ADMIN", "environment", "api"}
	for word, want := range map[string]string{
		"CHAIN_RCP": "CHAIN_RPC", "CHAINRPC": "CHAIN_RPC", "SETTLEMENT_RCP": "SETTLEMENT_RPC",
		"envronment": "environment", "apii": "api",
		"nonsense": "", "": "", "WALLET_COLOUR": "",
	} {
		if got := config.Nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// A value that is not of its setting's type is one fault beside the others, with what is wanted.
func TestMisread(t *testing.T) {
	t.Parallel()
	_, err := config.FromEnviron(with("MONGO_POOL_SIZE=two", "BATCH_AGE=5", "DRY_RUN=perhaps", "BATCH_BLOBS=1.5",
		"CHAIN_MAX_BLOCK=-1", "CHAIN_RCP=x", "LOG_LEVEL=loud"))
	var faults config.Faults
	if !errors.As(err, &faults) || len(faults) != 7 {
		t.Fatalf("got %v, want 7 faults", err)
	}
	for _, want := range []string{
		`MONGO_POOL_SIZE: "two": want a whole number`, `BATCH_AGE: "5": want a duration`,
		`DRY_RUN: "perhaps": want true or false`,
		`BATCH_BLOBS: "1.5": want a whole number`, `CHAIN_MAX_BLOCK: "-1": want a whole number`,
		"CHAIN_RCP: no such setting; did you mean CHAIN_RPC?",
	} {
		if !strings.Contains(err.Error(), "ORCHESTRATOR_"+want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}
