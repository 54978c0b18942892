package snosrunner

import (
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// ErrOutput says that words are not an output of the development programs.
var ErrOutput = errors.New("not an output of the development SNOS program")

// diffTag starts a state diff in a full output.
var diffTag = short("DEV_STATE_DIFF_V1")

func short(s string) felt.Felt {
	f, err := felt.FromShortString(s)
	if err != nil {
		panic(err)
	}
	return f
}

// Diff is what a full output carries after the messages: the state diff of its blocks, uncompressed.
//
// Layout, in words: the short string DEV_STATE_DIFF_V1; the Starknet version as a short string; then seven lists, each
// a count and its items: storage (address, number of entries, key and value of each), deployed contracts (address,
// class), replaced classes (address, class), nonces (address, nonce), declared classes (class, compiled class),
// deprecated classes (class), migrated classes (class, compiled class). The real program's full output differs; only
// our aggregator reads this one.
type Diff struct {
	Version string
	Diff    block.StateDiff
}

// EncodeDiff appends a state diff to out.
func EncodeDiff(out []felt.Felt, v Diff) ([]felt.Felt, error) {
	version, err := felt.FromShortString(v.Version)
	if err != nil {
		return nil, fmt.Errorf("Starknet version: %w", err)
	}
	d := v.Diff
	out = append(out, diffTag, version, count(d.Storage))
	for _, c := range d.Storage {
		out = append(out, c.Address, count(c.Entries))
		for _, e := range c.Entries {
			out = append(out, e.Key, e.Value)
		}
	}
	out = append(out, count(d.Deployed))
	for _, x := range d.Deployed {
		out = append(out, x.Address, x.ClassHash)
	}
	out = append(out, count(d.Replaced))
	for _, x := range d.Replaced {
		out = append(out, x.Address, x.ClassHash)
	}
	out = append(out, count(d.Nonces))
	for _, x := range d.Nonces {
		out = append(out, x.Address, x.Nonce)
	}
	out = append(out, count(d.Declared))
	for _, x := range d.Declared {
		out = append(out, x.ClassHash, x.CompiledClassHash)
	}
	out = append(append(out, count(d.DeprecatedDeclared)), d.DeprecatedDeclared...)
	out = append(out, count(d.MigratedCompiledHash))
	for _, x := range d.MigratedCompiledHash {
		out = append(out, x.ClassHash, x.CompiledClassHash)
	}
	return out, nil
}

func count[T any](s []T) felt.Felt { return felt.FromUint64(uint64(len(s))) }

// reader takes words off a list. After the first fault it gives zeros.
type reader struct {
	words []felt.Felt
	err   error
}

func (r *reader) word() felt.Felt {
	if len(r.words) == 0 && r.err == nil {
		r.err = fmt.Errorf("words end early: %w", ErrOutput)
	}
	if r.err != nil {
		return felt.Zero
	}
	w := r.words[0]
	r.words = r.words[1:]
	return w
}

// count reads a number of items that take at least size words each, so that a lie can't make us allocate.
func (r *reader) count(size int) int {
	w := r.word()
	n, ok := w.Uint64()
	if r.err == nil && (!ok || n > uint64(len(r.words)/size)) {
		r.err = fmt.Errorf("count %s where %d words are left: %w", w, len(r.words), ErrOutput)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// DecodeDiff reads what EncodeDiff wrote and nothing more.
func DecodeDiff(words []felt.Felt) (Diff, error) {
	r := &reader{words: words}
	if tag := r.word(); r.err == nil && tag != diffTag {
		return Diff{}, fmt.Errorf("state diff starts with %s: %w", tag, ErrOutput)
	}
	out := Diff{Version: text(r.word())}
	d := &out.Diff
	for range r.count(2) {
		c := block.ContractStorage{Address: r.word()}
		for range r.count(2) {
			c.Entries = append(c.Entries, block.StorageEntry{Key: r.word(), Value: r.word()})
		}
		d.Storage = append(d.Storage, c)
	}
	for range r.count(2) {
		d.Deployed = append(d.Deployed, block.DeployedContract{Address: r.word(), ClassHash: r.word()})
	}
	for range r.count(2) {
		d.Replaced = append(d.Replaced, block.ReplacedClass{Address: r.word(), ClassHash: r.word()})
	}
	for range r.count(2) {
		d.Nonces = append(d.Nonces, block.NonceUpdate{Address: r.word(), Nonce: r.word()})
	}
	for range r.count(2) {
		d.Declared = append(d.Declared, block.DeclaredClass{ClassHash: r.word(), CompiledClassHash: r.word()})
	}
	for range r.count(1) {
		d.DeprecatedDeclared = append(d.DeprecatedDeclared, r.word())
	}
	for range r.count(2) {
		d.MigratedCompiledHash = append(d.MigratedCompiledHash,
			block.MigratedClass{ClassHash: r.word(), CompiledClassHash: r.word()})
	}
	if r.err == nil && len(r.words) > 0 {
		r.err = fmt.Errorf("%d words after the state diff: %w", len(r.words), ErrOutput)
	}
	return out, r.err
}

// text reads a short string.
func text(f felt.Felt) string {
	b := f[:]
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	return string(b)
}
