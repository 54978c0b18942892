package starknet_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// sayaVariable names a checkout of github.com/dojoengine/saya; `make test-saya` sets it.
const sayaVariable = "ORCHESTRATOR_SAYA"

// sayaClass is the class of the core contract that Saya deploys.
func sayaClass(t *testing.T) string {
	t.Helper()
	checkout := os.Getenv(sayaVariable)
	if checkout == "" {
		t.Skip("optional: needs the class that Saya deploys, run it with `make test-saya SAYA=CHECKOUT`")
	}
	return filepath.Join(checkout, "contracts", "core_contract.json")
}

// The form of the class that Saya deploys, as its compiled class says it.
func TestParseForm_Saya(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(sayaClass(t))
	if err != nil {
		t.Fatal(err)
	}
	var class struct {
		ABI json.RawMessage `json:"abi"`
	}
	if err := json.Unmarshal(raw, &class); err != nil {
		t.Fatal(err)
	}
	f, err := starknet.ParseForm(class.ABI)
	if err != nil || f.Arguments != starknet.InputArguments {
		t.Errorf("%+v, %v, want %s", f, err, starknet.InputArguments)
	}
}

// sayaContract deploys the class on a starknet-devnet as made's update needs it. Its fact registry is the fee token,
// which knows no facts: a call that gets as far as asking it ends with ENTRYPOINT_NOT_FOUND.
func sayaContract(t *testing.T, url string) string {
	t.Helper()
	root, err := tools.Tools()
	if err != nil {
		t.Fatal(err)
	}
	_, s, c := made()
	setUp, err := json.Marshal(map[string]any{
		"constructor": []any{"self", s.Root, felt.FromUint64(s.Block), s.BlockHash},
		"calls": []map[string]any{
			{"entrypoint": "set_program_info", "calldata": []any{felt.Zero, c.BootloaderHash, c.ConfigHash,
				c.ProgramHash, c.LayoutBridgeHash}},
			{"entrypoint": "set_facts_registry", "calldata": []any{starknet.STRK}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(root, "devnet", "contract.mjs"), url, sayaClass(t), string(setUp))
	cmd.Stderr = os.Stderr
	address, err := cmd.Output()
	if err != nil {
		t.Fatalf("deploy Saya's core contract: %v: install starknet.js with `make test-saya`", err)
	}
	return strings.TrimSpace(string(address))
}

// Case P8: a core contract that nobody here wrote is read, and takes our calls as far as the question for the fact. It
// refuses those that were made for other values, with the words that we know.
func TestDevnet_Saya(t *testing.T) {
	t.Parallel()
	sayaClass(t)
	url := tools.Devnet(t)
	address := sayaContract(t, url)
	ctx := t.Context()
	node := must(starknet.Dial(url, "SN_SEPOLIA"))(t)
	w := must(starknet.NewWallet(node, must(starknet.NewKeySigner(devnetKey))(t), devnetAccount, starknet.STRK))(t)
	core := must(starknet.NewCore(node, address, w))(t)
	_, state, config := made()
	if got := must(core.State(ctx, false))(t); got != state {
		t.Errorf("state %+v, want %+v", got, state)
	}
	if got := must(core.Config(ctx))(t); got != config { // the owner may settle
		t.Errorf("configuration %+v, want %+v", got, config)
	}
	form := must(core.Form(ctx))(t)
	for want, change := range map[string]func(*settlement.Update, *settlement.Config){
		"ENTRYPOINT_NOT_FOUND": func(*settlement.Update, *settlement.Config) {}, // of the fact registry
		"INVALID_CONFIG_HASH": func(u *settlement.Update, c *settlement.Config) {
			c.ConfigHash = felt.FromUint64(9)
			u.ProgramOutput[output.ConfigHashAt] = c.ConfigHash
		},
		"INVALID_PROGRAM_HASH": func(_ *settlement.Update, c *settlement.Config) {
			c.ProgramHash = felt.FromUint64(9)
		},
		"INVALID_BOOTLOADER_HASH": func(_ *settlement.Update, c *settlement.Config) {
			c.BootloaderHash = felt.FromUint64(9)
		},
		"INVALID_LAYOUT_BRIDGE_PROGRAM_HASH": func(_ *settlement.Update, c *settlement.Config) {
			c.LayoutBridgeHash = felt.FromUint64(9)
		},
	} {
		u, s, c := made()
		change(&u, &c)
		args, _, err := starknet.Calldata(u, s, c, form)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Simulate(ctx, tx.Payload{To: address, Entrypoint: "update_state", Data: felt.Concat(args)})
		var revert *tx.RevertError
		if !errors.As(err, &revert) || revert.Code != want {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}
