// Package takeover plans how this orchestrator takes a chain over from Madara's own orchestrator, and writes the first
// batch of it. Plan is a pure function of what was read; Gather reads it; Apply writes.
package takeover

import (
	"fmt"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/takeover"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Quiet is how long the old database must not have been written to. The old orchestrator's triggers write at least once
// a minute while blocks come; ten times that is safe.
const Quiet = 10 * time.Minute

// Facts are all that a plan is made of.
type Facts struct {
	Now   time.Time
	Layer stage.Layer // as this deployment is configured
	Old   takeover.Database
	// Latest and Final are the core contract's state at the newest and at the newest final block. FinalKnown is false
	// where the node knows no final block, as a development chain's.
	Latest, Final settlement.State
	FinalKnown    bool
	// BlockHash is the app chain's of the contract's block; zero where nothing is settled.
	BlockHash felt.Felt
	// Wallet is this deployment's wallet on the settlement layer.
	Wallet tx.Account
	// Transactions is what has become of the hashes of the old jobs that are not completed.
	Transactions map[string]tx.Phase
	// Buckets says that this deployment's prover has them. Known are the old tasks that it works on or has finished,
	// Ends the app chain's hashes of the last blocks of old SNOS batches.
	Buckets bool
	Known   map[string]bool
	Ends    map[uint64]felt.Felt
	// Ours is the last batch of this deployment's own database; 0: none. OursIsSeed says that it is the one that Apply
	// writes.
	Ours       uint64
	OursIsSeed bool
}

// Refusal is one reason not to take over now, and what to do about it.
type Refusal struct {
	Reason string
	Do     string
}

// Seed is the batch that Apply writes: the old orchestrator's last settled one, already archived. Batching goes on
// after it.
type Seed struct {
	Layer                stage.Layer
	Index                uint64 // of the batch that was settled
	Snos                 uint64 // of its last SNOS batch; Index on an L3
	StartBlock, EndBlock uint64
	EndHash              felt.Felt
	Version              string
}

// Plan is what a takeover would do.
type Plan struct {
	Refusals []Refusal
	// Seed is nil where the old orchestrator has settled nothing: batching then begins at block 0 without it.
	Seed *Seed
	// Carried are the old batches that go on where they are, at the prover.
	Carried []Carried
	// Begin is the first block that is batched, FirstBatch the index of its batch.
	Begin, FirstBatch uint64
	// Dropped are the old batches that are under way: their blocks are batched and proven again.
	Dropped []Dropped
	Notes   []string
}

// Dropped is an old batch that is under way.
type Dropped struct {
	takeover.Batch
	// Tasks are the prover's tasks and queries of its jobs that are not completed.
	Tasks []string
}

// Make makes the plan.
func Make(f Facts) Plan {
	p := Plan{Begin: f.Latest.Next(), FirstBatch: 1}
	p.alive(f)
	p.pending(f)
	p.chains(f)
	settled := p.settled(f)
	if f.Ours != 0 && !f.OursIsSeed {
		p.refuse(fmt.Sprintf("this deployment's own database has batches already, the last one is batch %d", f.Ours),
			"a takeover starts from an empty database: name another one (MONGO_DATABASE), or go on without adopting")
	}
	if settled != nil {
		snos := f.Old.LastSnos
		if f.Layer == stage.L3 {
			snos = settled.Index
		}
		p.Seed = &Seed{
			Layer: f.Layer, Index: settled.Index, Snos: snos,
			StartBlock: settled.StartBlock, EndBlock: settled.EndBlock,
			EndHash: f.Latest.BlockHash, Version: settled.StarknetVersion,
		}
		p.FirstBatch = settled.Index + 1
	}
	p.carry(f)
	p.drop(f)
	return p
}

func (p *Plan) refuse(reason, do string) { p.Refusals = append(p.Refusals, Refusal{reason, do}) }

// alive looks for signs that the old orchestrator still runs.
func (p *Plan) alive(f Facts) {
	for _, l := range f.Old.Locks {
		p.refuse(fmt.Sprintf("the old orchestrator holds the lock %s until %s", l.Name, clock(l.ExpiresAt)),
			"stop the old orchestrator and wait until the lock is over")
	}
	if ago := f.Now.Sub(f.Old.LastWrite); !f.Old.LastWrite.IsZero() && ago < Quiet {
		p.refuse(fmt.Sprintf("the old database was written %s ago", max(ago, 0).Round(time.Second)),
			fmt.Sprintf("stop the old orchestrator, wait until %s, and try again", clock(f.Old.LastWrite.Add(Quiet))))
	}
}

// pending looks for transactions that may still be mined.
func (p *Plan) pending(f Facts) {
	for _, j := range f.Old.Jobs {
		for _, hash := range j.Transactions {
			if f.Transactions[hash] == tx.Pending {
				p.refuse(fmt.Sprintf("transaction %s of the old %s is not in a block yet", hash, j.Name()),
					"wait until it is mined, or replace it with an empty transaction of the same nonce")
			}
		}
	}
	if n := f.Wallet.Pending; n > f.Wallet.Latest {
		p.refuse(fmt.Sprintf("the wallet %s has %d transactions that are not in a block (nonces %d to %d)",
			f.Wallet.Address, n-f.Wallet.Latest, f.Wallet.Latest, n-1),
			"wait until they are mined, or replace each with an empty transaction of the same nonce")
	}
	if f.FinalKnown && f.Latest != f.Final {
		p.refuse(
			fmt.Sprintf("the last state update is not final: the contract is at %s, finally at %s",
				at(f.Latest), at(f.Final)),
			"wait until the settlement layer has finalized it, some 15 minutes on Ethereum",
		)
	}
}

// chains compares layer, contract and app chain.
func (p *Plan) chains(f Facts) {
	if f.Old.Layer != f.Layer {
		p.refuse(
			fmt.Sprintf("the old database is of an %s, this deployment is configured as an %s", f.Old.Layer, f.Layer),
			"correct CHAIN_LAYER, or name the right database")
	}
	if f.Latest.Settled && f.BlockHash != f.Latest.BlockHash {
		p.refuse(fmt.Sprintf("the contract has settled block %d with hash %s, the app chain's block %d has hash %s",
			f.Latest.Block, f.Latest.BlockHash, f.Latest.Block, f.BlockHash),
			"CHAIN_RPC and SETTLEMENT_CONTRACT do not belong together: correct the one that is wrong")
	}
}

// settled returns the old batch that the contract's state is the end of; nil where nothing is settled or nothing fits.
func (p *Plan) settled(f Facts) *takeover.Batch {
	last := f.Old.Settled
	switch {
	case !f.Latest.Settled && last == nil:
		p.note("nothing is settled yet: adopting changes nothing, start the deployment as a new one")
		return nil
	case !f.Latest.Settled || last != nil && f.Latest.Block < last.EndBlock:
		p.refuse(fmt.Sprintf(
			"batch %d is completed up to block %d in the old database, but the contract is at %s",
			last.Index,
			last.EndBlock,
			at(f.Latest),
		), "the contract or the database is the wrong one: correct SETTLEMENT_CONTRACT or the URI")
		return nil
	case last != nil && f.Latest.Block == last.EndBlock:
		return last
	}
	for i := range f.Old.Unsettled {
		if b := &f.Old.Unsettled[i]; b.EndBlock == f.Latest.Block {
			if f.Layer == stage.L2 {
				p.refuse(
					fmt.Sprintf("batch %d is settled on the contract, but %s in the old database", b.Index, b.Status),
					"let the old orchestrator verify it (it needs one more minute), or mark it Completed, and stop "+
						"it again")
				return nil
			}
			p.note(
				fmt.Sprintf(
					"batch %d is %s in the old database, but the contract has settled it: it counts as settled",
					b.Index,
					b.Status,
				),
			)
			return b
		}
	}
	p.refuse(fmt.Sprintf("the contract is at %s, where no batch of the old database ends", at(f.Latest)),
		"the contract or the database is the wrong one, or another orchestrator has settled since")
	return nil
}

func (p *Plan) note(s string) { p.Notes = append(p.Notes, s) }

// drop lists what is under way at the old orchestrator and will be done again.
func (p *Plan) drop(f Facts) {
	for _, b := range f.Old.Unsettled {
		if b.Index < p.FirstBatch {
			continue
		}
		d := Dropped{Batch: b}
		for _, j := range f.Old.Jobs {
			ofBatch := j.Batch == b.Index && (f.Old.Layer == stage.L3 || f.Old.Layer.OnAggregator(stage.Name(j.Type)))
			if ofBatch && j.External != "" && len(j.Transactions) == 0 {
				d.Tasks = append(d.Tasks, j.Type+" "+j.External)
			}
		}
		p.Dropped = append(p.Dropped, d)
	}
	locked := 0
	for _, j := range f.Old.Jobs {
		if j.Status == takeover.JobLocked {
			locked++
		}
	}
	if locked > 0 {
		p.note(
			fmt.Sprintf(
				"%d old jobs are locked for processing; nobody works on them once the old orchestrator is stopped",
				locked,
			),
		)
	}
}

func at(s settlement.State) string {
	if !s.Settled {
		return "no block"
	}
	return fmt.Sprintf("block %d", s.Block)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Text is the plan for a terminal of 80 columns.
func (p Plan) Text() string {
	var b strings.Builder
	if p.Seed != nil {
		fmt.Fprintf(&b, "settled       batch %d, up to block %d (%s)\n", p.Seed.Index, p.Seed.EndBlock, p.Seed.Version)
	}
	if len(p.Carried) > 0 {
		fmt.Fprintf(&b, "carried on    %d old batches, which are at the prover\n", len(p.Carried))
	}
	for _, c := range p.Carried {
		fmt.Fprintf(&b, "  batch %d, blocks %d-%d, %s, bucket %s\n", c.Index, c.StartBlock, c.EndBlock, c.Status,
			c.Bucket)
	}
	fmt.Fprintf(&b, "begins        batch %d, with block %d\n", p.FirstBatch, p.Begin)
	fmt.Fprintf(&b, "done again    %d old batches\n", len(p.Dropped))
	for _, d := range p.Dropped {
		fmt.Fprintf(&b, "  batch %d, blocks %d-%d, %s\n", d.Index, d.StartBlock, d.EndBlock, d.Status)
		if d.Bucket != "" {
			fmt.Fprintf(&b, "    prover's bucket %s\n", d.Bucket)
		}
		for _, t := range d.Tasks {
			fmt.Fprintf(&b, "    %s\n", t)
		}
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "note          %s\n", n)
	}
	for _, r := range p.Refusals {
		fmt.Fprintf(&b, "REFUSED       %s\n              -> %s\n", r.Reason, r.Do)
	}
	return b.String()
}
