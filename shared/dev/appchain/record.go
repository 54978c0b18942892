package appchain

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Recording is a contiguous run of recorded state updates, with what else was recorded beside them.
type Recording struct {
	// Updates are the state updates in order, each on its predecessor's root. Numbers are set.
	Updates []block.StateUpdate
	// Numbered says whether the recording itself holds the block numbers.
	Numbered bool
	// ParentHash is the hash of the block before the first; 0 where it is not recorded.
	ParentHash felt.Felt
	// Nonces are nonces that the node answered, by block and contract.
	Nonces map[uint64]map[felt.Felt]felt.Felt
	// Before are slots as they were before the first block, as far as they follow from the recording.
	Before map[block.Slot]felt.Felt
	// From says which file or member the updates are from.
	From string
}

// First and last block numbers of the recording.
func (r Recording) bounds() (first, last uint64) {
	return r.Updates[0].Number, r.Updates[len(r.Updates)-1].Number
}

// String is the range as text.
func (r Recording) String() string {
	first, last := r.bounds()
	return fmt.Sprintf("blocks %d..%d of %s", first, last, r.From)
}

// RecordingOptions say how a recording is served.
type RecordingOptions struct {
	// ChainID is the chain's id, "SN_RECORDED" where unset.
	ChainID string
	// StarknetVersion is that of every block: recordings lack it. "0.13.5" where unset.
	StarknetVersion string
	// Held is the number of blocks that are served only after Advance.
	Held int
	// BlockInterval releases a held block every so often; 0 for none.
	BlockInterval time.Duration
	// GenesisTime and BlockTime make up the times of blocks.
	GenesisTime time.Time
	BlockTime   time.Duration
	// ListenAddr is the loopback address to serve on, "127.0.0.1:0" where unset.
	ListenAddr string
}

// ErrGaps says that a recording is not a contiguous run: Load gives its runs, and Recording.Start serves one.
var ErrGaps = errors.New("recorded blocks do not follow each other")

// FromRecording serves a recording: a JSON file with one state update or a list, a folder of them, or a tar.gz. A
// recording of several runs is ErrGaps.
func FromRecording(path string, o RecordingOptions) (*Chain, error) {
	runs, err := Load(path)
	if err != nil {
		return nil, err
	}
	if len(runs) > 1 {
		names := make([]string, len(runs))
		for i, r := range runs {
			names[i] = r.String()
		}
		return nil, fmt.Errorf("serve recording %s as one chain: %s: %w", path, strings.Join(names, "; "), ErrGaps)
	}
	return runs[0].Start(o)
}

// Start serves one contiguous run.
func (r Recording) Start(o RecordingOptions) (*Chain, error) {
	def(&o.ChainID, "SN_RECORDED")
	def(&o.StarknetVersion, "0.13.5")
	opts := Options{ChainID: o.ChainID, BlockInterval: o.BlockInterval,
		GenesisTime: o.GenesisTime, BlockTime: o.BlockTime,
		ListenAddr: o.ListenAddr, Versions: []VersionFrom{{0, o.StarknetVersion}}}.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("serve recording: %w", err)
	}
	if o.Held < 0 || o.Held > len(r.Updates) {
		return nil, fmt.Errorf("hold back %d of %d recorded blocks: out of range", o.Held, len(r.Updates))
	}
	c := newChain(opts)
	c.state, c.rec, c.late = newState(), newRecorded(r), uint64(o.Held)
	c.first, _ = r.bounds()
	parent := r.ParentHash
	if parent.IsZero() && c.first > 0 {
		parent = poseidonMany(mustShort("RECORDED_PARENT"), r.Updates[0].BlockHash)
	}
	for _, u := range r.Updates {
		h := block.Header{Number: u.Number, Hash: u.BlockHash, ParentHash: parent, NewRoot: u.NewRoot,
			StarknetVersion: o.StarknetVersion,
			Timestamp:       opts.GenesisTime.Add(opts.BlockTime * timeFactor(u.Number-c.first))}
		p := produced{header: h, update: u}
		p.weights = weigh(p)
		c.blocks = append(c.blocks, p)
		c.byHash[h.Hash] = u.Number
		c.state.apply(u.Number, u.Diff)
		parent = h.Hash
	}
	return c, c.serve()
}

