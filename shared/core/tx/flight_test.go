package tx_test

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// flight is a transaction of another payload that was signed 10 seconds ago.
func flight(nonce uint64, cost int64, o tx.Order) tx.Flight {
	return tx.Flight{Nonce: nonce, Cost: big.NewInt(cost), Blobs: 1, SignedAt: now.Add(-10 * time.Second), Order: o}
}

// aged is a flight that was signed long ago.
func aged(f tx.Flight) tx.Flight { f.SignedAt = now.Add(-time.Hour); return f }

// What waits, and what is signed, sent again or replaced, where other payloads of the wallet are on their way. The
// policy allows three transactions, four blobs and a sum of 1,000,000; a transaction at the market's price costs 700.
func TestDecideBesideOthers(t *testing.T) {
	t.Parallel()
	p := policy
	p.InFlight, p.BlockBlobs = 3, 4
	first := record("a", 5, 10*time.Second, 7, "")
	old := record("a", 5, 2*time.Minute, 7, "")
	six, oldSix := record("b", 6, 10*time.Second, 7, ""), record("b", 6, 2*time.Minute, 7, "")
	dear := record("b", 6, 2*time.Minute, 6_000, "")
	pending := map[string]tx.Status{"a": {Phase: tx.Pending}, "b": {Phase: tx.Pending}}
	none := map[string]tx.Status{}
	one := func(r tx.Record) tx.Journal { return tx.Journal{Records: []tx.Record{r}} }
	for name, tt := range map[string]struct {
		journal tx.Journal
		view    tx.View
		flights []tx.Flight
		blobs   int
		want    tx.Step
		nonce   uint64
		says    string
	}{
		"behind one that it builds on": {tx.Journal{}, view(5, 6, 5, none),
			[]tx.Flight{flight(5, 700, tx.Before)}, 0, tx.Sign, 6, ""},
		"behind one of another kind": {tx.Journal{}, view(5, 6, 5, none),
			[]tx.Flight{flight(5, 700, tx.Beside)}, 0, tx.Sign, 6, ""},
		"the node does not show that one yet": {tx.Journal{}, view(5, 5, 5, none),
			[]tx.Flight{flight(5, 700, tx.Before)}, 0, tx.Wait, 0, "nonce 5 must go before it"},
		"nor for long": {tx.Journal{}, view(5, 5, 5, none),
			[]tx.Flight{aged(flight(5, 700, tx.Before))}, 0, tx.Wait, 0, "nonce 5 must go before it"},
		"nor one of another kind": {tx.Journal{}, view(5, 5, 5, none), []tx.Flight{
			flight(5, 700, tx.Beside)}, 0, tx.Wait, 0, "does not show the wallet's transaction with nonce 5"},
		"which is given up: its nonce is taken": {tx.Journal{}, view(5, 5, 5, none),
			[]tx.Flight{aged(flight(5, 700, tx.Beside))}, 0, tx.Sign, 5, ""},
		"one that builds on this gives it up": {tx.Journal{}, view(5, 5, 5, none),
			[]tx.Flight{flight(5, 700, tx.Behind)}, 0, tx.Sign, 5, ""},
		"one that builds on this is in the pool": {tx.Journal{}, view(5, 7, 5, none),
			[]tx.Flight{flight(5, 700, tx.Behind), flight(6, 700, tx.Behind)}, 0, tx.Sign, 5, ""},
		"one that builds on this is in the pool, behind another": {tx.Journal{}, view(5, 7, 5, none),
			[]tx.Flight{flight(5, 700, tx.Before), flight(6, 700, tx.Behind)}, 0, tx.Sign, 6, ""},
		"a gap below what it builds on": {tx.Journal{}, view(5, 5, 5, none),
			[]tx.Flight{flight(6, 700, tx.Before)}, 0, tx.Wait, 0, "nonce 6 must go before it"},
		"a gap below others": {tx.Journal{}, view(5, 5, 5, none),
			[]tx.Flight{flight(6, 700, tx.Beside)}, 0, tx.Sign, 5, ""},
		"as many as are allowed": {tx.Journal{}, view(5, 8, 5, none),
			[]tx.Flight{flight(5, 700, tx.Before), flight(6, 700, tx.Before), flight(7, 700, tx.Before)}, 0,
			tx.Wait, 0, "3 of at most 3"},
		"two with one nonce count once": {tx.Journal{}, view(5, 7, 5, none), []tx.Flight{
			flight(5, 700, tx.Before), flight(5, 700, tx.Beside), flight(6, 700, tx.Before)}, 0, tx.Sign, 7, ""},
		"blobs that a block takes": {tx.Journal{}, view(5, 7, 5, none),
			[]tx.Flight{flight(5, 700, tx.Before), flight(6, 700, tx.Before)}, 2, tx.Sign, 7, ""},
		"more blobs than a block takes": {tx.Journal{}, view(5, 7, 5, none), []tx.Flight{
			flight(5, 700, tx.Before), flight(6, 700, tx.Before)}, 3, tx.Wait, 0, "5 blobs would be on their way"},
		"many blobs alone": {tx.Journal{}, view(5, 5, 5, none), nil, 5, tx.Sign, 5, ""},
		"the sum with one replaced is the cap": {tx.Journal{}, view(5, 6, 5, none),
			[]tx.Flight{flight(5, 499_650, tx.Before)}, 0, tx.Sign, 6, ""},
		"the sum with one replaced is above": {tx.Journal{}, view(5, 6, 5, none),
			[]tx.Flight{flight(5, 499_651, tx.Before)}, 0, tx.Wait, 0, "could cost 500351, and 1000002"},
		"the first of all is old": {one(old), view(5, 7, 5, pending),
			[]tx.Flight{flight(6, 700, tx.Behind)}, 0, tx.Sign, 5, ""},
		"one behind another is old": {one(oldSix), view(5, 7, 5, pending),
			[]tx.Flight{flight(5, 700, tx.Before)}, 0, tx.Wait, 0, "in the pool"},
		"no room to replace it": {one(dear), view(6, 8, 6, pending),
			[]tx.Flight{flight(7, 100, tx.Behind)}, 0, tx.Capped, 6, "raise the cap to 1200200"},
		"dropped, the first of all": {one(first), view(5, 5, 5, none),
			[]tx.Flight{flight(6, 700, tx.Behind)}, 0, tx.Rebroadcast, 0, ""},
		"dropped with the one before it": {one(six), view(5, 5, 5, none),
			[]tx.Flight{flight(5, 700, tx.Before)}, 0, tx.Wait, 0, "nonce 5, which goes before it"},
		"dropped alone": {one(six), view(5, 6, 5, none),
			[]tx.Flight{flight(5, 700, tx.Before)}, 0, tx.Rebroadcast, 0, ""},
		"never sent, and the sum is above": {one(dear), view(5, 6, 5, none),
			[]tx.Flight{flight(5, 400_001, tx.Beside)}, 0, tx.Wait, 0, "could cost 1000001"},
		"never sent, the sum is the cap": {one(dear), view(5, 6, 5, none),
			[]tx.Flight{flight(5, 400_000, tx.Beside)}, 0, tx.Rebroadcast, 0, ""},
		"what it builds on was signed again": {one(first), view(5, 5, 5, none),
			[]tx.Flight{flight(8, 700, tx.Before)}, 0, tx.Wait, 0, "nonce 8 must go before it"},
		"a gap before all, for long": {one(oldSix), view(5, 5, 5, pending),
			[]tx.Flight{flight(7, 700, tx.Behind)}, 0, tx.Sign, 5, ""},
		"a gap, and what it builds on is behind": {one(oldSix), view(4, 4, 4, none),
			[]tx.Flight{flight(5, 700, tx.Before)}, 0, tx.Wait, 0, "nonce 5, which goes before it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := tt.view
			v.Flights, v.Blobs = tt.flights, tt.blobs
			p := p
			if tt.blobs > 0 { // each takes 131,072 units of gas
				p.FeeCap = big.NewInt(100_000_000)
			}
			d := tx.Decide(tt.journal, v, p)
			if d.Step != tt.want || !strings.Contains(d.Reason, tt.says) {
				t.Fatalf("%s (%s), want %s (%s)", d.Step, d.Reason, tt.want, tt.says)
			}
			if d.Step == tx.Sign && d.Nonce != tt.nonce {
				t.Errorf("nonce %d, want %d", d.Nonce, tt.nonce)
			}
		})
	}
}

func TestUnsettled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ inFlight, confirmations, want int }{{0, 3, 1}, {1, 3, 1}, {4, 3, 16}, {4, 1, 8}} {
		p := tx.Policy{InFlight: tt.inFlight, Confirmations: uint64(tt.confirmations)}
		if got := p.Unsettled(); got != tt.want {
			t.Errorf("%d in flight, %d confirmations: %d, want %d", tt.inFlight, tt.confirmations, got, tt.want)
		}
	}
}
