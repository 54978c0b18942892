package takeover_test

import (
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	core "github.com/madara-orchestrator/orchestrator/shared/core/takeover"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/takeover"
)

var (
	now  = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	hash = felt.MustHex("0x1234")
)

func state(n uint64) settlement.State {
	return settlement.State{Settled: true, Block: n, Root: felt.MustHex("0x99"), BlockHash: hash}
}

// stopped are the facts of a chain whose old orchestrator was stopped an hour ago: batch 2 is settled up to block 19.
func stopped() takeover.Facts {
	return takeover.Facts{
		Now: now, Layer: stage.L2, Latest: state(19), Final: state(19), FinalKnown: true,
		BlockHash:    hash,
		Wallet:       tx.Account{Address: "0xabc", Latest: 7, Pending: 7},
		Transactions: map[string]tx.Phase{"0xaa": tx.Unknown},
		Old: core.Database{
			Layer: stage.L2, LastSnos: 4, LastWrite: now.Add(-time.Hour),
			Settled: &core.Batch{Index: 2, StartBlock: 10, EndBlock: 19,
				Status: "Completed", StarknetVersion: "0.14.1"},
			Unsettled: []core.Batch{
				{Index: 3, StartBlock: 20, EndBlock: 29, Status: "ReadyForStateUpdate", Bucket: "bucket-3"},
				{Index: 4, StartBlock: 30, EndBlock: 39, Status: "Open"},
			},
			Jobs: []core.Job{
				{Type: "Aggregator", Batch: 3, Status: "PendingVerification", External: "query-3"},
				{Type: "ProofCreation", Batch: 3, Status: "PendingVerification", External: "task-of-snos-3"},
				{Type: "StateTransition", Batch: 3, Status: "LockedForProcessing", Transactions: []string{"0xaa"}},
			},
		},
	}
}

