package starknet

import (
	"context"
	"fmt"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/stateupdate"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

func invalid(code, format string, args ...any) error {
	return &settlement.InvalidError{Refusal: refusals[code], Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Encode implements settlement.Contract. It asks the contract's fact registry too whether the update is proven.
func (c *Core) Encode(ctx context.Context, u settlement.Update, s settlement.State,
	cfg settlement.Config) (tx.Payload, error) {
	form, err := c.Form(ctx)
	if err != nil {
		return tx.Payload{}, err
	}
	args, fact, err := Calldata(u, s, cfg, form)
	if err != nil {
		return tx.Payload{}, err
	}
	p := tx.Payload{To: c.contract.String(), Entrypoint: "update_state", Data: felt.Concat(args)}
	if _, err := calldataOf(p); err != nil {
		return tx.Payload{}, invalid("CALLDATA_TOO_LONG",
			"%v: make batches smaller, or run SNOS with KZG data availability, which leaves the state diff out", err)
	}
	registry, err := c.view(ctx, "get_facts_registry", latest, 1)
	if err != nil {
		return tx.Payload{}, err
	}
	facts := &Facts{node: c.node, contract: registry[0]}
	ok, err := facts.known(ctx, fact, form.Arguments == SnosArguments, latest)
	if err != nil {
		return tx.Payload{}, err
	}
	if !ok {
		return tx.Payload{}, invalid("NO_STATE_TRANSITION_PROOF", "fact 0x%x is not registered on fact registry %s",
			fact, registry[0])
	}
	return p, nil
}

// Calldata checks an update as the contract would, and returns the arguments of update_state and the fact that the
// contract will ask for. A fault is a *settlement.InvalidError. What only the chain knows, whether the fact is proven
// and the consumed messages exist, is left to the registry and to simulation.
//
// The SNOS output goes as the bootloader wrote it, under the contract's program hash; of SnosArguments as the program
// wrote it. The layout bridge's output is that of the update, or where it has none the one that follows from the SNOS
// output and the contract's program hashes. The fact is a felt (Integrity's), of SnosArguments SHARP's.
func Calldata(u settlement.Update, s settlement.State, cfg settlement.Config,
	f Form) (args []felt.Felt, fact [32]byte, err error) {
	if !cfg.Operator {
		return nil, fact, invalid("ONLY_OPERATOR", "the account is neither operator nor owner of the core contract")
	}
	program, words, bootloaded := output.SkipBootloader(u.ProgramOutput)
	if bootloaded && program != cfg.ProgramHash {
		return nil, fact, invalid("INVALID_PROGRAM_HASH", "SNOS ran as program %s, the contract takes %s",
			program, cfg.ProgramHash)
	}
	if err := check(words, u, s, cfg); err != nil {
		return nil, fact, err
	}
	if f.Arguments == SnosArguments {
		return span(words), pie.PageFact(cfg.ProgramHash, words), nil
	}
	snos := output.Bootloaded(cfg.ProgramHash, words)
	bridge, err := bridgeOutput(snos, u.BridgeOutput, cfg, f.Arguments == InputArguments)
	if err != nil {
		return nil, fact, err
	}
	fact = hash.PoseidonMany([]felt.Felt{cfg.BootloaderHash, hash.PoseidonMany(bridge)})
	switch f.Arguments {
	case InputArguments:
		args = append([]felt.Felt{felt.FromUint64(f.variant)}, span(bridge)...)
	case DataArguments: // the size is a u256: low, high
		args = append(slices.Concat(span(snos), span(bridge)), u.DataHash, felt.FromUint64(u.DataSize), felt.Zero)
	default:
		args = slices.Concat(span(snos), span(bridge))
	}
	return args, fact, nil
}

// span is a list as Cairo takes it: its length, its felts.
func span(fs []felt.Felt) []felt.Felt {
	return append([]felt.Felt{felt.FromUint64(uint64(len(fs)))}, fs...)
}

// check compares the state update's words with batch and contract.
func check(w []felt.Felt, u settlement.Update, s settlement.State, cfg settlement.Config) error {
	c := stateupdate.Check{Update: u, State: s, Config: cfg, Name: "SNOS output", Invalid: invalid}
	if err := c.Words(w); err != nil {
		return err
	}
	o, rest, err := output.Parse(w)
	switch {
	case err != nil:
		return invalid("INVALID_MESSAGE_SEGMENT_SIZE", "%v", err)
	case o.Kzg != nil && len(rest) > 0:
		return invalid("STARKNET_OUTPUT_TOO_LONG", "%d words follow the messages", len(rest))
	case len(u.Blobs) > 0:
		return invalid("UNEXPECTED_KZG_DA_FLAG", "the update brings %d blobs, Starknet takes none", len(u.Blobs))
	}
	if err := c.Settings(o); err != nil {
		return err
	}
	return c.Start(o)
}

// Offsets in the layout bridge's output, bootloaded. The form with one input carries the SNOS output itself
// (cartridge-gg/piltover, src/input/layout_bridge.cairo): the bootloader's program, the size of what it wrote, and
// that.
const (
	bridgeProgramAt  = 2
	carriedProgramAt = 3
	bridgeOutputAt   = 4
	carriedOutputAt  = 5
)

// bridgeOutput checks the layout bridge's output, or makes it. withSnos: the output carries that of SNOS, else its
// hash.
func bridgeOutput(snos, given []felt.Felt, cfg settlement.Config, withSnos bool) ([]felt.Felt, error) {
	at, made := bridgeOutputAt, output.LayoutBridge
	if withSnos {
		at, made = carriedOutputAt, output.LayoutBridgeWith
	}
	switch {
	case len(given) == 0 && cfg.LayoutBridgeHash.IsZero():
		return nil, invalid("STARKNET_OUTPUT_TOO_SHORT",
			"the update has no layout bridge output, and the contract keeps no program hash to make it from")
	case len(given) == 0:
		return made(cfg.LayoutBridgeHash, cfg.BootloaderHash, snos), nil
	case len(given) <= at:
		return nil, invalid("STARKNET_OUTPUT_TOO_SHORT", "the layout bridge's output has %d words, at least %d",
			len(given), at+1)
	case !cfg.LayoutBridgeHash.IsZero() && given[bridgeProgramAt] != cfg.LayoutBridgeHash:
		return nil, invalid("INVALID_LAYOUT_BRIDGE_PROGRAM_HASH",
			"the layout bridge ran as program %s, the contract takes %s", given[bridgeProgramAt], cfg.LayoutBridgeHash)
	}
	if withSnos {
		if err := carried(snos, given, cfg); err != nil {
			return nil, err
		}
		return given, nil
	}
	if h := hash.PoseidonMany(snos); given[bridgeOutputAt] != h {
		return nil, invalid("INVALID_OUTPUT_HASH", "the layout bridge proved an output with hash %s, that of SNOS "+
			"under the contract's program has %s", given[bridgeOutputAt], h)
	}
	return given, nil
}

// carried checks what a layout bridge's output carries.
func carried(snos, given []felt.Felt, cfg settlement.Config) error {
	switch {
	case given[carriedProgramAt] != cfg.BootloaderHash:
		return invalid("INVALID_BOOTLOADER_HASH",
			"the layout bridge proved a run of bootloader %s, the contract takes %s",
			given[carriedProgramAt], cfg.BootloaderHash)
	case !slices.Equal(given[carriedOutputAt:], snos):
		return invalid("INVALID_OUTPUT_HASH",
			"the layout bridge proved another output than that of SNOS under the contract's program")
	}
	return nil
}
