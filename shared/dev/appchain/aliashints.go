package appchain

import (
	"cmp"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// content is what a squashed diff says of one contract.
type content struct {
	entries      map[felt.Felt]felt.Felt
	nonce, class felt.Felt
}

// contents groups a diff by contract.
func contents(d block.StateDiff) map[felt.Felt]*content {
	out := map[felt.Felt]*content{}
	of := func(a felt.Felt) *content {
		if out[a] == nil {
			out[a] = &content{entries: map[felt.Felt]felt.Felt{}}
		}
		return out[a]
	}
	for _, c := range d.Storage {
		x := of(c.Address)
		for _, e := range c.Entries {
			x.entries[e.Key] = e.Value
		}
	}
	for _, n := range d.Nonces {
		of(n.Address).nonce = n.Nonce
	}
	for _, c := range d.Deployed {
		of(c.Address).class = c.ClassHash
	}
	for _, c := range d.Replaced {
		of(c.Address).class = c.ClassHash
	}
	return out
}

// print is a fingerprint that aliasing leaves alone: values without their keys, nonce and class.
func (c *content) print() felt.Felt {
	values := make([]felt.Felt, 0, len(c.entries)+2)
	for _, v := range c.entries {
		values = append(values, v)
	}
	slices.SortFunc(values, felt.Felt.Cmp)
	return poseidonMany(append(values, c.nonce, c.class)...)
}

// solver finds out which alias stands for which key, given a squashed diff with keys and the same diff with aliases.
// Where several answers explain both diffs it takes any: the aliased diff is the same for all of them.
type solver struct {
	plain, aliased map[felt.Felt]*content
	byPrint        map[felt.Felt][]felt.Felt // aliased addresses
	prints         map[felt.Felt]felt.Felt
	known          map[felt.Felt]felt.Felt
	used           map[felt.Felt]bool
}

// solveAliases returns the alias of every key in the diffs; ok is false when the two don't belong together.
func solveAliases(plain, aliased block.StateDiff, known map[felt.Felt]felt.Felt) (map[felt.Felt]felt.Felt, bool) {
	s := &solver{plain: contents(plain), aliased: contents(aliased), known: known, used: map[felt.Felt]bool{},
		byPrint: map[felt.Felt][]felt.Felt{}, prints: map[felt.Felt]felt.Felt{}}
	for a, c := range s.aliased {
		p := c.print()
		s.byPrint[p] = append(s.byPrint[p], a)
	}
	for a, c := range s.plain {
		s.prints[a] = c.print()
	}
	for _, alias := range known {
		s.used[alias] = true
	}
	for {
		candidates := s.candidates()
		if len(candidates) == 0 {
			return s.known, s.explains()
		}
		if !s.decide(candidates) {
			return nil, false
		}
	}
}

func needsAlias(f felt.Felt) bool { return f.Cmp(felt.FromUint64(firstAlias)) >= 0 }

func (s *solver) alias(f felt.Felt) (felt.Felt, bool) {
	if !needsAlias(f) {
		return f, true
	}
	a, ok := s.known[f]
	return a, ok
}

// candidates lists the aliases that each unknown key may have.
func (s *solver) candidates() map[felt.Felt][]felt.Felt {
	out := map[felt.Felt][]felt.Felt{}
	narrow := func(key felt.Felt, set []felt.Felt) {
		if old, ok := out[key]; ok {
			set = slices.DeleteFunc(slices.Clone(old), func(f felt.Felt) bool { return !slices.Contains(set, f) })
		}
		out[key] = set
	}
	for address, c := range s.plain {
		targets := s.byPrint[s.prints[address]]
		if alias, ok := s.alias(address); ok {
			targets = []felt.Felt{alias}
		} else {
			targets = slices.DeleteFunc(slices.Clone(targets), func(f felt.Felt) bool {
				return !needsAlias(f) || s.used[f] || !s.fits(c, s.aliased[f])
			})
			narrow(address, targets)
		}
		if address.Cmp(lastUncompressed) <= 0 {
			continue
		}
		for key, value := range c.entries {
			if _, ok := s.alias(key); ok {
				continue
			}
			var set []felt.Felt
			for _, t := range targets {
				if s.aliased[t] == nil {
					continue
				}
				for k, v := range s.aliased[t].entries {
					if v == value && needsAlias(k) && !s.used[k] && !slices.Contains(set, k) {
						set = append(set, k)
					}
				}
			}
			narrow(key, set)
		}
	}
	return out
}

// fits says whether the keys that are known agree.
func (s *solver) fits(plain, aliased *content) bool {
	for k, v := range plain.entries {
		if a, ok := s.alias(k); ok && aliased.entries[a] != v {
			return false
		}
	}
	return true
}

// decide takes what has one candidate, or else the first choice of the key with the fewest. False means a
// contradiction.
func (s *solver) decide(candidates map[felt.Felt][]felt.Felt) bool {
	var best felt.Felt
	found, fewest := false, 0
	for key, set := range candidates {
		switch {
		case len(set) == 0:
			return false
		case len(set) == 1 && !s.used[set[0]]:
			s.known[key], s.used[set[0]], found = set[0], true, true
		case len(set) == 1:
			continue
		case fewest == 0 || cmp.Or(cmp.Compare(len(set), fewest), key.Cmp(best)) < 0:
			best, fewest = key, len(set)
		}
	}
	if found {
		return true
	}
	if fewest == 0 {
		return false
	}
	choice := slices.MinFunc(candidates[best], felt.Felt.Cmp)
	s.known[best], s.used[choice] = choice, true
	return true
}

// explains says whether the aliases turn the plain diff into the aliased one.
func (s *solver) explains() bool {
	if len(s.plain) != len(s.aliased) {
		return false
	}
	for address, c := range s.plain {
		alias, ok := s.alias(address)
		other := s.aliased[alias]
		if !ok || other == nil || len(other.entries) != len(c.entries) ||
			other.nonce != c.nonce || other.class != c.class {
			return false
		}
		for k, v := range c.entries {
			if address.Cmp(lastUncompressed) > 0 {
				k, _ = s.alias(k)
			}
			if got, ok := other.entries[k]; !ok || got != v {
				return false
			}
		}
	}
	return true
}
