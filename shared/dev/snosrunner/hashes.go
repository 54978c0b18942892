package snosrunner

import "github.com/madara-orchestrator/orchestrator/shared/core/felt"

// The program hashes of the two fake programs as cairo-lang answers them. Development contracts and fakes of proving services
// are set up with these and never with what this repository computes, so that a fault in our arithmetic shows in every run.
//
// From PyPI cairo-lang 0.14.3a3, for StrippedProgram(data=[NAME as a number], builtins=["output"], main=0):
// compute_program_hash_chain(program, HashFunction.PEDERSEN), and of it add_aggregator_prefix(hash, HashFunction.PEDERSEN).
// TestOracleFakes asks cairo-lang again.
var (
	osHash         = felt.MustHex("0x13bba487f97b438d36930f5cf11279feedb7d891f5827dd359412cd8adbf725")
	aggregatorHash = felt.MustHex("0x1fadb4d2e3edb7f942cb1d8072c8228b620fa5c91d97b4e49c672fa9ce531fc")
)

// OSProgramHash is the program hash of the fake Starknet OS: what a core contract is set up with.
func OSProgramHash() felt.Felt { return osHash }

// AggregatorProgramHash is the program hash of the fake aggregator with the AGGREGATOR prefix: what a core contract on Ethereum
// is set up with.
func AggregatorProgramHash() felt.Felt { return aggregatorHash }
