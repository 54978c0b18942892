package appchain_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
)

func start(t testing.TB, o devappchain.Options) *devappchain.Chain {
	t.Helper()
	c, err := devappchain.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func read(t testing.TB, c *devappchain.Chain) *appchain.Source {
	t.Helper()
	s, err := appchain.New(appchain.Config{URL: c.URL(), GatewayURL: c.GatewayURL(), ChainID: c.ChainID()},
		appchain.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSameSeedSameChain(t *testing.T) {
	t.Parallel()
	o := devappchain.Options{Seed: 7, Blocks: 20}
	ahead := start(t, o)
	o.Blocks = 3
	later := start(t, o)
	later.Advance(17)
	o.Seed = 8
	other := start(t, o)
	other.Advance(17)
	a, _ := ahead.Head()
	b, _ := later.Head()
	c, _ := other.Head()
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("the same seed gives different chains:\n%s", d)
	}
	if a.Hash == c.Hash {
		t.Error("another seed gives the same chain")
	}
	if a.Number != 19 {
		t.Errorf("head is %d, want 19", a.Number)
	}
}

// TestChainContent: over 60 blocks everything that a state diff can hold occurs, writes change something, and aliases
// count up from 0x80 without a gap.
func TestChainContent(t *testing.T) {
	t.Parallel()
	c := start(t, devappchain.Options{Seed: 3, Blocks: 60,
		Versions: []devappchain.VersionFrom{{0, "0.13.3"}, {5, "0.13.5"}, {30, "0.14.1"}}})
	updates, err := read(t, c).StateUpdates(t.Context(), 0, 59)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	state := map[block.Slot]felt.Felt{}
	aliases := map[felt.Felt]bool{}
	alias := felt.FromUint64(2)
	for _, u := range updates {
		for _, cs := range u.Diff.Storage {
			for _, e := range cs.Entries {
				slot := block.Slot{Contract: cs.Address, Key: e.Key}
				if state[slot] == e.Value {
					t.Errorf("block %d writes what was there: %v", u.Number, slot)
				}
				if cs.Address == alias && !e.Key.IsZero() {
					aliases[e.Value] = true
				}
				if e.Value.IsZero() {
					seen["cleared slot"]++
				}
				state[slot] = e.Value
			}
		}
		seen["deployed"] += len(u.Diff.Deployed)
		seen["replaced"] += len(u.Diff.Replaced)
		seen["declared"] += len(u.Diff.Declared)
		seen["migrated"] += len(u.Diff.MigratedCompiledHash)
		seen["nonces"] += len(u.Diff.Nonces)
		m, _ := c.Messages(u.Number)
		seen["to L1"] += len(m.ToL1)
		seen["to L2"] += len(m.ToL2)
		if u.Number < 5 && !state[block.Slot{Contract: alias}].IsZero() {
			t.Errorf("block %d of version 0.13.3 allocates aliases", u.Number)
		}
	}
	for _, what := range []string{"cleared slot", "deployed", "replaced", "declared",
		"migrated", "nonces", "to L1", "to L2"} {
		if seen[what] == 0 {
			t.Errorf("60 blocks hold no %s", what)
		}
	}
	next, _ := state[block.Slot{Contract: alias}].Uint64()
	if int(next) != 0x80+len(aliases) || len(aliases) < 50 {
		t.Errorf("%d aliases, the counter is at %#x", len(aliases), next)
	}
	for n := uint64(0x80); n < next; n++ {
		if !aliases[felt.FromUint64(n)] {
			t.Errorf("alias %#x is left out", n)
		}
	}
	if len(c.MessagesToL2()) != seen["to L2"] {
		t.Errorf("MessagesToL2 has %d, blocks %d", len(c.MessagesToL2()), seen["to L2"])
	}
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	c := start(t, devappchain.Options{Blocks: 2, NoMessagesToL2: true})
	want := block.MessageToL2{From: felt.FromUint64(9), To: felt.FromUint64(8),
		Nonce: felt.FromUint64(7), Selector: felt.FromUint64(6),
		Payload: []felt.Felt{felt.FromUint64(5)}}
	c.Deliver(want)
	c.Advance(1)
	got, err := read(t, c).Messages(t.Context(), 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]block.MessageToL2{want}, got[0].ToL2); d != "" {
		t.Errorf("delivered message (-want +got):\n%s", d)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]devappchain.Options{
		"PublicAddress":   {ListenAddr: "0.0.0.0:0"},
		"VersionOrder":    {Versions: []devappchain.VersionFrom{{0, "0.13.5"}, {9, "0.14.0"}, {9, "0.14.1"}}},
		"VersionGap":      {Versions: []devappchain.VersionFrom{{1, "0.13.5"}}},
		"VersionText":     {Versions: []devappchain.VersionFrom{{0, "v13"}}},
		"LongChainID":     {ChainID: "a chain id that does not fit in a felt at all"},
		"NegativeNumbers": {Blocks: -1},
	} {
		if c, err := devappchain.Start(o); err == nil {
			_ = c.Close()
			t.Errorf("%s: options are taken", name)
		}
	}
}

func BenchmarkProduce40Blocks(b *testing.B) {
	for b.Loop() {
		c, err := devappchain.Start(devappchain.Options{Seed: 1, Blocks: 40})
		if err != nil {
			b.Fatal(err)
		}
		_ = c.Close()
	}
}
