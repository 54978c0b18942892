package settlement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Needs is what a core contract must hold to take the batches of a Starknet version. A zero field is not known.
type Needs struct {
	ConfigHash            felt.Felt
	ProgramHash           felt.Felt
	AggregatorProgramHash felt.Felt
}

// Names of the values that a core contract is compared by.
const (
	ConfigHash            = "config hash"
	ProgramHash           = "program hash"
	AggregatorProgramHash = "aggregator program hash"
)

// Change is a value of a core contract beside what it must be. Where they differ, its owner has to set it.
type Change struct {
	Name string // of the value, in plain words
	Has  felt.Felt
	Need felt.Felt // zero: not known
}

// Differs says whether the value must be set. One that is not known does not differ.
func (c Change) Differs() bool { return !c.Need.IsZero() && c.Has != c.Need }

// Compare sets each value that a contract has beside what it must be. Starknet's has no AggregatorProgramHash.
func (c Config) Compare(n Needs) []Change {
	out := []Change{{ConfigHash, c.ConfigHash, n.ConfigHash}, {ProgramHash, c.ProgramHash, n.ProgramHash}}
	if !c.AggregatorProgramHash.IsZero() {
		out = append(out, Change{AggregatorProgramHash, c.AggregatorProgramHash, n.AggregatorProgramHash})
	}
	return out
}

// Changes are the values of Compare that differ.
func (c Config) Changes(n Needs) []Change {
	return slices.DeleteFunc(c.Compare(n), func(v Change) bool { return !v.Differs() })
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
