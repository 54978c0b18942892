package settlement

import (
	"fmt"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Needs is what a core contract must hold to take the batches of a Starknet version. A zero field is not known.
type Needs struct {
	ConfigHash            felt.Felt
	ProgramHash           felt.Felt
	AggregatorProgramHash felt.Felt
}

// Change is a value that the owner of the core contract has to set.
type Change struct {
	Name string // of the value, in plain words
	Has  felt.Felt
	Need felt.Felt
}

// Changes are the differences between a contract's configuration and what it must hold. A value that is not known, or
// that the contract does not have (AggregatorProgramHash on Starknet), does not differ.
func (c Config) Changes(n Needs) []Change {
	var out []Change
	add := func(name string, has, need felt.Felt) {
		if !need.IsZero() && has != need {
			out = append(out, Change{Name: name, Has: has, Need: need})
		}
	}
	add("config hash", c.ConfigHash, n.ConfigHash)
	add("program hash", c.ProgramHash, n.ProgramHash)
	if !c.AggregatorProgramHash.IsZero() {
		add("aggregator program hash", c.AggregatorProgramHash, n.AggregatorProgramHash)
	}
	return out
}

// String says what has to be set, to which value.
func (c Change) String() string { return fmt.Sprintf("%s to %s (it is %s)", c.Name, c.Need, c.Has) }

// Describe lists changes for people.
func Describe(changes []Change) string {
	texts := make([]string, len(changes))
	for i, c := range changes {
		texts[i] = c.String()
	}
	return strings.Join(texts, ", ")
}
