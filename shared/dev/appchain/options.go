// Package appchain is a Starknet app chain for development: it produces blocks from a seed, or replays recorded ones,
// and serves them by Starknet JSON-RPC and the feeder gateway's bouncer weights on loopback.
//
// State roots of produced blocks are real Starknet commitments (Merkle-Patricia tries over contracts, storage and
// classes). Block hashes are not Starknet's: they are a Poseidon hash of the header and the state diff.
package appchain

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	starknetversion "github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// VersionFrom sets the Starknet version from a block on.
type VersionFrom struct {
	Block   uint64
	Version string
}

// Options say what chain to produce. The zero value is a chain of no blocks that Advance lengthens.
type Options struct {
	// Seed decides every block; the same options give the same chain.
	Seed uint64
	// ChainID is the chain's id, "DEV_APPCHAIN" where unset.
	ChainID string
	// Blocks is how many blocks there are at the start.
	Blocks int
	// BlockInterval produces a block every so often until MaxBlocks (0: no end); 0 for none.
	BlockInterval time.Duration
	MaxBlocks     uint64
	// Versions is the Starknet version by block, ascending; version.Newest throughout where unset.
	Versions []VersionFrom
	// Transactions is how many transactions a block has about, 6 where unset.
	Transactions int
	// EmptyEvery makes every so many-th block an empty one; 9 where unset, negative for none.
	EmptyEvery int
	// GenesisTime is block 0's time and BlockTime the time between blocks: the chain's own clock, which has nothing to
	// do with ours. 2025-01-01 and 6 s where unset.
	GenesisTime time.Time
	BlockTime   time.Duration
	// L1Sender is the address on the settlement layer whose messages the chain consumes. A core contract that keeps
	// count of messages must have been given those of MessagesToL2 first.
	L1Sender felt.Felt
	// NoMessagesToL2 produces none that nobody sent; Deliver still works.
	NoMessagesToL2 bool
	// NoMessagesToL1 produces none.
	NoMessagesToL1 bool
	// ListenAddr is the loopback address to serve on, "127.0.0.1:0" where unset.
	ListenAddr string
	// SpecVersion is the JSON-RPC specification that the node claims, "0.9.0" where unset.
	SpecVersion string
	// Log gets one line a request at debug level; nil for none.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	def(&o.ChainID, "DEV_APPCHAIN")
	def(&o.Transactions, 6)
	def(&o.EmptyEvery, 9)
	def(&o.BlockTime, 6*time.Second)
	def(&o.ListenAddr, "127.0.0.1:0")
	def(&o.SpecVersion, "0.9.0")
	def(&o.L1Sender, felt.MustHex("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"))
	if o.GenesisTime.IsZero() {
		o.GenesisTime = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if len(o.Versions) == 0 {
		o.Versions = []VersionFrom{{0, starknetversion.Newest()}}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// validate names the faults of filled options.
func (o Options) validate() error {
	var errs []error
	if _, err := felt.FromShortString(o.ChainID); err != nil {
		errs = append(errs, fmt.Errorf("chain id: %w", err))
	}
	if o.Blocks < 0 || o.Transactions < 0 || o.BlockInterval < 0 || o.BlockTime < time.Second {
		errs = append(errs,
			errors.New("blocks, transactions and interval must not be negative and block time be at least a second"))
	}
	if o.Versions[0].Block != 0 {
		errs = append(errs, errors.New("the first Starknet version must be that of block 0"))
	}
	for i, v := range o.Versions {
		if i > 0 && v.Block <= o.Versions[i-1].Block {
			errs = append(errs, fmt.Errorf("Starknet version %q is from block %d, which is not after its predecessor's",
				v.Version, v.Block))
		}
		if _, ok := parseVersion(v.Version); !ok {
			errs = append(errs, fmt.Errorf("%q is not a Starknet version", v.Version))
		}
	}
	return errors.Join(append(errs, checkLoopback(o.ListenAddr))...)
}

func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listen address: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("listen address %q is not on loopback: a development chain has no access control", addr)
	}
	return nil
}

// versionAt is the Starknet version of block n.
func (o Options) versionAt(n uint64) string {
	v := o.Versions[0].Version
	for _, x := range o.Versions {
		if x.Block <= n {
			v = x.Version
		}
	}
	return v
}

// number is a Starknet version that compares.
type number [4]uint64

// parseVersion reads three or four numbers with dots between.
func parseVersion(s string) (number, bool) {
	var v number
	field, digits := 0, 0
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9' && digits < 6:
			v[field] = v[field]*10 + uint64(c-'0')
			digits++
		case c == '.' && digits > 0 && field < 3:
			field, digits = field+1, 0
		default:
			return number{}, false
		}
	}
	return v, field >= 2 && digits > 0
}

// since says whether version s is v or a later one.
func since(s string, v number) bool {
	have, _ := parseVersion(s)
	for i := range v {
		if have[i] != v[i] {
			return have[i] > v[i]
		}
	}
	return true
}
