package version

// HashFunction is the function that a version hashes programs with: the hashes of the Starknet OS and of the
// aggregator, and the AGGREGATOR prefix. Its text is what cairo-lang's command line calls it.
type HashFunction string

// Hash functions.
const (
	Pedersen HashFunction = "pedersen"
	Blake2s  HashFunction = "blake"
)

// blakeSince is the first version with Blake2s (starkware-libs/sequencer, source of 2026-08-20; outputs of its OS of
// 0.14.4 prove it).
var blakeSince = Must("0.14.3")

// HashFunction is the function that the version hashes programs with.
func (v Version) HashFunction() HashFunction {
	if v.Before(blakeSince) {
		return Pedersen
	}
	return Blake2s
}

// HashFunctionOf is the hash function of a Starknet version that is implemented. Otherwise the error is that of Check.
func HashFunctionOf(starknet string) (HashFunction, error) {
	v, err := Check(starknet)
	if err != nil {
		return "", err
	}
	return v.HashFunction(), nil
}
