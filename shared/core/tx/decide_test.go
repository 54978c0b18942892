package tx_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// policy is easy to reckon with: no markup, doubling, three confirmations.
var policy = tx.Policy{
	Confirmations: 3, Gas: 100, FeeCap: big.NewInt(1_000_000), MarkupPercent: 100, BumpPercent: 200, MinTip: big.NewInt(1), ReplaceAfter: time.Minute,
}

// record is a transaction that was signed some time ago with prices of n.
func record(hash string, nonce uint64, ago time.Duration, n int64, replaces string) tx.Record {
	return tx.Record{
		Hash: hash, Nonce: nonce, SignedAt: now.Add(-ago), Replaces: replaces,
		Fees: tx.Fees{Gas: 100, GasPrice: big.NewInt(n), Tip: big.NewInt(n)},
	}
}

// view is a chain at block 100, final up to 90, whose market asks for a price of 7 (twice a base fee of 3, and a tip of 1).
func view(latest, pending, confirmed uint64, statuses map[string]tx.Status) tx.View {
	return tx.View{
		Now: now, Gas: 100, Statuses: statuses,
		Head:    tx.Head{Number: 100, Finalized: 90, BaseFee: big.NewInt(3), BlobBaseFee: big.NewInt(1), Tip: big.NewInt(1)},
		Account: tx.Account{Latest: latest, Pending: pending, Confirmed: confirmed, Balance: big.NewInt(1e9)},
	}
}

func included(block uint64, success bool) tx.Status {
	return tx.Status{Phase: tx.Included, Block: block, Success: success}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	first := record("a", 5, 10*time.Second, 7, "")
	old := record("a", 5, 2*time.Minute, 7, "")
	higher := record("b", 7, 2*time.Minute, 7, "")
	pending, unknown := map[string]tx.Status{"a": {Phase: tx.Pending}}, map[string]tx.Status{"a": {Phase: tx.Unknown}}
	for name, tt := range map[string]struct {
		journal tx.Journal
		view    tx.View
		want    tx.Step
		nonce   uint64
		price   int64  // of gas, where it is to sign
		of      string // the record that it is about
	}{
		"nothing signed":                       {tx.Journal{}, view(5, 5, 5, nil), tx.Sign, 5, 7, ""},
		"others wait in the pool":              {tx.Journal{}, view(5, 7, 5, nil), tx.Sign, 7, 7, ""},
		"the node's pool lags":                 {tx.Journal{}, view(5, 4, 4, nil), tx.Sign, 5, 7, ""},
		"in the pool":                          {tx.Journal{Records: []tx.Record{first}}, view(5, 6, 5, pending), tx.Wait, 0, 0, "a"},
		"in the pool for long":                 {tx.Journal{Records: []tx.Record{old}}, view(5, 6, 5, pending), tx.Sign, 5, 14, "a"},
		"dropped":                              {tx.Journal{Records: []tx.Record{first}}, view(5, 5, 5, unknown), tx.Rebroadcast, 0, 0, "a"},
		"dropped long ago":                     {tx.Journal{Records: []tx.Record{old}}, view(5, 5, 5, unknown), tx.Rebroadcast, 0, 0, "a"},
		"refused as underpriced":               {tx.Journal{Records: []tx.Record{first}, Underpriced: true}, view(5, 5, 5, unknown), tx.Sign, 5, 14, "a"},
		"in a block":                           {tx.Journal{Records: []tx.Record{first}}, view(6, 6, 5, map[string]tx.Status{"a": included(99, true)}), tx.Wait, 5, 0, "a"},
		"confirmed":                            {tx.Journal{Records: []tx.Record{first}}, view(6, 6, 6, map[string]tx.Status{"a": included(98, true)}), tx.Confirmed, 5, 0, "a"},
		"final":                                {tx.Journal{Records: []tx.Record{first}}, view(6, 6, 6, map[string]tx.Status{"a": included(90, true)}), tx.Final, 5, 0, "a"},
		"reverted":                             {tx.Journal{Records: []tx.Record{first}}, view(6, 6, 6, map[string]tx.Status{"a": included(98, false)}), tx.Reverted, 5, 0, "a"},
		"reverted and answered":                {tx.Journal{Records: []tx.Record{first}, LostNonces: []uint64{5}}, view(6, 6, 6, map[string]tx.Status{"a": included(98, false)}), tx.Sign, 6, 7, ""},
		"the replaced one is mined":            {tx.Journal{Records: []tx.Record{first, record("b", 5, 0, 14, "a")}}, view(6, 6, 6, map[string]tx.Status{"a": included(98, true)}), tx.Confirmed, 5, 0, "a"},
		"success counts before a later revert": {tx.Journal{Records: []tx.Record{first, higher}}, view(8, 8, 8, map[string]tx.Status{"a": included(97, true), "b": included(98, false)}), tx.Confirmed, 5, 0, "a"},
		"used by a stranger, may come back":    {tx.Journal{Records: []tx.Record{first}}, view(6, 6, 5, unknown), tx.Wait, 0, 0, "a"},
		"used by a stranger":                   {tx.Journal{Records: []tx.Record{first}}, view(6, 6, 6, unknown), tx.NonceLost, 5, 0, "a"},
		"used by a stranger and answered":      {tx.Journal{Records: []tx.Record{first}, LostNonces: []uint64{5}}, view(6, 6, 6, unknown), tx.Sign, 6, 7, ""},
		"the lower of two is lost":             {tx.Journal{Records: []tx.Record{first, higher}, LostNonces: []uint64{7}}, view(8, 8, 8, unknown), tx.NonceLost, 5, 0, "a"},
		"a reorganisation freed a lower nonce": {tx.Journal{Records: []tx.Record{first, higher}}, view(5, 5, 5, unknown), tx.Rebroadcast, 0, 0, "a"},
		"the one before it vanished":           {tx.Journal{Records: []tx.Record{higher}}, view(6, 6, 6, map[string]tx.Status{"b": {Phase: tx.Pending}}), tx.Sign, 6, 7, ""},
		"the one before it is in the pool":     {tx.Journal{Records: []tx.Record{higher}}, view(6, 8, 6, map[string]tx.Status{"b": {Phase: tx.Pending}}), tx.Sign, 7, 14, "b"},
		"the cap is reached":                   {tx.Journal{Records: []tx.Record{record("a", 5, 2*time.Minute, 9_000, "")}}, view(5, 6, 5, pending), tx.Capped, 5, 18_000, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := tx.Decide(tt.journal, tt.view, policy)
			if d.Step != tt.want || d.Record.Hash != tt.of {
				t.Fatalf("%s of %q (%s), want %s of %q", d.Step, d.Record.Hash, d.Reason, tt.want, tt.of)
			}
			if d.Nonce != tt.nonce {
				t.Errorf("nonce %d, want %d", d.Nonce, tt.nonce)
			}
			if tt.price > 0 && d.Fees.GasPrice.Cmp(big.NewInt(tt.price)) != 0 {
				t.Errorf("gas price %s, want %d", d.Fees.GasPrice, tt.price)
			}
			if replaces := d.Replaces; d.Step == tx.Sign && replaces != tt.of {
				t.Errorf("replaces %q, want %q", replaces, tt.of)
			}
		})
	}
}

