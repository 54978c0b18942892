package cutover_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
	"github.com/madara-orchestrator/orchestrator/shared/service/cutover"
)

// bench is a watch over a contract that the test changes.
type bench struct {
	*cutover.Watch
	t        *testing.T
	now      time.Time
	contract settlement.Config
	fail     error
	needs    settlement.Needs // of 0.14.3
	alerts   *memory.Alerts
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	env := &fault.Env{Now: func() time.Time { return b.now }}
	b.alerts = memory.NewAlerts(env)
	b.Watch = &cutover.Watch{
		Config: func(context.Context) (settlement.Config, error) { return b.contract, b.fail },
		Needs: func(v string) (settlement.Needs, error) {
			if v == "0.14.3" {
				return b.needs, nil
			}
			return settlement.Needs{}, errors.New("unknown version")
		},
		Alerts: &alerting.Reporter{Notifier: b.alerts, Store: memory.NewReports(env), Now: env.Now},
		Log:    slog.New(slog.DiscardHandler),
	}
	return b
}

// look looks each minute for a while.
func (b *bench) look(d time.Duration) []alert.Alert {
	for end := b.now.Add(d); b.now.Before(end); b.now = b.now.Add(time.Minute) {
		b.Look(b.t.Context(), "0.14.3", "aggregator batch 7")
	}
	return b.alerts.Sent()
}

var f = felt.FromUint64

// What must change is announced once with its values, with a reminder a day, until the contract has it.
func TestAnnounced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.contract = settlement.Config{ConfigHash: f(1), ProgramHash: f(2), AggregatorProgramHash: f(3)}
	b.needs = settlement.Needs{ConfigHash: f(11), ProgramHash: f(12), AggregatorProgramHash: f(13)}
	as := b.look(24 * time.Hour)
	if len(as) != 1 || as[0].Severity != alert.Warning || as[0].Key != "awaiting/contract/0.14.3" {
		t.Fatalf("alerts in a day: %+v", as)
	}
	for _, want := range []string{
		"aggregator batch 7", "config hash to 0xb (it is 0x1)", "program hash to 0xc (it is 0x2)",
		"aggregator program hash to 0xd (it is 0x3)",
	} {
		if !strings.Contains(as[0].Detail, want) {
			t.Errorf("%q is not in: %s", want, as[0].Detail)
		}
	}
	if strings.Contains(as[0].Detail, "SETTLEMENT_PROGRAM_HASHES") {
		t.Errorf("the programs are known: %s", as[0].Detail)
	}
	b.contract.ConfigHash = f(11) // the other values are still to be set
	b.fail = errors.New("the node is down")
	if as = b.look(time.Hour); len(as) != 1 {
		t.Fatalf("while the contract can't be read: %+v", as)
	}
	b.fail = nil
	if as = b.look(time.Hour); len(as) != 2 || !strings.HasPrefix(as[1].Title, "Reminder: ") ||
		strings.Contains(as[1].Detail, "config hash to 0xb") {
		t.Fatalf("after a day: %+v", as)
	}
	b.contract.ProgramHash, b.contract.AggregatorProgramHash = f(12), f(13)
	if as = b.look(time.Hour); len(as) != 3 || as[2].Severity != alert.Resolved {
		t.Fatalf("after the change: %+v", as)
	}
}

// Where the settings do not know the programs, the config hash decides, and the text says where the others are found.
func TestUnknownPrograms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.contract, b.needs = settlement.Config{ConfigHash: f(1), ProgramHash: f(2)}, settlement.Needs{ConfigHash: f(11)}
	if as := b.look(time.Hour); len(as) != 1 || !strings.Contains(as[0].Detail, "SETTLEMENT_PROGRAM_HASHES") {
		t.Fatalf("%+v", as)
	}
	b.contract.ConfigHash = f(11)
	if as := b.look(time.Hour); len(as) != 2 || as[1].Severity != alert.Resolved {
		t.Fatalf("%+v", as)
	}
}

// A state update that waits makes the same cause critical; its job ends it, not the look at the contract.
func TestJobEndsItsReport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.contract, b.needs = settlement.Config{ConfigHash: f(1)}, settlement.Needs{ConfigHash: f(11)}
	b.look(time.Minute)
	c := cutover.Waiting("0.14.3", "It needs another config hash.")
	c.Job = alert.Job{ID: "a", Type: "StateTransition", Batch: 7}
	if err := b.Alerts.Raise(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	b.contract.ConfigHash = f(11)
	if as := b.look(time.Hour); len(as) != 2 || as[1].Severity != alert.Critical || as[1].Key != as[0].Key {
		t.Fatalf("%+v", as)
	}
	if err := b.Alerts.Release(t.Context(), "awaiting/", "a"); err != nil {
		t.Fatal(err)
	}
	if as := b.look(time.Hour); len(as) != 3 || as[2].Severity != alert.Resolved {
		t.Fatalf("%+v", as)
	}
}

// Without a batch, and where nothing is compared, nothing is looked at.
func TestNothingToLookAt(t *testing.T) {
	t.Parallel()
	var none *cutover.Watch
	none.Look(t.Context(), "0.14.3", "")
	b := setup(t)
	b.needs = settlement.Needs{ConfigHash: f(1)}
	b.Look(t.Context(), "", "")
	b.Look(t.Context(), "0.99.0", "")
	if as := b.alerts.Sent(); len(as) > 0 {
		t.Errorf("%+v", as)
	}
}
