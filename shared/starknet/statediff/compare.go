package statediff

import (
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Compare compares d, what the blocks of a batch changed, with the diff that is published of it in a format. known
// holds the aliases that AliasKeys asks for. The error is a *da.MismatchError.
//
// A slot that has the value again that it had before the first block is not published: those that are not are returned
// and must be looked up there. So must nothing else: a class that was replaced more than once (again says of which
// contracts) may be back.
func (d *Diff) Compare(published *Diff, f Format, known map[felt.Felt]felt.Felt,
	again map[felt.Felt]bool) (unsaid []block.Slot, err error) {
	c := comparison{f: f, known: known, here: map[felt.Felt]felt.Felt{}, again: again}
	if own := d.Contracts[AliasContract]; own != nil {
		c.here = own.Storage
	}
	seen := map[felt.Felt]bool{}
	for _, a := range d.Addresses() {
		p := &Contract{}
		if to, ok := c.alias(a); ok {
			if there := published.Contracts[to]; there != nil {
				p = there
			}
			if seen[to] {
				return nil, &da.MismatchError{What: "alias", Contract: a, Published: &to}
			}
			seen[to] = true
		}
		slots, err := c.contract(a, d.Contracts[a], p)
		if err != nil {
			return nil, err
		}
		unsaid = append(unsaid, slots...)
	}
	for _, a := range published.Addresses() {
		if p := published.Contracts[a]; !seen[a] && !p.empty() {
			return nil, &da.MismatchError{What: "contract (or alias of one)", Contract: a, Published: &a}
		}
	}
	return unsaid, classes(d.Classes, published.Classes)
}

type comparison struct {
	f     Format
	known map[felt.Felt]felt.Felt
	here  map[felt.Felt]felt.Felt // aliases that the batch itself gives
	again map[felt.Felt]bool
}

// alias is what stands for an address or key in the published diff; ok is false where it has no alias, so that it can't
// be there.
func (c comparison) alias(f felt.Felt) (a felt.Felt, ok bool) {
	if !c.f.Aliases || !needsAlias(f) {
		return f, true
	}
	if a = c.here[f]; a.IsZero() {
		a = c.known[f]
	}
	return a, !a.IsZero()
}

// contract compares one contract.
func (c comparison) contract(a felt.Felt, own, p *Contract) (unsaid []block.Slot, err error) {
	if differ(own.Class, p.Class) && (p.Class != nil || !c.again[a]) {
		return nil, &da.MismatchError{What: "class hash", Contract: a, Published: p.Class, State: own.Class}
	}
	if c.noncesDiffer(own, p) {
		return nil, &da.MismatchError{What: "nonce", Contract: a, Published: p.Nonce, State: own.Nonce}
	}
	there := map[felt.Felt]bool{}
	for _, k := range sorted(own.Storage) {
		v, key, ok := own.Storage[k], k, true
		if a.Cmp(lastPlainContract) > 0 {
			key, ok = c.alias(k)
		}
		have, published := p.Storage[key]
		switch {
		case !ok || !published:
			unsaid = append(unsaid, block.Slot{Contract: a, Key: k})
		case have != v || there[key]:
			return nil, &da.MismatchError{What: "storage slot", Contract: a, Key: k, Published: &have, State: &v}
		default:
			there[key] = true
		}
	}
	for _, k := range sorted(p.Storage) {
		if v := p.Storage[k]; !there[k] {
			return nil, &da.MismatchError{What: "storage slot (or alias of one)", Contract: a, Key: k, Published: &v}
		}
	}
	return unsaid, nil
}

// noncesDiffer says whether nonces differ. 0 changes nothing; before PackedWord every contract carries its nonce,
// changed or not, so that only those that changed can be compared.
func (c comparison) noncesDiffer(own, p *Contract) bool {
	none := func(n *felt.Felt) bool { return n == nil || n.IsZero() }
	if none(own.Nonce) {
		return c.f.PackedWord && !none(p.Nonce)
	}
	return none(p.Nonce) || *p.Nonce != *own.Nonce
}

func differ(a, b *felt.Felt) bool { return (a == nil) != (b == nil) || a != nil && *a != *b }

// DeclaredClass is What of a mismatch of declared or migrated classes.
const DeclaredClass = "declared class"

// classes compares declared classes.
func classes(own, published map[felt.Felt]felt.Felt) error {
	for _, h := range sorted(own) {
		v := own[h]
		if p, ok := published[h]; !ok {
			return &da.MismatchError{What: DeclaredClass, Key: h, State: &v}
		} else if p != v {
			return &da.MismatchError{What: DeclaredClass, Key: h, Published: &p, State: &v}
		}
	}
	for _, h := range sorted(published) {
		if v := published[h]; !has(own, h) {
			return &da.MismatchError{What: DeclaredClass, Key: h, Published: &v}
		}
	}
	return nil
}

func has[V any](m map[felt.Felt]V, k felt.Felt) bool { _, ok := m[k]; return ok }

// Changed notes which contracts had their class set already in d when a later block's changes set it again.
func (d *Diff) Changed(s block.StateDiff, again map[felt.Felt]bool) {
	for _, r := range s.Replaced {
		if c := d.Contracts[r.Address]; c != nil && c.Class != nil {
			again[r.Address] = true
		}
	}
}
