package tx_test

import (
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// policy is easy to calculate with: no markup, more than doubling, three confirmations.
var policy = tx.Policy{
	Confirmations: 3, Gas: 100, FeeCap: big.NewInt(1_000_000), MarkupPercent: 100, BumpPercent: 200,
	MinTip: big.NewInt(1), ReplaceAfter: time.Minute,
}

// record is a transaction that was signed some time ago with prices of n.
func record(hash string, nonce uint64, ago time.Duration, n int64, replaces string) tx.Record {
	return tx.Record{
		Hash: hash, Nonce: nonce, SignedAt: now.Add(-ago), Replaces: replaces,
		Fees: tx.Fees{Gas: 100, GasPrice: big.NewInt(n), Tip: big.NewInt(n)},
	}
}

// view is a chain at block 100, final up to 90, whose market asks for a price of 7 (twice a base fee of 3, and a tip of
// 1).
func view(latest, pending, confirmed uint64, statuses map[string]tx.Status) tx.View {
	return tx.View{
		Now: now, Gas: 100, Statuses: statuses,
		Head: tx.Head{Number: 100, Finalized: 90, BaseFee: big.NewInt(3),
			BlobBaseFee: big.NewInt(1), Tip: big.NewInt(1)},
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
		"nothing signed":          {tx.Journal{}, view(5, 5, 5, nil), tx.Sign, 5, 7, ""},
		"others wait in the pool": {tx.Journal{}, view(5, 7, 5, nil), tx.Sign, 7, 7, ""},
		"the node's pool lags":    {tx.Journal{}, view(5, 4, 4, nil), tx.Sign, 5, 7, ""},
		"in the pool": {tx.Journal{Records: []tx.Record{first}},
			view(5, 6, 5, pending), tx.Wait, 0, 0, "a"},
		"in the pool for long": {tx.Journal{Records: []tx.Record{old}},
			view(5, 6, 5, pending), tx.Sign, 5, 15, "a"},
		"dropped": {tx.Journal{Records: []tx.Record{first}},
			view(5, 5, 5, unknown), tx.Rebroadcast, 0, 0, "a"},
		"dropped long ago": {tx.Journal{Records: []tx.Record{old}},
			view(5, 5, 5, unknown), tx.Rebroadcast, 0, 0, "a"},
		"hidden: sent again twice, in vain": {tx.Journal{Records: []tx.Record{again(old, 2)}},
			view(5, 5, 5, unknown), tx.Sign, 5, 15, "a"},
		"hidden, not for long": {tx.Journal{Records: []tx.Record{again(first, 9)}},
			view(5, 5, 5, unknown), tx.Rebroadcast, 0, 0, "a"},
		"hidden, and its nonce is used": {tx.Journal{Records: []tx.Record{again(old, 2)}},
			view(6, 6, 5, unknown), tx.Wait, 0, 0, "a"},
		"hidden, and the cap is reached": {
			tx.Journal{Records: []tx.Record{again(record("a", 5, 2*time.Minute, 9_000, ""), 2)}},
			view(5, 5, 5, unknown), tx.Rebroadcast, 0, 0, "a"},
		"refused as underpriced": {tx.Journal{Records: []tx.Record{first}, Underpriced: true},
			view(5, 5, 5, unknown), tx.Sign, 5, 15, "a"},
		"in a block": {tx.Journal{Records: []tx.Record{first}},
			view(6, 6, 5, map[string]tx.Status{"a": included(99, true)}), tx.Wait, 5, 0, "a"},
		"confirmed": {tx.Journal{Records: []tx.Record{first}},
			view(6, 6, 6, map[string]tx.Status{"a": included(98, true)}), tx.Confirmed, 5, 0, "a"},
		"final": {tx.Journal{Records: []tx.Record{first}},
			view(6, 6, 6, map[string]tx.Status{"a": included(90, true)}), tx.Final, 5, 0, "a"},
		"reverted": {tx.Journal{Records: []tx.Record{first}},
			view(6, 6, 6, map[string]tx.Status{"a": included(98, false)}), tx.Reverted, 5, 0, "a"},
		"reverted and answered": {tx.Journal{Records: []tx.Record{lost(first)}},
			view(6, 6, 6, map[string]tx.Status{"a": included(98, false)}), tx.Sign, 6, 7, ""},
		"reverted and answered, as release 0.1 has it": {
			tx.Journal{Records: []tx.Record{first}, LostNonces: []uint64{5}},
			view(6, 6, 6, map[string]tx.Status{"a": included(98, false)}), tx.Sign, 6, 7, ""},
		"the replaced one is mined": {tx.Journal{Records: []tx.Record{first, record("b", 5, 0, 14, "a")}},
			view(6, 6, 6, map[string]tx.Status{"a": included(98, true)}), tx.Confirmed, 5, 0, "a"},
		"success counts before a later revert": {tx.Journal{Records: []tx.Record{first, higher}}, view(8, 8, 8,
			map[string]tx.Status{"a": included(97, true), "b": included(98, false)}), tx.Confirmed, 5, 0, "a"},
		"used by a third party, may be free": {tx.Journal{Records: []tx.Record{first}},
			view(6, 6, 5, unknown), tx.Wait, 0, 0, "a"},
		"used by a third party": {tx.Journal{Records: []tx.Record{first}},
			view(6, 6, 6, unknown), tx.NonceLost, 5, 0, "a"},
		"used by a third party and answered": {tx.Journal{Records: []tx.Record{lost(first)}},
			view(6, 6, 6, unknown), tx.Sign, 6, 7, ""},
		"the lower of two is lost": {tx.Journal{Records: []tx.Record{first, lost(higher)}},
			view(8, 8, 8, unknown), tx.NonceLost, 5, 0, "a"},
		"a reorganisation freed a lower nonce": {tx.Journal{Records: []tx.Record{first, higher}},
			view(5, 5, 5, unknown), tx.Rebroadcast, 0, 0, "a"},
		"the one before it vanished": {tx.Journal{Records: []tx.Record{higher}},
			view(6, 6, 6, map[string]tx.Status{"b": {Phase: tx.Pending}}), tx.Sign, 6, 7, ""},
		"the one before it is in the pool": {tx.Journal{Records: []tx.Record{higher}},
			view(6, 8, 6, map[string]tx.Status{"b": {Phase: tx.Pending}}), tx.Sign, 7, 15, "b"},
		"the cap is reached": {
			tx.Journal{Records: []tx.Record{record("a", 5, 2*time.Minute, 9_000, "")}},
			view(5, 6, 5, pending), tx.Capped, 5, 0, "a"},
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

// lost is a record whose nonce is used and answered.
func lost(r tx.Record) tx.Record { r.Lost = true; return r }

// again is a record that was sent again some times.
func again(r tx.Record, times int) tx.Record { r.Resent = times; return r }

// refused is a record that a pool did not take.
func refused(r tx.Record) tx.Record { r.Refused = true; return r }

// A replacement outbids what the pool holds by more than double on every price. What a pool refused is not the base of
// the next one, which only has to be above it.
func TestDecideReplacesWhatThePoolHolds(t *testing.T) {
	t.Parallel()
	pending := map[string]tx.Status{"a": {Phase: tx.Pending}, "b": {Phase: tx.Unknown}}
	hidden := map[string]tx.Status{"a": {Phase: tx.Unknown}, "b": {Phase: tx.Unknown}}
	for name, tt := range map[string]struct {
		records  []tx.Record
		statuses map[string]tx.Status
		price    int64
		replaces string
	}{
		"the first": {[]tx.Record{record("a", 5, time.Hour, 100, "")}, pending, 201, "a"},
		"one was refused at 201": {
			[]tx.Record{record("a", 5, time.Hour, 100, ""), refused(record("b", 5, 0, 201, "a"))}, pending, 253, "b"},
		"refused, the pool is hidden": {
			[]tx.Record{record("a", 5, time.Hour, 100, ""), refused(record("b", 5, 0, 201, "a"))}, hidden, 253, "b"},
		"the replacement is in the pool": {[]tx.Record{record("a", 5, time.Hour, 100, ""),
			record("b", 5, 0, 201, "a")}, map[string]tx.Status{"b": {Phase: tx.Pending}}, 403, "b"},
		"the replaced one came back": {
			[]tx.Record{record("a", 5, time.Hour, 300, ""), record("b", 5, 0, 201, "a")}, pending, 601, "b"},
		"nothing was ever taken":          {[]tx.Record{refused(record("a", 5, 0, 100, ""))}, hidden, 201, "a"},
		"the market is above all of them": {[]tx.Record{record("a", 5, time.Hour, 1, "")}, pending, 7, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := tx.Decide(tx.Journal{Records: tt.records, Underpriced: true}, view(5, 5, 5, tt.statuses), policy)
			if d.Step != tx.Sign || d.Fees.GasPrice.Cmp(big.NewInt(tt.price)) != 0 ||
				d.Replaces != tt.replaces || d.Nonce != 5 {
				t.Errorf("%s with nonce %d at %s for %q, want 5 at %d for %q",
					d.Step, d.Nonce, d.Fees.GasPrice, d.Replaces, tt.price, tt.replaces)
			}
		})
	}
}

// Fees of a first transaction: twice the market where a replacement still fits below the cap, else what leaves room for
// one, else all of the cap with the tip.
func TestDecideUsesTheRoomBelowTheCap(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		base, balance int64
		blobs         int
		step          tx.Step
		price, tip    int64 // 0: not looked at
		total         int64 // at most
		says          string
	}{
		"plenty of room":                 {2_000, 1e9, 0, tx.Sign, 4_001, 1, 400_100, ""},
		"room for one replacement":       {3_000, 1e9, 0, tx.Sign, 4_999, 1, 499_900, ""},
		"the wallet has less":            {3_000, 400_000, 0, tx.Sign, 4_000, 1, 400_000, ""},
		"no room for another":            {6_000, 1e9, 0, tx.Sign, 10_000, 8, 1_000_000, ""},
		"no room, and the wallet is low": {6_000, 700_000, 0, tx.Sign, 7_000, 8, 700_000, ""},
		"with a blob":                    {3_000, 1e9, 1, tx.Sign, 0, 8, 1_000_000, ""},
		"too dear":                       {9_000, 1e9, 0, tx.Capped, 0, 0, 0, "raise the cap to 1017100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := view(5, 5, 5, nil)
			v.Head.BaseFee, v.Account.Balance, v.Blobs = big.NewInt(tt.base), big.NewInt(tt.balance), tt.blobs
			d := tx.Decide(tx.Journal{}, v, policy)
			if d.Step != tt.step || !strings.Contains(d.Reason, tt.says) {
				t.Fatalf("%s: %s, want %s: %s", d.Step, d.Reason, tt.step, tt.says)
			}
			if tt.step != tx.Sign {
				return
			}
			if tt.price > 0 && d.Fees.GasPrice.Cmp(big.NewInt(tt.price)) != 0 ||
				d.Fees.Tip.Cmp(big.NewInt(tt.tip)) != 0 {
				t.Errorf("price %s with tip %s, want %d with %d", d.Fees.GasPrice, d.Fees.Tip, tt.price, tt.tip)
			}
			if d.Fees.Total().Cmp(big.NewInt(tt.total)) > 0 {
				t.Errorf("it may cost %s, want at most %d", d.Fees.Total(), tt.total)
			}
		})
	}
}

