package contracts_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"

	"github.com/madara-orchestrator/orchestrator/shared/dev/ethereum/contracts"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
)

// The committed bytecode is that of the committed sources.
func TestSourcesAreCompiled(t *testing.T) {
	t.Parallel()
	h := sha256.New()
	for _, name := range []string{"CoreContract.sol", "FactRegistry.sol"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
	}
	want, err := os.ReadFile("gen/sources.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != strings.TrimSpace(string(want)) {
		t.Errorf("sources changed since they were compiled: run `make contracts`")
	}
}

// Whatever our core contract has, Starknet's has with the same selector and types.
func TestSameABI(t *testing.T) {
	t.Parallel()
	real, err := abi.JSON(bytes.NewReader(starknettest.Read(t, "starknet_core_contract.abi.json")))
	if err != nil {
		t.Fatal(err)
	}
	ours := contracts.ParseABI(contracts.CoreABI)
	for name, m := range ours.Methods {
		if name == "verifier" { // internal there
			continue
		}
		r, ok := real.Methods[name]
		if !ok || r.Sig != m.Sig || !bytes.Equal(r.ID, m.ID) || r.StateMutability != m.StateMutability {
			t.Errorf("%s %s: Starknet's is %q %s", m.Sig, m.StateMutability, r.Sig, r.StateMutability)
		}
	}
	for name, e := range ours.Events {
		if r, ok := real.Events[name]; !ok || r.ID != e.ID {
			t.Errorf("event %s: Starknet's is %q", e.Sig, r.Sig)
		}
	}
}
