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
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
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

// Checker compares. Contract, Chain and Wallet are required.
type Checker struct {
	Address  string // of the core contract
	Contract Contract
	Chain    Chain
	// Needs is what the contract must hold for the blocks of a Starknet version; nil: not known.
	Needs func(version string) (settlement.Needs, error)
	// Wallet reads the wallet; the contract's Config says whether it may update the state.
	Wallet func(context.Context) (tx.Account, error)
	FeeCap *big.Int // the most that the wallet's transactions on their way may cost; nil: any
	Unit   string   // of balance and cap, such as wei
}

// found is what was read of both chains.
type found struct {
	config       settlement.Config
	state, final settlement.State
	wallet       tx.Account
	finalErr     error
	walletErr    error
	whole        bool // all of the settlement layer was asked
	app          appChain
}

// appChain is what was read of the app chain.
type appChain struct {
	head    uint64
	headErr error
	headers map[uint64]block.Header
	err     error // of the headers
}

// Check reads and compares. It fails only where the contract can't be read at all; what else can't be read is a line
// that is Unknown.
func (c Checker) Check(ctx context.Context) (Report, error) {
	r := Report{Contract: c.Address}
	f, err := look.Value(ctx, c.read)
	if errors.Is(err, settlement.ErrNotConfigured) {
		r.Lines = append(r.Lines, Line{Name: "core contract", Verdict: Wrong, Found: "no core contract at this address",
			Do: "Correct SETTLEMENT_CONTRACT, or the chain that SETTLEMENT_RPC serves."})
		return r, nil
	}
	if err != nil && !f.whole {
		return r, err
	}
	f.app = c.readChain(ctx, f.state)
	r.Lines = append(r.Lines, f.settled(), f.finality())
	r.Lines = append(r.Lines, c.programs(f)...)
	r.Lines = append(r.Lines, operator(f), c.balance(f.wallet, f.walletErr))
	return r, nil
}

// read reads the settlement layer, in one look: two nodes are never at the same block. Where a node does not answer,
// the next one is asked for all of it; what the last one does not answer is an error in what was found.
func (c Checker) read(ctx context.Context) (f found, err error) {
	if f.config, err = c.Contract.Config(ctx); err != nil {
		return f, fmt.Errorf("read the core contract's configuration: %w", err)
	}
	if f.state, err = c.Contract.State(ctx, false); err != nil {
		return f, fmt.Errorf("read the core contract: %w", err)
	}
	f.final, f.finalErr = c.Contract.State(ctx, true)
	f.wallet, f.walletErr = c.Wallet(ctx)
	f.whole = true
	for _, err := range []error{f.finalErr, f.walletErr} {
		if errors.Is(err, look.ErrUnanswered) {
			return f, err
		}
	}
	return f, nil
}

// readChain reads the app chain's head, and the headers of the last settled block and of the next one: of the newest
// where all are settled.
func (c Checker) readChain(ctx context.Context, s settlement.State) appChain {
	a := appChain{headers: map[uint64]block.Header{}}
	if a.head, a.headErr = c.Chain.Head(ctx); a.headErr != nil {
		return a
	}
	hs, err := c.Chain.Headers(ctx, min(s.Block, a.head), min(s.Next(), a.head))
	a.err = err
	for _, h := range hs {
		a.headers[h.Number] = h
	}
	return a
}

// header is the header of a block.
func (a appChain) header(n uint64) (block.Header, error) {
	h, ok := a.headers[n]
	if err := a.err; err != nil || !ok {
		return h, fmt.Errorf("read block %d of the app chain: %w", n, orMissing(err))
	}
	return h, nil
}

// unread is a line whose other side can't be read.
func unread(name, found string, err error) Line {
	return Line{Name: name, Verdict: Unknown, Found: found, Do: "It can't be compared now: " + err.Error()}
}