// What keeps a transaction out of blocks decides what its replacement raises, and what is said where it does not fit:
// the tip where its prices cover the base fees, else all of them.
func TestDecideSaysWhatHelps(t *testing.T) {
	t.Parallel()
	waiting := func(price, tip int64) tx.Journal {
		r := record("a", 5, time.Hour, price, "")
		r.Fees.Tip = big.NewInt(tip)
		return tx.Journal{Records: []tx.Record{r}}
	}
	for name, tt := range map[string]struct {
		journal tx.Journal
		base    int64
		step    tx.Step
		tip     int64
		says    string
	}{
		"builders want more":            {waiting(1_000, 10), 300, tx.Sign, 80, ""},
		"more, within the price's room": {waiting(100, 10), 90, tx.Sign, 80, ""},
		"the base fee rose":             {waiting(100, 10), 3_000, tx.Sign, 21, ""},
		"builders want more, no room": {waiting(6_000, 10), 300, tx.Capped, 0,
			"builders want a higher tip than 10: raise the cap to 1200100"},
		"the base fee rose, no room": {waiting(6_000, 10), 7_000, tx.Capped, 0,
			"wait until fees fall, or raise the cap to 1200100"},
		"the base fee rose above the cap": {waiting(100, 10), 20_000, tx.Capped, 0,
			"wait until fees fall, or raise the cap to 2260100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := view(5, 6, 5, map[string]tx.Status{"a": {Phase: tx.Pending}})
			v.Head.BaseFee = big.NewInt(tt.base)
			d := tx.Decide(tt.journal, v, policy)
			if d.Step != tt.step || !strings.HasSuffix(d.Reason, tt.says) {
				t.Fatalf("%s: %s, want %s: %s", d.Step, d.Reason, tt.step, tt.says)
			}
			if tt.tip > 0 && d.Fees.Tip.Cmp(big.NewInt(tt.tip)) != 0 {
				t.Errorf("tip %s, want %d", d.Fees.Tip, tt.tip)
			}
		})
	}
}

