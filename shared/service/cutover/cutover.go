// Package cutover follows a change of the Starknet version on the core contract: what the contract must hold for the
// blocks of a version, that it is announced when the first such block is seen, and that it is waited for.
package cutover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
)

// prefix is what the keys of the causes begin with: executor.AwaitingPrefix, written out for the test of the runbook.
// The Starknet version follows.
const prefix = "awaiting/contract/"

// Announcement is the cause that the contract must change for batches that are not due yet. about says which ones.
func Announcement(version, about string, n settlement.Needs, changes []settlement.Change) alert.Cause {
	return alert.Cause{
		Key: prefix + Printable(version), Severity: alert.Warning,
		Title: fmt.Sprintf("The core contract must change for Starknet %s", Printable(version)),
		Detail: fmt.Sprintf("%s. Before the first of them can settle, the contract's owner must set %s.%s Set them "+
			"after the "+
			"last batch of the version before is settled, not earlier. Batching and proving go on; the state update "+
			"waits.",
			about, settlement.Describe(changes), unknown(n)),
	}
}

// Waiting is the cause that the state update that is next waits for the contract.
func Waiting(version, what string) alert.Cause {
	return alert.Cause{
		Key: prefix + Printable(version), Severity: alert.Critical,
		Title:  fmt.Sprintf("State updates of Starknet %s wait for the core contract", Printable(version)),
		Detail: what + " The update waits and goes on by itself within minutes after the change; nothing is lost.",
	}
}

// unknown says which values the settings do not have.
func unknown(n settlement.Needs) string {
	if !n.ProgramHash.IsZero() {
		return ""
	}
	return " Program hash and aggregator program hash may change too: SETTLEMENT_PROGRAM_HASHES does not have them " +
		"for this version, " +
		"so take them from the release of SNOS and of the aggregator that you run."
}

// Printable is a text from outside, such as a version, as a part of a key: at most 40 bytes.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == '/' {
			return '?'
		}
		return r
	}, s[:min(len(s), 40)])
}

// Watch compares the contract with what the newest batch needs. All fields but Log are required.
type Watch struct {
	// Config reads what the core contract holds.
	Config func(context.Context) (settlement.Config, error)
	// Needs is what the contract must hold for batches of a Starknet version.
	Needs  func(version string) (settlement.Needs, error)
	Alerts *alerting.Reporter
	Log    *slog.Logger
}

// Look announces what the contract lacks for a version whose blocks are batched now, and gives the all-clear where it
// has it. about names the newest batch. What can't be read now is looked at in the next run. nil watches nothing.
func (w *Watch) Look(ctx context.Context, version, about string) {
	if w == nil || version == "" {
		return
	}
	if err := w.look(ctx, version, about); err != nil && !errors.Is(err, alerting.ErrBusy) {
		w.Log.WarnContext(ctx,
			"the core contract is not compared with what the newest batch needs, the next run tries again",
			"starknet_version", version, "error", err)
	}
}

func (w *Watch) look(ctx context.Context, version, about string) error {
	var open []alert.Report
	switch known, err := w.Alerts.Store.Get(ctx, prefix+Printable(version)); {
	case err == nil:
		open = append(open, known)
	case !errors.Is(err, alert.ErrNotFound):
		return fmt.Errorf("read the report of Starknet %s: %w", version, err)
	}
	if len(open) > 0 && len(open[0].Jobs) > 0 {
		return nil // a state update waits: its job reports, and takes itself off the report when it goes on
	}
	needs, err := w.Needs(version)
	if err != nil {
		return fmt.Errorf("what the contract must hold at Starknet %s: %w", version, err)
	}
	c, err := w.Config(ctx)
	if err != nil {
		return fmt.Errorf("read the core contract's configuration: %w", err)
	}
	if changes := c.Changes(needs); len(changes) > 0 {
		return w.Alerts.Raise(ctx, Announcement(version, about, needs, changes))
	}
	return w.Alerts.Resolve(ctx, open...)
}
