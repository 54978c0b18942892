package statediff

import (
	"fmt"
	"strconv"
	"strings"
)

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

// Oldest and newest Starknet versions whose encoding is known here.
const (
	OldestVersion = "0.13.1"
	NewestVersion = "0.14.1"
)

// FormatOf returns the format of a Starknet version. A version outside OldestVersion..NewestVersion (any 0.14.1.x is
// within) is an error: its encoding is not known.
func FormatOf(version string) (Format, error) {
	v, err := parse(version)
	if err != nil {
		return Format{}, err
	}
	if v.before(must(OldestVersion)) || must(NewestVersion).minor().before(v.minor()) {
		return Format{}, fmt.Errorf("Starknet version %s: the encodings of %s to %s are known", version, OldestVersion, NewestVersion)
	}
	return Format{
		PackedWord: !v.before(must("0.13.3")),
		Aliases:    !v.before(must("0.13.4")),
		Stateless:  !v.before(must("0.13.5")),
	}, nil
}

// Supports says whether FormatOf knows the version.
func Supports(version string) bool {
	_, err := FormatOf(version)
	return err == nil
}

// number is a version's up to four parts.
type number [4]int

func parse(s string) (number, error) {
	var v number
	parts := strings.Split(s, ".")
	if len(parts) < 3 || len(parts) > 4 {
		return v, fmt.Errorf("%.40q is no Starknet version such as 0.13.5", s)
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return v, fmt.Errorf("%.40q is no Starknet version such as 0.13.5", s)
		}
		v[i] = int(n)
	}
	return v, nil
}

func must(s string) number {
	v, err := parse(s)
	if err != nil {
		panic(err)
	}
	return v
}

func (v number) before(w number) bool {
	for i := range v {
		if v[i] != w[i] {
			return v[i] < w[i]
		}
	}
	return false
}

// minor is the version without its fourth part.
func (v number) minor() number { v[3] = 0; return v }
