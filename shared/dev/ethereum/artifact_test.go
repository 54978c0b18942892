package ethereum_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
)

// Artifacts of each compiler are read; what can't be deployed is refused.
func TestReadArtifact(t *testing.T) {
	t.Parallel()
	const abi = `[{"type":"function","name":"f","inputs":[],"outputs":[]}]`
	for name, tt := range map[string]struct{ text, contract, refused string }{
		"Foundry": {`{"abi": ` + abi + `, "bytecode": {"object": "0x6001"}}`, "", ""},
		"Hardhat": {`{"abi": ` + abi + `, "bytecode": "0x6001"}`, "", ""},
		"solc":    {`{"abi": ` + abi + `, "evm": {"bytecode": {"object": "6001"}}}`, "", ""},
		"solc, all": {`{"contracts": {"A.sol": {"A": {"abi": ` + abi + `, "evm": {"bytecode": {"object": "6001"}}}}}}`,
			":A", ""},
		"no name":   {`{"contracts": {"A.sol": {"A": {}, "B": {}}}}`, "", "one of these names: A, B"},
		"no abi":    {`{"bytecode": "0x6001"}`, "", "it has no abi"},
		"interface": {`{"abi": ` + abi + `, "bytecode": "0x"}`, "", "it has no bytecode"},
		"libraries": {`{"abi": ` + abi + `, "bytecode": "0x60__$1234$__01"}`, "", "not linked"},
		"not hex":   {`{"abi": ` + abi + `, "bytecode": "0x6"}`, "", "not hex"},
		"a number":  {`{"abi": ` + abi + `, "bytecode": 7}`, "", "neither a text nor an object"},
		"not JSON":  {`abi`, "", "want JSON"},
	} {
		path := filepath.Join(t.TempDir(), "X.json")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := devethereum.ReadArtifact(path + tt.contract)
		if tt.refused == "" {
			if err != nil || string(a.Code) != "\x60\x01" || len(a.ABI.Methods) != 1 {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tt.refused) {
			t.Errorf("%s: %v, want %q", name, err, tt.refused)
		}
	}
	if _, err := devethereum.ReadArtifact(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
}
