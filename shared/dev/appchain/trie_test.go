package appchain

import (
	"math/rand/v2"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// TestTrieRoots pins the roots after random writes, overwrites and removals. The values are what Juno v0.15.11's trie
// (core/trie, RunOnTempTriePedersen and RunOnTempTriePoseidon of height 251) gives for the same writes; it isn't
// imported because it draws in a database.
func TestTrieRoots(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hash hashFunc
		want map[int]string
	}{
		"Pedersen": {pedersen, map[int]string{
			159: "0x6a2463df98127f6e01ab60d439de47636abf9ca96a9c5eb74f548dc0e1a9d3e",
			179: "0x3ff8ffb466118196d80a64b7915cdf7d024de1cc1df549e4789d6dd8241341f",
			199: "0x75f70f9c5dcd7b6e34b8f3dd377b13c1eb6493ee4344ab8ac8746593de4f99e"}},
		"Poseidon": {poseidon, map[int]string{
			159: "0x153715a6583da375c45194b10ff8fd3f841eb001963ff63a2da3303e4c90647",
			179: "0xeea04b13389ba76a038b30ffc5be3c24b556e98b8f2dbb7cc32c3bd3c6bb2c",
			199: "0x65ba8f028bbdd5920aead6b1e80f391f25b3e3e500311c6586fb0da6b6e1642"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(1, 2))
			tr := newTrie(c.hash)
			for i := range 200 {
				key, value := felt.FromUint64(rng.Uint64N(40)), felt.FromUint64(rng.Uint64N(3))
				if rng.IntN(2) == 0 { // long keys share prefixes with short ones
					key[5], key[20] = byte(rng.IntN(4)), byte(rng.IntN(2))
				}
				tr.set(key, value)
				if i%10 != 9 {
					continue
				}
				if got := tr.commit(); c.want[i] != "" && got != felt.MustHex(c.want[i]) {
					t.Fatalf("after %d writes the root is %s, want %s", i+1, got, c.want[i])
				}
			}
		})
	}
}

// TestTrieForgetsHistory: the root depends on the content alone.
func TestTrieForgetsHistory(t *testing.T) {
	t.Parallel()
	a, b := newTrie(pedersen), newTrie(pedersen)
	for i := range uint64(20) {
		a.set(felt.FromUint64(i), felt.FromUint64(i+1))
		b.set(felt.FromUint64(19-i), felt.FromUint64(7))
		b.commit()
	}
	for i := range uint64(20) {
		b.set(felt.FromUint64(i+100), felt.FromUint64(1))
		b.set(felt.FromUint64(i), felt.FromUint64(i+1))
	}
	b.commit()
	for i := range uint64(20) {
		b.set(felt.FromUint64(i+100), felt.Zero)
	}
	if a.commit() != b.commit() {
		t.Error("tries with the same content have different roots")
	}
	for i := range uint64(20) {
		b.set(felt.FromUint64(i), felt.Zero)
	}
	if !b.commit().IsZero() {
		t.Error("an emptied trie has a root other than 0")
	}
}