// settled compares the contract's block, root and hash with the app chain's.
func (f found) settled() Line {
	s, l := f.state, Line{Name: "settled state", Found: "nothing is settled"}
	if !s.Settled {
		l.Verdict = Right
		return l
	}
	l.Found = fmt.Sprintf("block %d, root %s, hash %s", s.Block, s.Root, s.BlockHash)
	if f.app.headErr != nil {
		return unread(l.Name, l.Found, fmt.Errorf("read the app chain's head: %w", f.app.headErr))
	}
	if f.app.head < s.Block {
		l.Verdict, l.Want = Wrong, fmt.Sprintf("at most block %d, the app chain's newest", f.app.head)
		l.Do = "The app chain's node lags behind the contract, or serves another chain: check CHAIN_RPC."
		return l
	}
	h, err := f.app.header(s.Block)
	if err != nil {
		return unread(l.Name, l.Found, err)
	}
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
func (f found) finality() Line {
	l := Line{Name: "final state", Verdict: Right}
	switch {
	case f.finalErr != nil:
		return unread(l.Name, "", f.finalErr)
	case !f.final.Settled:
		l.Found = "nothing is final"
	default:
		l.Found = fmt.Sprintf("block %d", f.final.Block)
	}
	if f.final.Next() > f.state.Next() {
		l.Verdict = Unknown
		l.Do = "What is final is ahead of what is newest: a node of the settlement layer contradicts itself. Ask again."
	}
	return l
}

// programs compares config and program hashes with what the next block needs.
func (c Checker) programs(f found) (lines []Line) {
	next, err := f.next()
	var n settlement.Needs
	if err == nil && c.Needs != nil {
		if n, err = c.Needs(next.StarknetVersion); err != nil { // the settings have no answer
			return []Line{{Name: settlement.ConfigHash, Found: f.config.ConfigHash.String(), Verdict: Wrong,
				Do: fmt.Sprintf("It can't be computed for block %d of Starknet %s: %s", next.Number,
					next.StarknetVersion, err)}}
		}
	}
	for _, v := range f.config.Compare(n) {
		if err != nil {
			lines = append(lines, unread(v.Name, v.Has.String(), err))
		} else {
			lines = append(lines, compared(v, next))
		}
	}
	return lines
}

// next is the next block to settle, whose version decides what the contract must hold; the newest where all are
// settled.
func (f found) next() (block.Header, error) {
	if errors.Is(f.app.headErr, block.ErrNotFound) {
		return block.Header{}, errors.New("the app chain has no block yet, whose Starknet version decides")
	}
	if f.app.headErr != nil {
		return block.Header{}, fmt.Errorf("read the app chain's head: %w", f.app.headErr)
	}
	return f.app.header(min(f.state.Next(), f.app.head))
}

// compared compares a value with what a block needs.
func compared(v settlement.Change, b block.Header) Line {
	l := Line{Name: v.Name, Found: v.Has.String()}
	if v.Need.IsZero() {
		l.Verdict, l.Do = Unknown, "The settings do not say what it must be: SETTLEMENT_PROGRAM_HASHES can."
		return l
	}
	l.Verdict, l.Want = Right, fmt.Sprintf("%s for block %d of Starknet %s", v.Need, b.Number, b.StarknetVersion)
	if !v.Differs() {
		return l
	}
	l.Verdict, l.Do = Wrong, "The contract's owner must set it, or correct the settings: "
	if l.Name == settlement.ConfigHash {
		l.Do += "CHAIN_ID, CHAIN_FEE_TOKEN_ADDRESS and CHAIN_DA_PUBLIC_KEYS must be what the chain runs with."
	} else {
		l.Do += "SETTLEMENT_PROGRAM_HASHES."
	}
	return l
}

// operator says whether the wallet may update the state.
func operator(f found) Line {
	if f.config.Operator {
		return Line{Name: "operator", Verdict: Right, Found: "the wallet may update the state"}
	}
	l := Line{Name: "operator", Verdict: Wrong, Found: "the wallet may not update the state",
		Do: "The contract's owner must register the wallet as an operator: " + f.wallet.Address}
	if f.wallet.Address == "" {
		l.Do = "The contract's owner must register the wallet as an operator. Its address can't be read now."
	}
	return l
}

// balance says what the wallet holds. It is right where it pays for anything at all; below the cap of fees it says so.
func (c Checker) balance(w tx.Account, err error) Line {
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
