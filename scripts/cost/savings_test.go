package main

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// What is saved is what the changed settings cost less, counted and priced by the same model: as `make cost` with them
// counts. To change a setting back saves the opposite.
func TestSavings(t *testing.T) {
	t.Parallel()
	m, err := usual()
	if err != nil {
		t.Fatal(err)
	}
	for setting, args := range map[string][]string{ // counted again, and priced alone: each takes seconds
		"heads": {"-heads"}, "wallet_kms": {"-wallet-kms"},
	} {
		find := func(m Model) change {
			all := m.changes()
			return all[slices.IndexFunc(all, func(c change) bool { return c.setting == setting })]
		}
		changed, err := m.with(t.Context(), find(m))
		if err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), append(args, "-json", "-savings=false"), &stdout, &stderr); code != 0 {
			t.Fatalf("%v: %d, %s", args, code, stderr.String())
		}
		var want struct{ Months []monthJSON }
		if err := json.Unmarshal(stdout.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		for i, r := range rates {
			usd := m.beside(r)
			for _, item := range want.Months[i].Items {
				if item.Name != mongoItem {
					usd -= item.USD
				}
			}
			if got := m.beside(r) - changed.beside(r); math.Abs(got-usd) > 0.1 || math.Abs(got) < 0.1 {
				t.Errorf("%s at %v blocks/s saves %v, want %v", setting, r, got, usd)
			}
		}
		back := find(changed)
		if back.from != find(m).to || back.to != find(m).from {
			t.Errorf("%s: back from %s to %s", setting, back.from, back.to)
		}
		a := m.Assumptions
		find(m).set(&a)
		back.set(&a)
		if a.Heads != m.Heads || a.Kafka != m.Kafka || a.WalletKMS != m.WalletKMS {
			t.Errorf("%s: changed and changed back it is %+v", setting, a)
		}
	}
}

// Each change changes what it says it does, and the table fits in 80 columns.
func TestChanges(t *testing.T) {
	t.Parallel()
	for layer, want := range map[stage.Layer]int{stage.L2: 11, stage.L3: 9} {
		m := Model{Layer: layer, Assumptions: Usual()}
		changes := m.changes()
		if len(changes) != want {
			t.Errorf("%s: %d changes, want %d", layer, len(changes), want)
		}
		var rows []Saving
		for _, c := range changes {
			a := Usual()
			c.set(&a)
			changed := Model{Layer: layer, Assumptions: a}
			if slices.ContainsFunc(changed.changes(), func(x change) bool {
				return x.setting == c.setting && x.from == c.from
			}) {
				t.Errorf("%s: %s stays %s", layer, c.setting, c.from)
			}
			rows = append(rows, Saving{Setting: c.setting, From: c.from, To: c.to,
				USD: []float64{-9.99, -999.99, -9999.99}, Database: -0.99})
		}
		var out bytes.Buffer
		printSavings(&out, rows)
		for line := range strings.Lines(out.String()) {
			if len(line) > 81 {
				t.Errorf("%d columns: %s", len(line)-1, line)
			}
		}
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-queue", "rabbit"}, {"-architecture", "riscv"}, {"-log-level", "loud"},
		{"-schedule-every", "Nothing=5m"}, {"-layer", "l4"}} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, &stdout, &stderr); code != 2 || !strings.Contains(stderr.String(), args[0]) {
			t.Errorf("%v: %d, %q", args, code, stderr.String())
		}
	}
}