// A price that can't be doubled once more below the cap takes all the room that is left, as far as the wallet could pay it.
func TestDecideTakesTheRoomBelowTheCap(t *testing.T) {
	t.Parallel()
	v := view(5, 5, 5, nil)
	v.Head.BaseFee = big.NewInt(3_000) // 6,001 for a unit: 600,100 of 1,000,000
	if d := tx.Decide(tx.Journal{}, v, policy); d.Step != tx.Sign || d.Fees.Total().Cmp(policy.FeeCap) != 0 {
		t.Errorf("%s at %s, want the cap of %s", d.Step, d.Fees.Total(), policy.FeeCap)
	}
	v.Account.Balance = big.NewInt(700_000)
	if d := tx.Decide(tx.Journal{}, v, policy); d.Step != tx.Sign || d.Fees.Total().Cmp(v.Account.Balance) != 0 {
		t.Errorf("%s at %s, want the wallet's %s", d.Step, d.Fees.Total(), v.Account.Balance)
	}
	v.Blobs, v.Head.BlobBaseFee = 1, big.NewInt(1)
	if d := tx.Decide(tx.Journal{}, v, policy); d.Step != tx.Sign || d.Fees.DataGasPrice.Cmp(big.NewInt(2)) < 0 || d.Fees.Total().Cmp(policy.FeeCap) > 0 {
		t.Errorf("%s with blob price %s, total %s", d.Step, d.Fees.DataGasPrice, d.Fees.Total())
	}
}

func TestRevive(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		lost, left []uint64
		latest     uint64
	}{
		"none":           {nil, nil, 3},
		"still used":     {[]uint64{1, 2}, []uint64{1, 2}, 3},
		"one is free":    {[]uint64{1, 3, 2}, []uint64{1, 2}, 3},
		"all are free":   {[]uint64{7, 9}, nil, 3},
		"the free nonce": {[]uint64{4}, nil, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := tx.Journal{LostNonces: tt.lost}
			shared := j
			if got := j.Revive(tt.latest); got != (len(tt.left) < len(tt.lost)) || len(j.LostNonces) != len(tt.left) {
				t.Errorf("%t, left %d, want %d", got, j.LostNonces, tt.left)
			}
			for i := range tt.left {
				if j.LostNonces[i] != tt.left[i] {
					t.Errorf("left %d, want %d", j.LostNonces, tt.left)
				}
			}
			if d := cmp.Diff(tt.lost, shared.LostNonces); d != "" {
				t.Errorf("a copy of the journal changed: %s", d)
			}
		})
	}
}
