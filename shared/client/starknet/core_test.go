package starknet_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/da/datest"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement/settlementtest"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// Forms of contracts whose arguments are two outputs.
var (
	dataForm    = starknet.Form{Arguments: starknet.DataArguments}
	outputsForm = starknet.Form{Arguments: starknet.OutputArguments}
)

// factOf is the fact that the contract asks for.
func factOf(t *testing.T, u settlement.Update, s settlement.State, c settlement.Config) felt.Felt {
	t.Helper()
	_, fact, err := starknet.Calldata(u, s, c, dataForm)
	if err != nil {
		t.Fatal(err)
	}
	return fact
}

func TestCore_Conformance(t *testing.T) {
	t.Parallel()
	settlementtest.TestContract(t, func(t *testing.T) settlementtest.Harness {
		u, s, c := made()
		b := setup(t)
		b.RegisterFact(factOf(t, u, s, c))
		w := b.wallet(t, operator)
		return settlementtest.Harness{
			Contract: b.core(t, operator), Before: s, Update: u, After: after,
			Simulate: func(t *testing.T, p tx.Payload, before ...tx.Signed) error {
				_, err := w.Simulate(t.Context(), p, before...)
				return err
			},
			Sign:     func(t *testing.T, p tx.Payload) tx.Signed { return b.prepare(t, w, p) },
			Send:     func(t *testing.T, p tx.Payload) bool { return b.send(t, w, p).Success },
			Finalize: b.AcceptOnL1,
		}
	})
}

// Case P8: the four forms in use settle, each as the ABI of the contract's class says, with its own fact.
func TestCore_Forms(t *testing.T) {
	t.Parallel()
	for _, form := range fakestarknet.Forms() {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			u, s, c := made()
			b := setup(t, func(o *fakestarknet.Options) { o.Core.Form = form })
			w, core := b.wallet(t, operator), b.core(t, operator)
			if got := must(core.Config(t.Context()))(t); got != c {
				t.Errorf("configuration %+v, want %+v", got, c)
			}
			var invalid *settlement.InvalidError
			if _, err := core.Encode(t.Context(), u, s, c); !errors.As(err, &invalid) ||
				invalid.Code != "NO_STATE_TRANSITION_PROOF" {
				t.Fatalf("without its fact: %v", err)
			}
			_, fact, err := starknet.Calldata(u, s, c, must(core.Form(t.Context()))(t))
			if err != nil {
				t.Fatal(err)
			}
			facts := must(starknet.NewFacts(b.node, fakestarknet.RegistryAddress.String(), core))(t)
			name := fmt.Sprintf("0x%x", fact)
			if known := must(facts.Valid(t.Context(), []string{name}))(t); known[0] {
				t.Error("the fact is known before it is registered")
			}
			if err := starknet.NewRegistrar(facts, b.wallet(t, registrar)).Register(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			b.Mine(1)
			if known := must(facts.Valid(t.Context(), []string{name}))(t); !known[0] {
				t.Error("the registered fact is not known")
			}
			p := must(core.Encode(t.Context(), u, s, c))(t)
			if status := b.send(t, w, p); !status.Success {
				t.Errorf("%+v", status)
			}
			if got := must(core.State(t.Context(), false))(t); got != after {
				t.Errorf("state %+v", got)
			}
		})
	}
}

