package batching

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/service/alerting"
	"github.com/madara-orchestrator/orchestrator/shared/service/cutover"
)

// Prefix is what the keys of the causes begin with that batching reports.
const Prefix = "batching/"

const (
	// patience is how long the chain may be unreadable, or its nodes behind, before operators are alerted.
	patience = 10 * time.Minute
	// confirmation is how long another history must be seen: one of several nodes may be on a fork for a moment.
	confirmation = 2 * time.Minute
)

// readError says that the chain can't be read or measured now, or that the prover opens no bucket. Batching tries again
// at its next run.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

// Unwrap returns what happened.
func (e *readError) Unwrap() error { return e.err }

func (e *readError) cause() alert.Cause {
	return alert.Cause{
		Key: Prefix + "unreadable", Severity: alert.Critical, After: patience, Title: "New blocks can't be batched",
		Detail: fmt.Sprintf("Batching waits: %v. It tries again at every run; batches close by age meanwhile.", e.err),
	}
}

// halt says that batching can't go on before somebody has changed something. It is not an error: a run that ends with
// it has done all it can.
type halt struct {
	cause alert.Cause
	// frozen leaves the open batch open: its blocks are not the chain's.
	frozen bool
}

func (h *halt) Error() string { return h.cause.Detail }

func halts(key, title, format string, args ...any) *halt {
	return &halt{cause: alert.Cause{Key: Prefix + key, Severity: alert.Critical, Title: title,
		Detail: fmt.Sprintf(format, args...)}}
}

func unsupported(h block.Header) error {
	return halts("version/"+cutover.Printable(h.StarknetVersion), "The chain runs an unsupported Starknet version",
		"Block %d has version %.40q, which this deployment does not support. Batching stops before this block. "+
			"Deploy a release that supports it, and batching goes on.", h.Number, h.StarknetVersion)
}

func tooLarge(h block.Header, why error) error {
	return halts(fmt.Sprintf("block-too-large/%d", h.Number), "A block is larger than a batch may be",
		"Block %d: %v. Batching stops before this block.", h.Number, why)
}

func contradiction(first uint64, s settlement.State) error {
	settled := fmt.Sprintf("the contract has settled block %d", s.Block)
	if !s.Settled {
		settled = "the contract has settled nothing"
	}
	return halts("first-block", "CHAIN_FIRST_BLOCK contradicts the core contract",
		"CHAIN_FIRST_BLOCK is %d, but %s, so the first batch must begin with block %d. Nothing is batched. "+
			"Leave CHAIN_FIRST_BLOCK out or correct it, or name the right contract.", first, settled, s.Next())
}

func foreign(on tip, now felt.Felt) error {
	h := halts("history", "The chain is not the one that the core contract has settled",
		"The contract has settled block %d with hash %s; the chain's block %d has hash %s. Nothing is batched. "+
			"Name the right node or the right contract.", on.number, on.hash, on.number, now)
	h.frozen = true
	return h
}

func reverted(on tip, now felt.Felt, low, high tip) error {
	from := "the first batched block"
	if low.any {
		from = fmt.Sprintf("block %d", low.number+1)
	}
	h := halts("history", "The chain has another history than what was batched",
		"Block %d was batched with hash %s; the chain now has %s there. The two histories part between %s and block "+
			"%d. "+
			"Batching stops, so that no batch mixes them. If a node serves a wrong fork, replace it, and batching "+
			"goes on. "+
			"If the chain was reverted for good, the batches from block %d on have to be removed.",
		on.number, on.hash, now, from, high.number, low.number+1)
	h.frozen, h.cause.After = true, confirmation
	return h
}

func behind(head, last uint64) alert.Cause {
	return alert.Cause{
		Key: Prefix + "head", Severity: alert.Warning, After: patience,
		Title: "The node's head is below what was batched",
		Detail: fmt.Sprintf("The node's newest block is %d, block %d is batched already. The node lags, or the chain "+
			"was reverted. "+
			"Batching waits until the head is above %d.", head, last, last),
	}
}

func missing(number, head uint64) alert.Cause {
	return alert.Cause{
		Key: Prefix + "missing", Severity: alert.Critical, After: patience,
		Title: "A block of the app chain is missing",
		Detail: fmt.Sprintf("The head is block %d, but block %d can't be found at the node. Batching waits for it. "+
			"Check the node's database, or name another node.", head, number),
	}
}

// causes are the keys that a pass has raised.
type causes map[string]bool

func (p *pass[B]) raise(ctx context.Context, c alert.Cause) {
	p.seen[c.Key] = true
	if err := p.Alerts.Raise(ctx, c); err != nil && !errors.Is(err, alerting.ErrBusy) {
		p.log().ErrorContext(ctx, "alert not sent, the next run tries again", "key", c.Key, "error", err)
	}
}

// allClear ends what was reported and was not seen in this pass.
func (p *pass[B]) allClear(ctx context.Context) {
	open, err := p.Alerts.Open(ctx, Prefix)
	if err == nil {
		var over []alert.Report
		for _, o := range open {
			if !p.seen[o.Key] {
				over = append(over, o)
			}
		}
		err = p.Alerts.Resolve(ctx, over...)
	}
	if err != nil {
		p.log().WarnContext(ctx, "all-clear not sent, the next run tries again", "error", err)
	}
}
