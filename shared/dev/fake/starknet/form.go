package starknet

import (
	"encoding/json"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
)

// Form is a release of piltover: what update_state takes, what get_program_info answers, and which fact is asked for.
type Form string

// Forms of the core contract. Types and names in their ABIs are those of the sources that are named.
const (
	// DataForm takes two outputs, a hash and a size (keep-starknet-strange/piltover a7dc414, src/interface.cairo).
	DataForm Form = "data"
	// OutputsForm takes two outputs (its release before).
	OutputsForm Form = "outputs"
	// SnosForm takes SNOS' output and asks Herodotus' Satellite for SHARP's fact of it (a branch with
	// src/satellite.cairo: isKeccakVerifiedFactHashValid of keccak(program hash, keccak(output))).
	SnosForm Form = "snos"
	// InputForm takes the enum PiltoverInput and answers the enum ProgramInfo (ABI of dojoengine/saya d7e97ed,
	// contracts/core_contract.json; checks of cartridge-gg/piltover, src/input/component.cairo).
	InputForm Form = "input"
)

// Forms are all forms.
func Forms() []Form { return []Form{DataForm, OutputsForm, SnosForm, InputForm} }

// classHash is the class of a form; what it is a hash of does not matter here.
func (f Form) classHash() felt.Felt {
	return felt.FromUint64(uint64(0xc1a550 + slices.Index(Forms(), f)))
}

type entry map[string]any

func typed(name, kind string) entry { return entry{"name": name, "type": kind} }

const (
	feltName  = "core::felt252"
	feltsName = "core::array::Span::<core::felt252>"
	infoName  = "piltover::config::interface::ProgramInfo"
	osName    = "piltover::config::interface::StarknetOsProgramInfo"
	teeName   = "piltover::config::interface::KatanaTeeProgramInfo"
	inputName = "piltover::input::component::PiltoverInput"
	daName    = "piltover::input::layout_bridge::DaLayerInfo"
)

// abi is the ABI of a form's class as nodes answer it: a text that is JSON.
func (f Form) abi() string {
	entries := []entry{{"type": "impl", "name": "Appchain", "interface_name": "piltover::interface::IAppchain"}}
	if f == InputForm {
		entries = append(entries, inputTypes()...)
	}
	entries = append(entries, f.programInfo(),
		interfaceOf("piltover::interface::IAppchain", entry{
			"type": "function", "name": "update_state", "inputs": f.inputs(), "outputs": []entry{},
			"state_mutability": "external",
		}),
		interfaceOf("piltover::config::interface::IConfig", entry{
			"type": "function", "name": "get_program_info", "inputs": []entry{},
			"outputs": []entry{{"type": infoName}}, "state_mutability": "view",
		}))
	text, err := json.Marshal(entries)
	if err != nil {
		panic(err) // literals only
	}
	return string(text)
}

// inputs are those of the form's update_state.
func (f Form) inputs() []entry {
	switch f {
	case SnosForm:
		return []entry{typed("snos_output", feltsName)}
	case InputForm:
		return []entry{typed("piltover_input", inputName)}
	case DataForm:
		return []entry{
			typed("snos_output", feltsName), typed("layout_bridge_output", feltsName),
			typed("onchain_data_hash", feltName), typed("onchain_data_size", "core::integer::u256"),
		}
	default:
		return []entry{typed("snos_output", feltsName), typed("layout_bridge_output", feltsName)}
	}
}

// programHashes are what the contract compares of the programs that ran.
func programHashes() []entry {
	return []entry{
		typed("bootloader_program_hash", feltName), typed("snos_config_hash", feltName),
		typed("snos_program_hash", feltName), typed("layout_bridge_program_hash", feltName),
	}
}

// programInfo is the type that get_program_info answers with.
func (f Form) programInfo() entry {
	if f == InputForm {
		return entry{"type": "enum", "name": infoName,
			"variants": []entry{typed("StarknetOs", osName), typed("KatanaTee", teeName)}}
	}
	return structOf(infoName, programHashes()...)
}