// A layout bridge's output that carries the one of SNOS is taken as a proof says it, and refused where it is of another
// run.
func TestCalldata_Input(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *fakestarknet.Options) { o.Core.Form = fakestarknet.InputForm })
	form := must(b.core(t, operator).Form(t.Context()))(t)
	u, s, c := made()
	want, _, err := starknet.Calldata(u, s, c, form)
	if err != nil {
		t.Fatal(err)
	}
	// The words of a bridge's output as cartridge-gg/piltover's own test has them: header of two bootloaders and the
	// bridge.
	snos := output.Bootloaded(c.ProgramHash, u.ProgramOutput)
	n := uint64(len(u.ProgramOutput))
	f := felt.FromUint64
	bridge := append(
		[]felt.Felt{f(1), f(n + 7), c.LayoutBridgeHash, c.BootloaderHash, f(n + 3), f(1), f(n + 2), c.ProgramHash},
		u.ProgramOutput...)
	if got := append([]felt.Felt{f(0), f(n + 8)}, bridge...); string(felt.Concat(got)) != string(felt.Concat(want)) {
		t.Errorf("calldata %v, want %v", want, got)
	}
	u.ProgramOutput, u.BridgeOutput = snos, bridge
	if got, _, err := starknet.Calldata(u, s, c, form); err != nil ||
		string(felt.Concat(got)) != string(felt.Concat(want)) {
		t.Errorf("from outputs of proofs: %v, %v", got, err)
	}
	for code, at := range map[string]int{
		"INVALID_LAYOUT_BRIDGE_PROGRAM_HASH": 2, "INVALID_BOOTLOADER_HASH": 3, "INVALID_OUTPUT_HASH": 9,
	} {
		u.BridgeOutput = slices.Clone(bridge)
		u.BridgeOutput[at] = f(99)
		var invalid *settlement.InvalidError
		if _, _, err := starknet.Calldata(u, s, c, form); !errors.As(err, &invalid) || invalid.Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// A contract that was upgraded to another form is read again.
func TestCore_Upgrade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	core := b.core(t, operator)
	for _, form := range fakestarknet.Forms() {
		b.Upgrade(form)
		if got := must(core.Form(t.Context()))(t); string(got.Arguments) != string(form) {
			t.Errorf("form %s, want %s", got.Arguments, form)
		}
		if _, err := core.Config(t.Context()); err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
}

// faults are updates that the contract would refuse, with our word for each.
func faults() []struct {
	name, code string
	change     func(*settlement.Update, *settlement.State, *settlement.Config)
} {
	f := felt.FromUint64
	word := func(at int, v felt.Felt) func(*settlement.Update, *settlement.State, *settlement.Config) {
		return func(u *settlement.Update, _ *settlement.State, _ *settlement.Config) { u.ProgramOutput[at] = v }
	}
	return []struct {
		name, code string
		change     func(*settlement.Update, *settlement.State, *settlement.Config)
	}{
		{"no operator", "ONLY_OPERATOR",
			func(_ *settlement.Update, _ *settlement.State, c *settlement.Config) { c.Operator = false }},
		{"previous block", "INVALID_PREV_BLOCK_NUMBER", word(output.PrevBlockAt, f(8))},
		{"new block", "INVALID_BLOCK_NUMBER", word(output.NewBlockAt, f(21))},
		{"previous root", "INVALID_PREVIOUS_ROOT", word(output.PrevRootAt, f(1))},
		{"previous hash", "INVALID_PREV_BLOCK_HASH", word(output.PrevHashAt, f(1))},
		{"configuration", "INVALID_CONFIG_HASH", word(output.ConfigHashAt, f(1))},
		{"no felt", "PROGRAM_OUTPUT_VALUE_OUT_OF_RANGE", word(output.NewRootAt, felt.Felt{0xff})},
		{"messages", "INVALID_MESSAGE_SEGMENT_SIZE", word(output.HeaderWords, f(99))},
		{"short", "STARKNET_OUTPUT_TOO_SHORT", func(u *settlement.Update, _ *settlement.State, _ *settlement.Config) {
			u.ProgramOutput = u.ProgramOutput[:5]
		}},
		{"unsettled", "INVALID_PREV_BLOCK_NUMBER",
			func(_ *settlement.Update, s *settlement.State, _ *settlement.Config) { s.Settled = false }},
		{"blobs", "UNEXPECTED_KZG_DA_FLAG",
			func(u *settlement.Update, _ *settlement.State, _ *settlement.Config) { u.Blobs = [][]byte{{1}} }},
		{"program", "INVALID_PROGRAM_HASH", func(u *settlement.Update, _ *settlement.State, _ *settlement.Config) {
			u.ProgramOutput = output.Bootloaded(f(1), u.ProgramOutput)
		}},
		{"bridge of another run", "INVALID_OUTPUT_HASH",
			func(u *settlement.Update, _ *settlement.State, c *settlement.Config) {
				u.BridgeOutput = output.LayoutBridge(c.LayoutBridgeHash, c.BootloaderHash, []felt.Felt{f(1)})
			}},
		{"bridge program", "INVALID_LAYOUT_BRIDGE_PROGRAM_HASH",
			func(u *settlement.Update, _ *settlement.State, c *settlement.Config) {
				u.BridgeOutput = output.LayoutBridge(f(1), c.BootloaderHash,
					output.Bootloaded(c.ProgramHash, u.ProgramOutput))
			}},
		{"short bridge", "STARKNET_OUTPUT_TOO_SHORT",
			func(u *settlement.Update, _ *settlement.State, _ *settlement.Config) {
				u.BridgeOutput = []felt.Felt{f(1)}
			}},
		{"no bridge", "STARKNET_OUTPUT_TOO_SHORT",
			func(_ *settlement.Update, _ *settlement.State, c *settlement.Config) { c.LayoutBridgeHash = felt.Zero }},
	}
}

func TestCalldata_Faults(t *testing.T) {
	t.Parallel()
	for _, f := range faults() {
		u, s, c := made()
		f.change(&u, &s, &c)
		var invalid *settlement.InvalidError
		if _, _, err := starknet.Calldata(u, s, c, dataForm); !errors.As(err, &invalid) || invalid.Code != f.code {
			t.Errorf("%s: %v, want %s", f.name, err, f.code)
		}
	}
}

// TestCalldata_Same: the bootloader's words may be there or not, and the layout bridge's output may be given or made.
func TestCalldata_Same(t *testing.T) {
	t.Parallel()
	u, s, c := made()
	want, fact, err := starknet.Calldata(u, s, c, dataForm)
	if err != nil {
		t.Fatal(err)
	}
	snos := output.Bootloaded(c.ProgramHash, u.ProgramOutput)
	bridge := output.LayoutBridge(c.LayoutBridgeHash, c.BootloaderHash, snos)
	if fact != hash.PoseidonMany([]felt.Felt{c.BootloaderHash, hash.PoseidonMany(bridge)}) {
		t.Errorf("fact %x", fact)
	}
	all := append(append(append([]felt.Felt{felt.FromUint64(uint64(len(snos)))}, snos...), felt.FromUint64(5)),
		bridge...)
	all = append(all, felt.FromUint64(7), felt.FromUint64(3), felt.Zero)
	if string(felt.Concat(want)) != string(felt.Concat(all)) {
		t.Errorf("calldata %v, want %v", want, all)
	}
	u.ProgramOutput, u.BridgeOutput = snos, bridge
	got, again, err := starknet.Calldata(u, s, c, outputsForm)
	if err != nil || again != fact || string(felt.Concat(got)) != string(felt.Concat(all[:len(all)-3])) {
		t.Errorf("from outputs of proofs: %v, fact %x, %v", got, again, err)
	}
}

// TestCore_Reverts sends faults past our checks: the contract refuses them, and its words become ours.
func TestCore_Reverts(t *testing.T) {
	t.Parallel()
	u, s, c := made()
	good, _, err := starknet.Calldata(u, s, c, dataForm)
	if err != nil {
		t.Fatal(err)
	}
	n := len(u.ProgramOutput)
	at := func(i int) int { return 1 + output.BootloaderWords + i } // of a word of the state update
	for code, change := range map[string]func(args []felt.Felt){
		"":                                   func([]felt.Felt) {},
		"INVALID_PREV_BLOCK_NUMBER":          func(a []felt.Felt) { a[at(output.PrevBlockAt)] = felt.FromUint64(8) },
		"INVALID_PREVIOUS_ROOT":              func(a []felt.Felt) { a[at(output.PrevRootAt)] = felt.FromUint64(8) },
		"INVALID_CONFIG_HASH":                func(a []felt.Felt) { a[at(output.ConfigHashAt)] = felt.FromUint64(8) },
		"INVALID_PROGRAM_HASH":               func(a []felt.Felt) { a[3] = felt.FromUint64(8) },
		"INVALID_LAYOUT_BRIDGE_PROGRAM_HASH": func(a []felt.Felt) { a[1+3+n+1+2] = felt.FromUint64(8) },
		"INVALID_OUTPUT_HASH":                func(a []felt.Felt) { a[1+3+n+1+4] = felt.FromUint64(8) },
		"INVALID_MESSAGE_TO_CONSUME": func(
			a []felt.Felt) {
			a[at(output.HeaderWords+1+4+1+2)] = felt.FromUint64(99)
		},
		"NO_STATE_TRANSITION_PROOF": func(a []felt.Felt) { a[at(output.NewRootAt)] = felt.FromUint64(8) },
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			args := append([]felt.Felt(nil), good...)
			change(args)
			snos, bridge := args[1:1+3+n], args[1+3+n+1:1+3+n+1+5]
			if code != "INVALID_OUTPUT_HASH" && code != "" {
				bridge[4] = hash.PoseidonMany(snos)
			}
			if code != "NO_STATE_TRANSITION_PROOF" {
				b.RegisterFact(hash.PoseidonMany([]felt.Felt{c.BootloaderHash, hash.PoseidonMany(bridge)}))
			}
			w := b.wallet(t, operator)
			p := tx.Payload{To: fakestarknet.CoreAddress.String(), Entrypoint: "update_state", Data: felt.Concat(args)}
			_, err := w.Simulate(t.Context(), p)
			status := b.send(t, w, p)
			if code == "" {
				if err != nil || !status.Success {
					t.Errorf("the update as it is: %v, %+v", err, status)
				}
				return
			}
			var revert *tx.RevertError
			if !errors.As(err, &revert) || revert.Code != code || revert.Detail == "" {
				t.Errorf("Simulate: %v", err)
			}
			if status.Success || status.Revert == nil || status.Revert.Code != code {
				t.Errorf("status %+v, %v", status, status.Revert)
			}
		})
	}
	b := setup(t)
	w := b.wallet(t, thirdParty)
	var revert *tx.RevertError
	_, err = w.Simulate(t.Context(),
		tx.Payload{To: fakestarknet.CoreAddress.String(), Entrypoint: "update_state", Data: felt.Concat(good)})
	if !errors.As(err, &revert) || revert.Code != "ONLY_OPERATOR" {
		t.Errorf("by a third party: %v", err)
	}
	for entrypoint, to := range map[string]felt.Felt{"ENTRYPOINT_NOT_FOUND": fakestarknet.SinkAddress,
		"CONTRACT_NOT_DEPLOYED": felt.FromUint64(99)} {
		_, err = w.Simulate(t.Context(), tx.Payload{To: to.String(), Entrypoint: "update_state"})
		if !errors.As(err, &revert) || revert.Code != entrypoint {
			t.Errorf("of %s: %v", to, err)
		}
	}
}