func TestGasLimit(t *testing.T) {
	t.Parallel()
	p := tx.Policy{Gas: 1_500_000, GasCap: tx.MaxTxGas}
	for name, tt := range map[string]struct {
		used, limit uint64
		err         error
	}{
		"a small call":                     {100_000, 1_500_000, nil},
		"a call just below Gas":            {1_499_999, 2_249_998, nil},
		"a large one":                      {2_000_000, 3_000_000, nil},
		"W1: 450 messages, half more fits": {13_367_403, 16_777_216, nil},
		"exactly the cap":                  {16_777_216, 16_777_216, nil},
		"W1: 600 messages":                 {17_823_204, 0, tx.ErrGasCap},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit, err := p.GasLimit(tt.used)
			if limit != tt.limit || !errors.Is(err, tt.err) {
				t.Errorf("%d, %v; want %d, %v", limit, err, tt.limit, tt.err)
			}
			if err != nil && !strings.Contains(err.Error(), "16777216") {
				t.Errorf("the cap is not named: %v", err)
			}
		})
	}
}

func TestRevive(t *testing.T) {
	t.Parallel()
	ofA := func(nonces ...uint64) (out []tx.Record) {
		for _, n := range nonces {
			out = append(out, lost(tx.Record{Nonce: n, Account: "0xa"}))
		}
		return out
	}
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
		for form, was := range map[string]tx.Journal{
			"":                          {Records: ofA(tt.lost...)},
			", document of release 0.1": {LostNonces: slices.Clone(tt.lost)},
		} {
			t.Run(name+form, func(t *testing.T) {
				t.Parallel()
				j, before := was, was.Clone()
				got := j.Revive(tx.Account{Address: "0xa", Latest: tt.latest})
				if got != (len(tt.left) < len(tt.lost)) {
					t.Errorf("it says %t", got)
				}
				left := slices.Clone(j.LostNonces)
				for _, r := range j.Records {
					if r.Lost {
						left = append(left, r.Nonce)
					}
				}
				if !slices.Equal(left, tt.left) {
					t.Errorf("left %d, want %d", left, tt.left)
				}
				if d := cmp.Diff(before, was); d != "" {
					t.Errorf("a copy of the journal changed: %s", d)
				}
			})
		}
	}
	other := tx.Journal{Records: ofA(9)}
	if other.Revive(tx.Account{Address: "0xb", Latest: 3}) || !other.Records[0].Lost {
		t.Errorf("the nonces of another account say nothing of it: %+v", other)
	}
}

