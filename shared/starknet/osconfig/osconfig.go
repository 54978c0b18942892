// Package osconfig computes the config hash of a chain: the word by which the Starknet OS, the aggregator and the core
// contract make sure that they are about the same chain id, fee token and keys of the data availability committee.
package osconfig

import (
	"errors"
	"fmt"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// ErrConfig says that a configuration has no hash at a Starknet version; the wrapping text says why.
var ErrConfig = errors.New("the configuration has no config hash")

// Config is what the hash is over.
type Config struct {
	ChainID felt.Felt
	// FeeToken is the address of the fee token (STRK) on the chain.
	FeeToken felt.Felt
	// EthFeeToken is the address of the fee token before it; only before Starknet 0.14.0.
	EthFeeToken felt.Felt
	// PublicKeys are those of the data availability committee, in order; none: state diffs are not encrypted. Since
	// 0.14.1.
	PublicKeys []felt.Felt
}

// The first versions of the three formulas and of encryption. Version 2 is that of recorded Sepolia batches of 0.13.5;
// cairo-lang changed to 3 with its release 0.14.0; 4 is that of outputs of Starknet OS 0.14.4.
var (
	since3     = version.Must("0.14.0")
	keysSince  = version.Must("0.14.1")
	since4     = version.Must("0.14.3")
	tag2, tag3 = short("StarknetOsConfig2"), short("StarknetOsConfig3")
	tag4       = short("StarknetOsConfig4")
)

func short(s string) felt.Felt {
	f, err := felt.FromShortString(s)
	if err != nil {
		panic(err) // fixed input
	}
	return f
}

// Hash is the config hash at a Starknet version: word 7 of the OS's and the aggregator's output, and configHash of the
// core contract. ErrConfig where the configuration does not fit the version; else the error is that of version.Check.
func Hash(starknet string, c Config) (felt.Felt, error) {
	v, err := version.Check(starknet)
	if err != nil {
		return felt.Zero, err
	}
	switch {
	case c.ChainID.IsZero():
		return felt.Zero, fmt.Errorf("%w: the chain id is missing", ErrConfig)
	case c.FeeToken.IsZero():
		return felt.Zero, fmt.Errorf("%w: the fee token's address is missing", ErrConfig)
	case len(c.PublicKeys) > 0 && v.Before(keysSince):
		return felt.Zero, fmt.Errorf("%w: Starknet %s knows no public keys of a data availability committee, %s is "+
			"the first that does", ErrConfig, v, keysSince)
	case v.Before(since3) && c.EthFeeToken.IsZero():
		return felt.Zero, fmt.Errorf("%w: before Starknet %s it is also over the ETH fee token, whose address is "+
			"missing", ErrConfig, since3)
	case v.Before(since3):
		return hash.PedersenArray([]felt.Felt{tag2, c.ChainID, c.EthFeeToken, c.FeeToken}), nil
	case v.Before(since4):
		return over(hash.PedersenArray, tag3, c), nil
	}
	return over(hash.Blake2s, tag4, c), nil
}

func over(h func([]felt.Felt) felt.Felt, tag felt.Felt, c Config) felt.Felt {
	words := []felt.Felt{tag, c.ChainID, c.FeeToken}
	if len(c.PublicKeys) > 0 {
		words = append(words, h(c.PublicKeys))
	}
	return h(words)
}

// ParseChainID reads a chain id: a text such as SN_SEPOLIA, or a felt in hex with 0x.
func ParseChainID(s string) (felt.Felt, error) {
	if strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X") {
		f, err := felt.FromHex(s)
		if err != nil {
			return f, fmt.Errorf("chain id: %w", err)
		}
		return f, nil
	}
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return felt.Zero, fmt.Errorf("chain id %.40q: want ASCII text such as SN_SEPOLIA, or a felt in hex", s)
		}
	}
	f, err := felt.FromShortString(s)
	if err != nil {
		return f, fmt.Errorf("chain id: %w", err)
	}
	return f, nil
}