func TestCore_Unsettled(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *fakestarknet.Options) { o.Core.Settled, o.Core.Owner = false, thirdParty })
	ctx := t.Context()
	core := b.core(t, thirdParty)
	if s := must(core.State(ctx, false))(t); s.Settled || s.Next() != 0 || s.Root != felt.FromUint64(101) {
		t.Errorf("state %+v", s)
	}
	if s := must(core.State(ctx, true))(t); s != (settlement.State{}) {
		t.Errorf("finalized state %+v", s)
	}
	if c := must(core.Config(ctx))(t); !c.Operator {
		t.Error("the owner may not update the state")
	}
	if c := must(b.core(t, registrar).Config(ctx))(t); c.Operator || c.ProgramHash != felt.FromUint64(201) ||
		c.LayoutBridgeHash != felt.FromUint64(204) {
		t.Errorf("config %+v", c)
	}
	for at, want := range map[felt.Felt]error{felt.FromUint64(99): settlement.ErrNotConfigured,
		fakestarknet.SinkAddress: nil} {
		other := must(starknet.NewCore(b.node, at.String(), nil))(t)
		if _, err := other.State(ctx, false); err == nil || !errors.Is(err, want) && want != nil {
			t.Errorf("State of %s: %v", at, err)
		}
		if _, err := other.Config(ctx); err == nil || !errors.Is(err, want) && want != nil {
			t.Errorf("Config of %s: %v", at, err)
		}
	}
	if _, err := starknet.NewCore(b.node, "12", nil); err == nil {
		t.Error("an address without 0x was taken")
	}
}