// Another account has become the wallet. The transactions of the one before are known by their hashes: one in a block
// counts, one in the pool is waited for. Their nonces mean nothing.
func TestDecideAfterAnotherWallet(t *testing.T) {
	t.Parallel()
	by := func(account string, r tx.Record) tx.Record { r.Account = account; return r }
	recent, old := by("0xa", record("a", 5, 10*time.Second, 7, "")), by("0xa", record("a", 5, 2*time.Minute, 7, ""))
	mine := by("0xb", record("b", 5, 10*time.Second, 7, ""))
	// at is the chain where the new wallet has used some nonces.
	at := func(nonce uint64, hash string, s tx.Status) tx.View {
		return view(nonce, nonce, nonce, map[string]tx.Status{hash: s})
	}
	pending, mined, reverted := tx.Status{Phase: tx.Pending}, included(98, true), included(98, false)
	for name, tt := range map[string]struct {
		records []tx.Record
		view    tx.View
		want    tx.Step
		nonce   uint64
		of      string
	}{
		"in the pool":               {[]tx.Record{recent}, at(0, "a", pending), tx.Wait, 0, "a"},
		"in the pool for long":      {[]tx.Record{old}, at(0, "a", pending), tx.Sign, 0, ""},
		"unknown":                   {[]tx.Record{recent}, at(0, "", tx.Status{}), tx.Sign, 0, ""},
		"unknown, a higher nonce":   {[]tx.Record{recent}, at(9, "", tx.Status{}), tx.Sign, 9, ""},
		"mined":                     {[]tx.Record{recent}, at(0, "a", mined), tx.Confirmed, 5, "a"},
		"reverted":                  {[]tx.Record{recent}, at(0, "a", reverted), tx.Reverted, 5, "a"},
		"reverted and answered":     {[]tx.Record{lost(recent)}, at(0, "a", reverted), tx.Sign, 0, ""},
		"mined beside one of ours":  {[]tx.Record{recent, mine}, at(5, "a", mined), tx.Confirmed, 5, "a"},
		"ours has the same nonce":   {[]tx.Record{recent, mine}, at(5, "b", pending), tx.Wait, 0, "b"},
		"ours has it and reverted":  {[]tx.Record{lost(recent), mine}, at(6, "b", reverted), tx.Reverted, 5, "b"},
		"ours is lost, theirs open": {[]tx.Record{recent, lost(mine)}, at(6, "", tx.Status{}), tx.Sign, 6, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.view.Account.Address = "0xb"
			j := tx.Journal{Records: tt.records}
			d := tx.Decide(j, tt.view, policy)
			if d.Step != tt.want || d.Record.Hash != tt.of || d.Nonce != tt.nonce {
				t.Fatalf("%s of %q with nonce %d (%s), want %s of %q with %d", d.Step, d.Record.Hash, d.Nonce, d.Reason,
					tt.want, tt.of, tt.nonce)
			}
			if fs := (tx.Journal{Records: []tx.Record{recent}}).Flights(tt.view.Account, 0, tx.Before); len(fs) > 0 {
				t.Errorf("flights of another account: %+v", fs)
			}
		})
	}
}
