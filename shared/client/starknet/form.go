package starknet

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
)

// Arguments says what a core contract's update_state takes. Each is in use on some release of piltover.
type Arguments string

const (
	// DataArguments are snos_output, layout_bridge_output, onchain_data_hash and onchain_data_size
	// (keep-starknet-strange/piltover, src/interface.cairo).
	DataArguments Arguments = "data"
	// OutputArguments are the two outputs alone (the release before it).
	OutputArguments Arguments = "outputs"
	// SnosArguments is the SNOS output as the program wrote it, whose SHARP fact Herodotus' Satellite knows (a branch
	// of keep-starknet-strange/piltover with src/satellite.cairo).
	SnosArguments Arguments = "snos"
	// InputArguments is the enum PiltoverInput, which carries the layout bridge's output with that of SNOS in it
	// (cartridge-gg/piltover, src/input; the class is in dojoengine/saya, contracts/core_contract.json).
	InputArguments Arguments = "input"
)

// ErrForm says that a core contract is of no form that is known.
var ErrForm = errors.New("the core contract is not a known form of piltover")

// Form is what a core contract takes and answers, as the ABI of its class says.
type Form struct {
	Arguments Arguments
	variant   uint64 // of InputArguments: that without data availability elsewhere
	// programs are the fields of get_program_info's answer, in order; of an enum those of the variant for SNOS, which
	// the variant's index precedes.
	programs       []string
	programVariant int // -1 where the answer is not an enum
}

// item is an entry of an ABI.
type item struct {
	Type, Name string
	Items      []item // of an interface
	Inputs     []typed
	Outputs    []typed
	Members    []typed
	Variants   []typed
}

type typed struct{ Name, Type string }

const (
	feltType   = "core::felt252"
	u256Type   = "core::integer::u256"
	feltsType  = "core::array::Span::<" + feltType + ">"
	inputNoDA  = "LayoutBridgeOutputNoDa"
	snosMember = "snos_program_hash"
)

// ParseForm reads the form out of a class's ABI, the JSON text that nodes answer. The error is ErrForm where it is of
// none.
func ParseForm(abi []byte) (Form, error) {
	var items []item
	if err := json.Unmarshal(abi, &items); err != nil {
		return Form{}, fmt.Errorf("%w: its ABI is not a list of entries", ErrForm)
	}
	f := Form{programVariant: -1}
	update, ok := function(items, "update_state")
	if !ok {
		return f, fmt.Errorf("%w: its ABI has no update_state", ErrForm)
	}
	if err := f.takes(items, update.Inputs); err != nil {
		return f, err
	}
	info, ok := function(items, "get_program_info")
	if !ok || len(info.Outputs) != 1 {
		return f, fmt.Errorf("%w: its ABI has no get_program_info with one answer", ErrForm)
	}
	return f, f.answers(items, info.Outputs[0].Type)
}

// function finds a function, on its own or in an interface.
func function(items []item, name string) (item, bool) {
	for _, i := range items {
		if i.Type == "function" && i.Name == name {
			return i, true
		}
		if i.Type == "interface" {
			if f, ok := function(i.Items, name); ok {
				return f, true
			}
		}
	}
	return item{}, false
}

// typeOf finds a struct or an enum.
func typeOf(items []item, kind, name string) (item, bool) {
	at := slices.IndexFunc(items, func(i item) bool { return i.Type == kind && i.Name == name })
	if at < 0 {
		return item{}, false
	}
	return items[at], true
}

// takes sets what update_state takes.
func (f *Form) takes(items []item, inputs []typed) error {
	types := make([]string, len(inputs))
	for i, in := range inputs {
		types[i] = in.Type
	}
	switch {
	case slices.Equal(types, []string{feltsType, feltsType, feltType, u256Type}):
		f.Arguments = DataArguments
	case slices.Equal(types, []string{feltsType, feltsType}):
		f.Arguments = OutputArguments
	case slices.Equal(types, []string{feltsType}):
		f.Arguments = SnosArguments
	case len(types) == 1:
		enum, _ := typeOf(items, "enum", types[0])
		at := slices.Index(enum.Variants, typed{Name: inputNoDA, Type: feltsType})
		if at < 0 {
			return fmt.Errorf("%w: its update_state takes %s, which has no %s", ErrForm, types[0], inputNoDA)
		}
		f.Arguments, f.variant = InputArguments, uint64(at)
	default:
		return fmt.Errorf("%w: its update_state takes (%s)", ErrForm, strings.Join(types, ", "))
	}
	return nil
}

// answers sets what get_program_info answers: a struct, an enum with one for SNOS, or two felts, which are program and
// configuration.
func (f *Form) answers(items []item, answer string) error {
	if answer == "("+feltType+", "+feltType+")" {
		f.programs = []string{snosMember, "snos_config_hash"}
		return nil
	}
	if enum, ok := typeOf(items, "enum", answer); ok {
		for i, v := range enum.Variants {
			if s, ok := typeOf(items, "struct", v.Type); ok && s.has(snosMember) {
				f.programVariant, answer = i, v.Type
				break
			}
		}
	}
	s, ok := typeOf(items, "struct", answer)
	if !ok || !s.has(snosMember) || !s.has("snos_config_hash") {
		return fmt.Errorf(
			"%w: its get_program_info answers %s, without %s and snos_config_hash",
			ErrForm,
			answer,
			snosMember,
		)
	}
	for _, m := range s.Members {
		if m.Type != feltType {
			return fmt.Errorf("%w: %s of its get_program_info is a %s", ErrForm, m.Name, m.Type)
		}
		f.programs = append(f.programs, m.Name)
	}
	return nil
}

func (i item) has(member string) bool {
	return slices.ContainsFunc(i.Members, func(m typed) bool { return m.Name == member })
}

// config reads an answer of get_program_info.
func (f Form) config(out []felt.Felt) (settlement.Config, error) {
	var c settlement.Config
	if f.programVariant >= 0 {
		if len(out) == 0 || out[0] != felt.FromUint64(uint64(f.programVariant)) {
			return c, fmt.Errorf(
				"%w: it is set up for another proof system than SNOS (get_program_info has variant %s, "+
					"that of SNOS is %d): "+
					"let its owner call set_program_info",
				ErrForm,
				first(out),
				f.programVariant,
			)
		}
		out = out[1:]
	}
	if len(out) < len(f.programs) {
		return c, fmt.Errorf("%w: its get_program_info answers %d felts, want %d", ErrForm, len(out), len(f.programs))
	}
	for i, name := range f.programs {
		switch name {
		case "bootloader_program_hash":
			c.BootloaderHash = out[i]
		case "snos_config_hash":
			c.ConfigHash = out[i]
		case snosMember:
			c.ProgramHash = out[i]
		case "layout_bridge_program_hash":
			c.LayoutBridgeHash = out[i]
		}
	}
	return c, nil
}

func first(out []felt.Felt) string {
	if len(out) == 0 {
		return "none"
	}
	return out[0].String()
}