// TestCore_EncodeAsks: an update without a registered fact, or too long for a transaction, is refused before it is
// sent.
func TestCore_EncodeAsks(t *testing.T) {
	t.Parallel()
	u, s, c := made()
	b := setup(t)
	var invalid *settlement.InvalidError
	if _, err := b.core(t, operator).Encode(t.Context(), u, s, c); !errors.As(err, &invalid) ||
		invalid.Code != "NO_STATE_TRANSITION_PROOF" {
		t.Errorf("without its fact: %v", err)
	}
	u.ProgramOutput = append(u.ProgramOutput, make([]felt.Felt, 5000)...)
	if _, err := b.core(t, operator).Encode(t.Context(), u, s, c); !errors.As(err, &invalid) ||
		invalid.Code != "CALLDATA_TOO_LONG" {
		t.Errorf("too long: %v", err)
	}
}

func TestDA(t *testing.T) {
	t.Parallel()
	datest.TestLayer(t, func(t *testing.T) datest.Harness {
		return datest.Harness{Layer: must(starknet.NewDA("0x10", ""))(t), Most: starknet.MaxSegment}
	})
	b := setup(t)
	w := b.wallet(t, thirdParty)
	layer := must(starknet.NewDA(w.Address().String(), ""))(t)
	words := make([]felt.Felt, starknet.MaxSegment)
	for i := range words {
		words[i] = felt.FromUint64(uint64(i + 1))
	}
	p, c, err := layer.Encode(t.Context(), da.Data{Batch: 1, Words: words})
	if err != nil || c.Size != uint64(len(words)) || c.Hash != hash.PoseidonMany(words) {
		t.Fatalf("%+v, %v", c, err)
	}
	if s := b.send(t, w, p); !s.Success {
		t.Errorf("the longest segment: %+v", s)
	}
	if layer.Name() != "starknet" {
		t.Errorf("name %q", layer.Name())
	}
}