// recorded answers state reads from before a recording's writes.
type recorded struct {
	Recording
	given                                           map[felt.Felt]bool // keys that a recorded block gave an alias
	missedSlots, missedNonces, derived, madeAliases atomic.Uint64
}

func newRecorded(r Recording) *recorded {
	given := map[felt.Felt]bool{}
	for _, u := range r.Updates {
		for _, c := range u.Diff.Storage {
			if c.Address != aliasContract {
				continue
			}
			for _, e := range c.Entries {
				given[e.Key] = true
			}
		}
	}
	return &recorded{Recording: r, given: given}
}

// nonce answers a nonce that no recorded block wrote up to n: what the node answered at the time, else 0, counted.
func (r *recorded) nonce(address felt.Felt, n uint64) (any, *rpcFault) {
	if v, ok := r.Nonces[n][address]; ok {
		return v, nil
	}
	for _, u := range r.Updates {
		if u.Number > n {
			break
		}
		if slices.ContainsFunc(u.Diff.Deployed, func(d block.DeployedContract) bool { return d.Address == address }) {
			return felt.Zero, nil
		}
	}
	r.missedNonces.Add(1)
	return felt.Zero, nil
}

// storage answers a slot that no recorded block wrote up to n: what follows from the recording, else 0, counted.
func (r *recorded) storage(slot block.Slot, _ uint64) (any, *rpcFault) {
	if v, ok := r.Before[slot]; ok {
		r.derived.Add(1)
		return v, nil
	}
	if slot.Contract == aliasContract && needsAlias(slot.Key) && !r.given[slot.Key] {
		r.madeAliases.Add(1)
		return madeAlias(slot.Key), nil
	}
	r.missedSlots.Add(1)
	return felt.Zero, nil
}

// madeAlias is a 62-bit alias for a key that has one on the chain, which the recording does not hold. Without it
// nothing that writes to the key could be encoded.
func madeAlias(key felt.Felt) felt.Felt {
	var a felt.Felt
	h := poseidonMany(mustShort("MADE_ALIAS"), key)
	copy(a[24:], h[24:])
	a[24] = a[24]&0x3f | 0x20
	return a
}

// Synthesized names what the served chain makes up because the recording lacks it; nil for a produced chain.
func (c *Chain) Synthesized() []string {
	if c.rec == nil {
		return nil
	}
	out := []string{"timestamp", "starknet_version", "transactions", "receipts", "messages",
		"bouncer weights", "prices and sequencer"}
	if c.rec.ParentHash.IsZero() && c.first > 0 {
		out = append(out, "parent_hash of the first block")
	}
	if !c.rec.Numbered {
		out = append(out, "block numbers")
	}
	return out
}

// Notes lists what a user of the chain should know of its answers so far, such as reads of earlier state that a
// recording could not answer.
func (c *Chain) Notes() []string {
	if c.rec == nil {
		return nil
	}
	out := []string{fmt.Sprintf("recorded %s; made up: %s", c.rec, strings.Join(c.Synthesized(), ", "))}
	if n := c.rec.derived.Load(); n > 0 {
		out = append(out, fmt.Sprintf("%d reads of earlier slots were answered by what follows from the recording", n))
	}
	if n := c.rec.madeAliases.Load(); n > 0 {
		out = append(out,
			fmt.Sprintf("%d reads of aliases that the recording does not hold were answered with made-up ones", n))
	}
	if slots, nonces := c.rec.missedSlots.Load(), c.rec.missedNonces.Load(); slots+nonces > 0 {
		out = append(out,
			fmt.Sprintf("%d slots and %d nonces from before the recording were answered as 0: squashed diffs that "+
				"depend on them differ from the chain's own", slots, nonces))
	}
	return out
}
