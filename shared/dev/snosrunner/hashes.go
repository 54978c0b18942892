package snosrunner

import (
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Hashes are what a core contract of the development chain holds.
type Hashes struct {
	OS felt.Felt // program hash of the fake Starknet OS
	// program hash of the fake aggregator with the AGGREGATOR prefix, as contracts on Ethereum hold it
	Aggregator felt.Felt
	Config     felt.Felt // config hash of a chain with Config's values
}

// What the development chain's config hash is over: the chain id of the development chain and the fee tokens' addresses
// on Starknet (docs.starknet.io, "Important addresses").
const (
	ChainID     = "DEV_APPCHAIN"
	FeeToken    = "0x04718f5a0fc34cc1af16a1cdee98ffb20c31f5cd61d6ab07201858f4287c938d"
	EthFeeToken = "0x049d36570d4e46f48e99674bd3fcc84644ddd6b96f7c741b1562b82f9e004dc7"
)

// Hashes by Starknet version, as cairo-lang answers them. Development contracts and fakes of proving services are set
// up with these and never with what this repository computes, so that a fault in our arithmetic shows in every run.
//
// From PyPI cairo-lang 0.14.3a3 with F = HashFunction.PEDERSEN or BLAKE, for StrippedProgram(data=[NAME as a number],
// builtins=["output"], main=0): compute_program_hash_chain(program, F), and of it add_aggregator_prefix(hash, F). The
// config hashes are its compute_hash_on_elements of ["StarknetOsConfig2", ChainID, EthFeeToken, FeeToken] and
// ["StarknetOsConfig3", ChainID, FeeToken], and its calculate_blake2s_hash_from_felt252s of ["StarknetOsConfig4",
// ChainID, FeeToken]. TestOracleFakes asks cairo-lang again.
var (
	pedersenHashes = Hashes{
		OS:         felt.MustHex("0x13bba487f97b438d36930f5cf11279feedb7d891f5827dd359412cd8adbf725"),
		Aggregator: felt.MustHex("0x1fadb4d2e3edb7f942cb1d8072c8228b620fa5c91d97b4e49c672fa9ce531fc"),
		Config:     felt.MustHex("0x7c09c0c8b0e9f08f25a88f33ba66fa1b6b943c74dd0bbcba4566df5dbcf876a"),
	}
	blakeHashes = Hashes{
		OS:         felt.MustHex("0x742afb9d62225ac8939617954370a2978cd48b61ec13c253373c830581e6bc6"),
		Aggregator: felt.MustHex("0x5c396ac1c35e494ab7e817a16545e7e64b211132e05cb79966a31680033a209"),
		Config:     felt.MustHex("0x4cb917e0a666635ab4adbe70482e4be17b3e41ca9a7365b750bfed1b53069e4"),
	}
	oldConfig = felt.MustHex("0x5e8129f7a09a8baf26261443c88ff67de4c0149181b1932247ffddd1c786cdf")
)

// HashesBy are the program hashes by the name of the hash function at SHARP, PEDERSEN or BLAKE.
func HashesBy(function string) Hashes {
	if function == "BLAKE" {
		return blakeHashes
	}
	return pedersenHashes
}

// HashesOf are the hashes at a Starknet version. The versions are listed here again, by what is known of them (Blake2s
// from 0.14.3, two fee tokens before 0.14.0), as this is what the product is checked against.
func HashesOf(starknet string) (Hashes, error) {
	switch starknet {
	case "0.14.3", "0.14.4":
		return blakeHashes, nil
	case "0.14.0", "0.14.1", "0.14.2":
		return pedersenHashes, nil
	case "0.13.1", "0.13.1.1", "0.13.2", "0.13.2.1", "0.13.3", "0.13.4", "0.13.5", "0.13.6":
		h := pedersenHashes
		h.Config = oldConfig
		return h, nil
	}
	return Hashes{}, fmt.Errorf("development contracts: no hashes are listed for Starknet version %.40q", starknet)
}
