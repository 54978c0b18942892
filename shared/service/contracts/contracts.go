// Package contracts compares what the core contract holds with the settings, with the app chain and with what was
// settled, line by line: each is right or wrong, and says what to do.
package contracts

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
)

// Verdict is what a comparison came to.
type Verdict string

// Verdicts of a line.
const (
	Right   Verdict = "right"
	Wrong   Verdict = "wrong"
	Unknown Verdict = "unknown" // it can't be compared now, or the settings do not say what it must be
)

// Line is one comparison.
type Line struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`          // on the settlement layer
	Want    string  `json:"want,omitempty"` // by settings and app chain
	Do      string  `json:"do,omitempty"`   // what helps where it is not right
}

// Report is the comparison of everything.
type Report struct {
	Contract string `json:"contract"` // address
	Lines    []Line `json:"lines"`
}

// Err names every line that is wrong, with what to do; nil where there is none.
func (r Report) Err() error {
	var all []error
	for _, l := range r.Lines {
		if l.Verdict == Wrong {
			all = append(all, l.err())
		}
	}
	return errors.Join(all...)
}

func (l Line) err() error {
	text := l.Name + ": the core contract has " + l.Found
	if l.Want != "" {
		text += ", want " + l.Want
	}
	return errors.New(text + ". " + l.Do)
}

// Summary counts the lines by what they came to, and names those that are not right.
func (r Report) Summary() string {
	right, others := 0, []string{}
	for _, l := range r.Lines {
		if l.Verdict == Right {
			right++
		} else {
			others = append(others, l.Name+" "+string(l.Verdict))
		}
	}
	text := fmt.Sprintf("%d of %d comparisons right", right, len(r.Lines))
	if len(others) > 0 {
		text += "; " + strings.Join(others, ", ")
	}
	return text
}

// String is the report in one line, without what to do.
func (r Report) String() string {
	texts := make([]string, len(r.Lines))
	for i, l := range r.Lines {
		texts[i] = l.Name + " " + l.Found
		if l.Verdict != Right || l.Want != "" {
			texts[i] += " (" + string(l.Verdict) + ")"
		}
	}
	return strings.Join(texts, "; ")
}

// Chain is what is read of the app chain.
type Chain interface {
	Head(ctx context.Context) (uint64, error)
	Headers(ctx context.Context, from, to uint64) ([]block.Header, error)
}

// Contract is what is read of the core contract.
type Contract interface {
	State(ctx context.Context, finalized bool) (settlement.State, error)
	Config(ctx context.Context) (settlement.Config, error)
}

// Wallet is the wallet that settles.
type Wallet struct {
	Address string
	Balance *big.Int // in the smallest unit; nil: not known
}

// Checker compares. Contract, Chain and Wallet are required.
type Checker struct {
	Address  string // of the core contract
	Contract Contract
	Chain    Chain
	// Needs is what the contract must hold for the blocks of a Starknet version; nil: not known.
	Needs func(version string) (settlement.Needs, error)
	// Wallet reads the wallet; the contract's Config says whether it may update the state.
	Wallet func(context.Context) (Wallet, error)
	FeeCap *big.Int // the most that the wallet's transactions on their way may cost; nil: any
	Unit   string   // of balance and cap, such as wei
}

// Check reads and compares. It fails only where the contract can't be read at all; what else can't be read is a line
// that is Unknown.
func (c Checker) Check(ctx context.Context) (Report, error) {
	r := Report{Contract: c.Address}
	config, err := c.Contract.Config(ctx)
	if errors.Is(err, settlement.ErrNotConfigured) {
		r.Lines = append(r.Lines, Line{Name: "core contract", Verdict: Wrong, Found: "no core contract at this address",
			Do: "Correct SETTLEMENT_CONTRACT, or the chain that SETTLEMENT_RPC serves."})
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("read the core contract's configuration: %w", err)
	}
	s, err := c.Contract.State(ctx, false)
	if err != nil {
		return r, fmt.Errorf("read the core contract: %w", err)
	}
	r.Lines = append(r.Lines, c.state(ctx, s), c.finality(ctx, s))
	r.Lines = append(r.Lines, c.programs(ctx, config, s)...)
	w, err := c.Wallet(ctx)
	r.Lines = append(r.Lines, operator(w, config), c.balance(w, err))
	return r, nil
}

// unread is a line whose other side can't be read.
func unread(name, found string, err error) Line {
	return Line{Name: name, Verdict: Unknown, Found: found, Do: "It can't be compared now: " + err.Error()}
}

// state compares the contract's block, root and hash with the app chain's.
func (c Checker) state(ctx context.Context, s settlement.State) Line {
	l := Line{Name: "settled state", Found: "nothing is settled"}
	if !s.Settled {
		l.Verdict = Right
		return l
	}
	l.Found = fmt.Sprintf("block %d, root %s, hash %s", s.Block, s.Root, s.BlockHash)
	head, err := c.Chain.Head(ctx)
	if err == nil && head < s.Block {
		l.Verdict, l.Want = Wrong, fmt.Sprintf("at most block %d, the app chain's newest", head)
		l.Do = "The app chain's node lags behind the contract, or serves another chain: check CHAIN_RPC."
		return l
	}
	if err != nil && !errors.Is(err, block.ErrNotFound) {
		return unread(l.Name, l.Found, err)
	}
	hs, err := c.Chain.Headers(ctx, s.Block, s.Block)
	if err != nil || len(hs) != 1 {
		return unread(l.Name, l.Found, fmt.Errorf("block %d of the app chain: %w", s.Block, orMissing(err)))
	}
	h := hs[0]
	l.Verdict, l.Want = Right, fmt.Sprintf("block %d, root %s, hash %s", h.Number, h.NewRoot, h.Hash)
	if h.NewRoot != s.Root || !s.BlockHash.IsZero() && h.Hash != s.BlockHash {
		l.Verdict = Wrong
		l.Do = "The contract holds another history than the app chain: check CHAIN_RPC and SETTLEMENT_CONTRACT. " +
			"Nothing can be settled on it until they agree."
	}
	return l
}

func orMissing(err error) error {
	if err == nil {
		return block.ErrNotFound
	}
	return err
}

// finality says how far what is settled is final; it is never wrong.
func (c Checker) finality(ctx context.Context, s settlement.State) Line {
	l := Line{Name: "final state", Verdict: Right}
	final, err := c.Contract.State(ctx, true)
	switch {
	case err != nil:
		return unread(l.Name, "", err)
	case !final.Settled:
		l.Found = "nothing is final"
	default:
		l.Found = fmt.Sprintf("block %d", final.Block)
	}
	if final.Next() > s.Next() {
		l.Verdict = Unknown
		l.Do = "What is final is ahead of what is newest: the settlement layer's nodes differ. Ask again."
	}
	return l
}

// programs compares config and program hashes with what the next block needs.
func (c Checker) programs(ctx context.Context, config settlement.Config, s settlement.State) []Line {
	lines := []Line{
		{Name: "config hash", Found: config.ConfigHash.String()},
		{Name: "program hash", Found: config.ProgramHash.String()},
	}
	if !config.AggregatorProgramHash.IsZero() {
		lines = append(lines, Line{Name: "aggregator program hash", Found: config.AggregatorProgramHash.String()})
	}
	next, err := c.next(ctx, s)
	var n settlement.Needs
	if err == nil && c.Needs != nil {
		if n, err = c.Needs(next.StarknetVersion); err != nil { // the settings have no answer
			lines[0].Verdict = Wrong
			lines[0].Do = fmt.Sprintf("It can't be computed for block %d of Starknet %s: %s",
				next.Number, next.StarknetVersion, err)
			return lines[:1]
		}
	}
	if err != nil {
		for i := range lines {
			lines[i] = unread(lines[i].Name, lines[i].Found, err)
		}
		return lines
	}
	want := map[string]felt.Felt{"config hash": n.ConfigHash, "program hash": n.ProgramHash,
		"aggregator program hash": n.AggregatorProgramHash}
	for i := range lines {
		lines[i].compare(want[lines[i].Name], next)
	}
	return lines
}

// next is the next block to settle, whose version decides what the contract must hold; the newest where all are
// settled.
func (c Checker) next(ctx context.Context, s settlement.State) (block.Header, error) {
	head, err := c.Chain.Head(ctx)
	if errors.Is(err, block.ErrNotFound) {
		return block.Header{}, errors.New("the app chain has no block yet, whose Starknet version decides")
	}
	if err != nil {
		return block.Header{}, fmt.Errorf("read the app chain's head: %w", err)
	}
	n := min(s.Next(), head)
	hs, err := c.Chain.Headers(ctx, n, n)
	if err != nil || len(hs) != 1 {
		return block.Header{}, fmt.Errorf("read block %d of the app chain: %w", n, orMissing(err))
	}
	return hs[0], nil
}

// compare compares a hash with what a block needs.
func (l *Line) compare(want felt.Felt, b block.Header) {
	if want.IsZero() {
		l.Verdict, l.Do = Unknown, "The settings do not say what it must be: SETTLEMENT_PROGRAM_HASHES can."
		return
	}
	l.Verdict, l.Want = Right, fmt.Sprintf("%s for block %d of Starknet %s", want, b.Number, b.StarknetVersion)
	if l.Found == want.String() {
		return
	}
	l.Verdict, l.Do = Wrong, "The contract's owner must set it, or correct the settings: "
	if l.Name == "config hash" {
		l.Do += "CHAIN_ID, CHAIN_FEE_TOKEN_ADDRESS and CHAIN_DA_PUBLIC_KEYS must be what the chain runs with."
	} else {
		l.Do += "SETTLEMENT_PROGRAM_HASHES."
	}
}

// operator says whether the wallet may update the state.
func operator(w Wallet, config settlement.Config) Line {
	if config.Operator {
		return Line{Name: "operator", Verdict: Right, Found: "the wallet may update the state"}
	}
	return Line{Name: "operator", Verdict: Wrong, Found: "the wallet may not update the state",
		Do: "The contract's owner must register the wallet as an operator: " + w.Address}
}

// balance says what the wallet holds. It is right where it pays for anything at all; below the cap of fees it says so.
func (c Checker) balance(w Wallet, err error) Line {
	l := Line{Name: "balance", Verdict: Right}
	if err != nil {
		return unread(l.Name, "", fmt.Errorf("read the wallet: %w", err))
	}
	if w.Balance == nil {
		return unread(l.Name, "", errors.New("the node does not say what the wallet holds"))
	}
	l.Found = fmt.Sprintf("%s holds %s %s", w.Address, w.Balance, c.Unit)
	switch {
	case w.Balance.Sign() == 0:
		l.Verdict, l.Do = Wrong, "Send funds to the wallet."
	case c.FeeCap != nil && w.Balance.Cmp(c.FeeCap) < 0:
		l.Do = fmt.Sprintf("It holds less than the cap of fees, %s %s: send funds before fees rise.", c.FeeCap, c.Unit)
	}
	return l
}
