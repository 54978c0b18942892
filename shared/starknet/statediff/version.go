package statediff

import "github.com/madara-orchestrator/orchestrator/shared/starknet/version"

// Format is how a Starknet version writes state diffs for data availability.
type Format struct {
	// PackedWord is the DA word of 0.13.3 and later; before, flag, nonce and number of writes lie at fixed places and a
	// contract with writes carries its nonce even where it didn't change.
	PackedWord bool
	// Aliases is the stateful compression of 0.13.4 and later: addresses and keys are replaced by their aliases.
	Aliases bool
	// Stateless is the stateless compression of 0.13.5 and later.
	Stateless bool
}

// Versions from which on a part of the format is in use. Nothing changed since the last of them.
var (
	packedSince    = version.Must("0.13.3")
	aliasesSince   = version.Must("0.13.4")
	statelessSince = version.Must("0.13.5")
)

// FormatOf returns the format of a Starknet version. One that is not among version.Known is an error
// (version.ErrUnknown or version.ErrMalformed): its encoding is not known.
func FormatOf(starknet string) (Format, error) {
	v, err := version.Check(starknet)
	if err != nil {
		return Format{}, err
	}
	return Format{
		PackedWord: !v.Before(packedSince),
		Aliases:    !v.Before(aliasesSince),
		Stateless:  !v.Before(statelessSince),
	}, nil
}