// inputTypes are those that the form with one input declares.
func inputTypes() []entry {
	return []entry{
		structOf(daName, typed("height", feltName), typed("commitment", feltName), typed("namespace", feltName)),
		{"type": "enum", "name": inputName, "variants": []entry{
			typed("LayoutBridgeOutputNoDa", feltsName),
			typed("LayoutBridgeOutputWithDa", "("+feltsName+", "+daName+")"),
		}},
		structOf(osName, programHashes()...),
		structOf(teeName, typed("katana_tee_config_hash", feltName)),
	}
}

func structOf(name string, members ...entry) entry {
	return entry{"type": "struct", "name": name, "members": members}
}

func interfaceOf(name string, functions ...entry) entry {
	return entry{"type": "interface", "name": name, "items": functions}
}

// given is what update_state was given: the SNOS output as the program wrote it, and what is checked of the rest.
type given struct {
	words []felt.Felt
	fault *fault
	known func(w *world) bool // whether the fact is registered
}

// take reads the arguments of a form and makes the checks that come before those of the configuration.
func (c *core) take(args []felt.Felt) given {
	switch c.o.Form {
	case SnosForm:
		return c.takeSnos(args)
	case InputForm:
		return c.takeInput(args)
	}
	return c.takeOutputs(args)
}

func refused(words ...string) given { return given{fault: panics(words...)} }

func (c *core) takeOutputs(args []felt.Felt) given {
	snos, rest, ok := span(args)
	if !ok {
		return refused("Failed to deserialize param #1")
	}
	bridge, rest, ok := span(rest)
	if !ok {
		return refused("Failed to deserialize param #2")
	}
	want := 3
	if c.o.Form == OutputsForm {
		want = 0
	}
	switch {
	case len(rest) < want:
		return refused("Failed to deserialize param #3")
	case len(rest) > want:
		return refused("Input too long for arguments")
	case len(snos) < 3:
		return refused("Index out of bounds")
	case snos[2] != c.o.Snos:
		return refused("snos: invalid program hash")
	case len(bridge) < 5:
		return refused("Index out of bounds")
	case bridge[2] != c.o.LayoutBridge:
		return refused("lb: invalid program hash")
	case bridge[4] != hash.PoseidonMany(snos):
		return refused("snos: invalid output hash")
	}
	return given{words: snos[3:], known: c.integrity(bridge)}
}

// integrity asks the registry for the fact of the layout bridge's output.
func (c *core) integrity(bridge []felt.Felt) func(w *world) bool {
	fact := hash.PoseidonMany([]felt.Felt{c.o.Bootloader, hash.PoseidonMany(bridge)})
	return func(w *world) bool { return w.facts[fact] }
}

func (c *core) takeSnos(args []felt.Felt) given {
	words, rest, ok := span(args)
	switch {
	case !ok:
		return refused("Failed to deserialize param #1")
	case len(rest) > 0:
		return refused("Input too long for arguments")
	case c.o.Snos.IsZero():
		return refused("snos: invalid program hash")
	}
	page := hash.Keccak256(felt.Concat(words))
	fact := hash.Keccak256(c.o.Snos[:], page[:])
	return given{words: words, known: func(w *world) bool { return w.keccak[fact] }}
}

func (c *core) takeInput(args []felt.Felt) given {
	if len(args) == 0 || !args[0].IsZero() { // the other variants are not known here
		return refused("Failed to deserialize param #1")
	}
	bridge, rest, ok := span(args[1:])
	switch {
	case !ok:
		return refused("Failed to deserialize param #1")
	case len(rest) > 0:
		return refused("Input too long for arguments")
	case len(bridge) < 8: // the header: two bootloaders' and the bridge's words
		return refused("Index out of bounds")
	case bridge[7] != c.o.Snos:
		return refused("snos: invalid program hash")
	case bridge[2] != c.o.LayoutBridge:
		return refused("lb: invalid program hash")
	case bridge[3] != c.o.Bootloader:
		return refused("lb: invalid bootloader hash")
	}
	return given{words: bridge[8:], known: c.integrity(bridge)}
}
