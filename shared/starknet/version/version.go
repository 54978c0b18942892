// Package version lists the Starknet versions whose protocol this product implements, and compares them. What a version
// changes is decided where it matters: statediff for the encoding of state diffs, osconfig for the config hash. Which
// hash function programs are hashed with is said here, as several packages need it.
package version

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrMalformed says that a text is not a Starknet version such as 0.14.2.
var ErrMalformed = errors.New("not a Starknet version such as 0.14.2")

// ErrUnknown says that a version is not among Known.
var ErrUnknown = errors.New("unknown Starknet version")

// Version is a version's four parts; the fourth is 0 where a version has three.
type Version [4]int

// known are the released versions that are implemented, in ascending order. They are listed one by one, as a version
// that does not exist today (also one with a fourth part) may change what is proven: the block's version then decides
// nothing here. 0.13.1.1 and 0.13.2.1 are the only ones with four parts (starkware-libs/sequencer, StarknetVersion).
var known = []string{
	"0.13.1", "0.13.1.1", "0.13.2", "0.13.2.1", "0.13.3", "0.13.4", "0.13.5", "0.13.6", "0.14.0", "0.14.1", "0.14.2",
	"0.14.3", "0.14.4",
}

// Oldest is the oldest version that is implemented.
func Oldest() string { return known[0] }

// Newest is the newest version that is implemented.
func Newest() string { return known[len(known)-1] }

// Known lists the versions that are implemented, in ascending order.
func Known() []string { return slices.Clone(known) }

// Supported says whether a version is implemented.
func Supported(s string) bool { return slices.Contains(known, s) }

// Check returns the version if it is implemented. Otherwise the error is ErrMalformed or ErrUnknown and says what to
// do.
func Check(s string) (Version, error) {
	v, err := Parse(s)
	if err != nil {
		return v, err
	}
	if !Supported(s) {
		return v, fmt.Errorf("%w %s: this release implements %s to %s; %s",
			ErrUnknown, s, Oldest(), Newest(), advice(v))
	}
	return v, nil
}

// advice is what an operator does about an unknown version.
func advice(v Version) string {
	switch {
	case v.Before(Must(Oldest())):
		return "older blocks can't be settled with it: start after them (CHAIN_FIRST_BLOCK)"
	case Must(Newest()).Before(v):
		return "deploy a release that implements it; blocks before it are settled meanwhile"
	}
	return "check the version that the chain's node reports, or deploy a release that implements it"
}

// Parse reads a version of three or four parts, implemented or not.
func Parse(s string) (Version, error) {
	var v Version
	parts := strings.Split(s, ".")
	if len(parts) < 3 || len(parts) > 4 {
		return v, fmt.Errorf("%.40q is %w", s, ErrMalformed)
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return v, fmt.Errorf("%.40q is %w", s, ErrMalformed)
		}
		v[i] = int(n)
	}
	return v, nil
}

// Must is Parse of a constant; it panics on a malformed one.
func Must(s string) Version {
	v, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return v
}

// Before says whether v is older than w.
func (v Version) Before(w Version) bool { return slices.Compare(v[:], w[:]) < 0 }

// String is the version as blocks carry it: the fourth part only where it is not 0.
func (v Version) String() string {
	s := fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2])
	if v[3] != 0 {
		s += "." + strconv.Itoa(v[3])
	}
	return s
}
