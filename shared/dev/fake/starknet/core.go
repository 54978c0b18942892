package starknet

import (
	"fmt"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// core is a core contract with piltover's functions and checks.
type core struct {
	o               Core
	root, blockHash felt.Felt
	number          felt.Felt
	messages        map[string]bool // to the app chain, that wait
}

func newCore(o Core) core {
	if o.Form == "" {
		o.Form = DataForm
	}
	c := core{o: o, root: o.Root, blockHash: o.BlockHash, number: felt.MinusOne(), messages: map[string]bool{}}
	if o.Settled {
		c.number = felt.FromUint64(o.Block)
	}
	for _, m := range o.Messages {
		c.messages[key(m)] = true
	}
	return c
}

func key(m block.MessageToL2) string {
	return fmt.Sprint(m.From, m.To, m.Nonce, m.Selector, m.Payload)
}

func (c *core) call(w *world, from felt.Felt, name string, args []felt.Felt) ([]felt.Felt, *fault) {
	switch name {
	case "get_state":
		return []felt.Felt{c.root, c.number, c.blockHash}, nil
	case "get_program_info":
		info := []felt.Felt{c.o.Bootloader, c.o.Config, c.o.Snos, c.o.LayoutBridge}
		if c.o.Form == InputForm { // the variant's index
			info = append([]felt.Felt{felt.Zero}, info...)
		}
		return info, nil
	case "get_facts_registry":
		return []felt.Felt{RegistryAddress}, nil
	case "owner":
		return []felt.Felt{c.o.Owner}, nil
	case "is_operator":
		if len(args) != 1 {
			return nil, panics("Failed to deserialize param #1")
		}
		if slices.Contains(c.o.Operators, args[0]) {
			return []felt.Felt{felt.FromUint64(1)}, nil
		}
		return []felt.Felt{felt.Zero}, nil
	case "update_state":
		return nil, c.update(w, from, args)
	}
	return nil, &fault{noEntry: true}
}

// span takes a list off the front of arguments.
func span(args []felt.Felt) (list, rest []felt.Felt, ok bool) {
	if len(args) == 0 {
		return nil, nil, false
	}
	n, fits := args[0].Uint64()
	if !fits || n > uint64(len(args)-1) {
		return nil, nil, false
	}
	return args[1 : n+1], args[n+1:], true
}

// update is update_state: the checks in piltover's order.
func (c *core) update(w *world, from felt.Felt, args []felt.Felt) *fault {
	g := c.take(args)
	if g.fault != nil && wrongArguments(g.fault) {
		return g.fault
	}
	if from != c.o.Owner && !slices.Contains(c.o.Operators, from) {
		return panics("Config: not owner or operator")
	}
	if g.fault != nil {
		return g.fault
	}
	words := g.words
	if len(words) < 10 {
		return panics("Index out of bounds")
	}
	toL2, f := messagesOf(words)
	if f != nil {
		return f
	}
	switch {
	case words[7] != c.o.Config:
		return panics("snos: invalid config hash")
	case !g.known(w):
		return panics("no fact registered")
	case words[2] != c.number:
		return panics("State: invalid block number")
	case words[0] != c.root:
		return panics("State: invalid previous root")
	}
	c.root, c.number, c.blockHash = words[1], words[3], words[5]
	w.written += 3 + len(toL2)
	for _, m := range toL2 {
		if !c.messages[key(m)] {
			return panics("INVALID_MESSAGE_TO_SEAL")
		}
		delete(c.messages, key(m))
	}
	return nil
}

// wrongArguments says whether a contract never came to its own code.
func wrongArguments(f *fault) bool {
	return len(f.words) == 1 && (strings.HasPrefix(f.words[0], "Failed to deserialize") ||
		f.words[0] == "Input too long for arguments")
}

// messagesOf reads the messages to the app chain that an output consumes, as piltover does: what is too short is left
// out.
func messagesOf(words []felt.Felt) ([]block.MessageToL2, *fault) {
	at := 10
	if !words[8].IsZero() {
		if len(words) < 12 {
			return nil, panics("Index out of bounds")
		}
		blobs, ok := words[11].Uint64()
		if !ok || blobs > 1000 {
			return nil, panics("Invalid n_blobs")
		}
		at = 12 + 4*int(blobs)
	}
	rest := words[min(at, len(words)):]
	if len(rest) == 0 {
		return nil, panics("Option::unwrap failed.")
	}
	_, rest, ok := span(rest) // to Starknet: they need nothing
	if !ok || len(rest) == 0 {
		return nil, panics("Option::unwrap failed.")
	}
	list, _, ok := span(rest)
	if !ok {
		return nil, panics("Option::unwrap failed.")
	}
	var out []block.MessageToL2
	for len(list) >= 5 {
		m := block.MessageToL2{From: list[0], To: list[1], Nonce: list[2], Selector: list[3]}
		payload, after, ok := span(list[4:])
		if !ok {
			return nil, panics("Invalid payload size")
		}
		m.Payload, list = payload, after
		out = append(out, m)
	}
	return out, nil
}
