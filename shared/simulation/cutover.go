package simulation

import (
	"context"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Starknet versions of a simulated chain: the first blocks have the old one; from Config.Cutover on they have the new
// one.
const (
	oldVersion = "0.13.5"
	newVersion = "0.14.3"
)

// AwaitingContract is what the keys of alerts about the core contract begin with.
const AwaitingContract = "awaiting/contract/"

// needs is what the core contract must hold for a version's batches. The hashes are made up.
func (w *World) needs(version string) (settlement.Needs, error) {
	n := settlement.Needs{ConfigHash: felt.FromUint64(0xc0), ProgramHash: felt.FromUint64(0xa0)}
	if version == newVersion {
		n = settlement.Needs{ConfigHash: felt.FromUint64(0xc1), ProgramHash: felt.FromUint64(0xa1)}
	}
	if w.cfg.Layer == stage.L2 {
		n.AggregatorProgramHash = n.ProgramHash
	}
	return n, nil
}

// held is the contract's configuration once its owner has set what a version needs.
func (w *World) held(version string) settlement.Config {
	n, _ := w.needs(version)
	return settlement.Config{ConfigHash: n.ConfigHash, ProgramHash: n.ProgramHash,
		AggregatorProgramHash: n.AggregatorProgramHash}
}

// versionOf is the Starknet version of a block of the chain.
func (w *World) versionOf(n uint64) string {
	if c := w.cfg.Cutover; c > 0 && n >= c {
		return newVersion
	}
	return oldVersion
}

// own is what the contract's owner does: who was alerted sets what the next update needs, but takes a while. Nobody
// changes a contract that no alert has named.
func (w *World) own(ctx context.Context, fresh []alert.Alert) error {
	for _, a := range fresh {
		version, ok := strings.CutPrefix(a.Key, AwaitingContract)
		if _, asked := w.asked[version]; ok && a.Severity != alert.Resolved && !asked {
			late := w.cfg.OwnerTakes
			if late == 0 {
				late = time.Duration(w.rng.IntN(120)) * time.Minute
			}
			w.asked[version] = w.now.Add(late)
		}
	}
	s, err := w.L1.State(ctx, false)
	if err != nil || s.Next() >= uint64(len(w.Data)) {
		return err
	}
	version := w.versionOf(s.Next())
	at, asked := w.asked[version]
	if !asked || w.now.Before(at) {
		return nil
	}
	c, err := w.L1.Config(ctx)
	if err != nil {
		return err
	}
	if n, _ := w.needs(version); len(c.Changes(n)) > 0 {
		w.L1.Reconfigure(w.held(version))
		w.Injected[Strike{"contract changes late", "outside"}]++
		w.narrate("the owner of the contract sets what Starknet %s needs", version)
		delete(w.asked, version) // a reorganisation may ask for the other version again
	}
	return nil
}
