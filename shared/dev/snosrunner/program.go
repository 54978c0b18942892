package snosrunner

import (
	"io"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// program is one of the two fixed fake programs. Its data is its name: it computes nothing.
type program struct {
	pie pie.Program
}

func newProgram(name string) program {
	return program{pie: pie.Program{Data: []felt.Felt{short(name)}, Builtins: []string{"output"}}}
}

// hash is the program's hash at a Starknet version.
func (p program) hash(starknet string) (felt.Felt, version.HashFunction, error) {
	f, err := version.HashFunctionOf(starknet)
	if err != nil {
		return felt.Zero, f, err
	}
	h, err := p.pie.Hash(f)
	return h, f, err
}

// programs are the fakes of the Starknet OS and of the aggregator.
var osProgram, aggregatorProgram = newProgram("ORCHESTRATOR_DEV_OS_1"), newProgram("ORCHESTRATOR_DEV_AGGREGATOR_1")

// writePIE writes the PIE of a run.
func (p program) writePIE(w io.Writer, o outcome) error {
	run := &pie.PIE{Program: p.pie, Output: o.output, Steps: o.steps()}
	if o.page > 0 {
		start := uint64(len(o.output) - o.page)
		run.Pages, run.Tree = []pie.Page{{Start: start, Size: uint64(o.page)}}, calldataTree
	}
	return pie.Write(w, run)
}