func TestMake(t *testing.T) {
	t.Parallel()
	l3 := func(f *takeover.Facts) {
		f.Layer, f.Old.Layer = stage.L3, stage.L3
		f.Old.Settled.Index, f.Old.LastSnos, f.Old.Unsettled[0].Index, f.Old.Unsettled[1].Index = 4, 4, 5, 6
	}
	for name, tt := range map[string]struct {
		change  func(*takeover.Facts)
		refused []string // parts of the reasons, in order
		settled uint64   // index of the seed; 0: none
		snos    uint64
		begin   uint64
		dropped int
	}{
		"stopped": {func(*takeover.Facts) {}, nil, 2, 4, 20, 2},
		"an L3":   {l3, nil, 4, 4, 20, 2},
		"live": {func(f *takeover.Facts) {
			f.Old.Locks = []core.Lock{{Name: "W", ExpiresAt: now.Add(time.Minute)}}
		}, []string{"lock W until 2026-11-27 12:01"}, 2, 4, 20, 2},
		"just now": {func(f *takeover.Facts) { f.Old.LastWrite = now.Add(-42 * time.Second) },
			[]string{"written 42s ago"}, 2, 4, 20, 2},
		"a clock ahead": {func(f *takeover.Facts) { f.Old.LastWrite = now.Add(time.Minute) },
			[]string{"written 0s ago"}, 2, 4, 20, 2},
		"quiet for ten minutes": {func(f *takeover.Facts) { f.Old.LastWrite = now.Add(-takeover.Quiet) }, nil, 2, 4, 20,
			2},
		"a pending transaction": {func(f *takeover.Facts) { f.Transactions["0xaa"] = tx.Pending },
			[]string{"0xaa of the old StateTransition of batch 3"}, 2, 4, 20, 2},
		"a busy wallet": {func(f *takeover.Facts) { f.Wallet.Pending = 9 },
			[]string{"2 transactions that are not in a block (nonces 7 to 8)"}, 2, 4, 20, 2},
		"a lagging pool": {func(f *takeover.Facts) { f.Wallet.Pending = 6 }, nil, 2, 4, 20, 2},
		"not final": {func(f *takeover.Facts) { f.Final = state(9) },
			[]string{"not final: the contract is at block 19, finally at block 9"}, 2, 4, 20, 2},
		"no final block": {func(f *takeover.Facts) { f.Final, f.FinalKnown = settlement.State{}, false }, nil, 2,
			4, 20, 2},
		"another layer": {func(f *takeover.Facts) { f.Layer = stage.L3 }, []string{"configured as an l3"}, 2, 2,
			20, 2},
		"another chain": {func(f *takeover.Facts) { f.BlockHash = felt.MustHex("0x5") },
			[]string{"app chain's block 19 has hash"}, 2, 4, 20, 2},
		"contract behind": {func(f *takeover.Facts) { f.Latest, f.Final = state(9), state(9) },
			[]string{"batch 2 is completed up to block 19 in the old database, but the contract is at block 9"}, 0, 0,
			10, 2},
		"contract empty": {func(f *takeover.Facts) {
			f.Latest, f.Final, f.BlockHash = settlement.State{}, settlement.State{}, felt.Zero
		}, []string{"but the contract is at no block"}, 0, 0, 0, 2},
		"contract ahead": {func(f *takeover.Facts) { f.Latest, f.Final = state(24), state(24) },
			[]string{"block 24, where no batch of the old database ends"}, 0, 0, 25, 2},
		"settled, not verified": {func(f *takeover.Facts) { f.Latest, f.Final = state(29), state(29) },
			[]string{"batch 3 is settled on the contract, but ReadyForStateUpdate"}, 0, 0, 30, 2},
		"the same on an L3": {func(f *takeover.Facts) { l3(f); f.Latest, f.Final = state(29), state(29) }, nil, 5,
			5, 30, 1},
		"an L3's first batch, not verified": {func(f *takeover.Facts) {
			l3(f)
			f.Old.Settled, f.Old.LastSnos = nil, 0
			f.Old.Unsettled = []core.Batch{{Index: 1, EndBlock: 4, Status: "SnosJobCreated"}}
			f.Latest, f.Final = state(4), state(4)
		}, nil, 1, 1, 5, 0},
		"ours began": {func(f *takeover.Facts) { f.Ours = 3 },
			[]string{"has batches already, the last one is batch 3"}, 2, 4, 20, 2},
		"applied before": {func(f *takeover.Facts) { f.Ours, f.OursIsSeed = 2, true }, nil, 2, 4, 20, 2},
		"nothing settled": {func(f *takeover.Facts) {
			f.Latest, f.Final, f.BlockHash, f.Old.Settled = settlement.State{}, settlement.State{}, felt.Zero, nil
		}, nil, 0, 0, 0, 2},
		"two at once": {func(f *takeover.Facts) {
			f.Old.LastWrite, f.Wallet.Pending = now, 8
		}, []string{"written 0s ago", "1 transactions"}, 2, 4, 20, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := stopped()
			tt.change(&f)
			p := takeover.Make(f)
			if len(p.Refusals) != len(tt.refused) {
				t.Fatalf("refusals %q, want %q", p.Refusals, tt.refused)
			}
			for i, r := range p.Refusals {
				if !strings.Contains(r.Reason, tt.refused[i]) || r.Do == "" {
					t.Errorf("refused with %q, to do %q; want %q", r.Reason, r.Do, tt.refused[i])
				}
			}
			if (p.Seed == nil) != (tt.settled == 0) || p.Begin != tt.begin || len(p.Dropped) != tt.dropped {
				t.Fatalf(
					"seed %+v, begins at %d, %d dropped; want batch %d, %d, %d",
					p.Seed,
					p.Begin,
					len(p.Dropped),
					tt.settled,
					tt.begin,
					tt.dropped,
				)
			}
			if p.Seed != nil &&
				(p.Seed.Index != tt.settled || p.Seed.Snos != tt.snos || p.Seed.EndHash != hash ||
					p.FirstBatch != tt.settled+1) {
				t.Errorf("seed %+v, first batch %d; want batch %d, SNOS batch %d",
					p.Seed, p.FirstBatch, tt.settled, tt.snos)
			}
		})
	}
}

// What is under way is named with what was paid for it; text fits a terminal.
func TestText(t *testing.T) {
	t.Parallel()
	text := takeover.Make(stopped()).Text()
	for _, want := range []string{
		"settled       batch 2, up to block 19", "begins        batch 3, with block 20",
		"batch 3, blocks 20-29, ReadyForStateUpdate",
		"prover's bucket bucket-3", "Aggregator query-3", "1 old jobs are locked",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "task-of-snos-3") {
		t.Errorf("a SNOS batch's task stands at an aggregator batch:\n%s", text)
	}
}
