package contracts_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
)

// contract is a core contract that holds these values.
type contract struct {
	state, final settlement.State
	config       settlement.Config
	err          error
}

func (c contract) State(_ context.Context, finalized bool) (settlement.State, error) {
	if finalized {
		return c.final, c.err
	}
	return c.state, c.err
}

func (c contract) Config(context.Context) (settlement.Config, error) { return c.config, c.err }

// chain is an app chain of equal blocks; the root of block n is 100+n, its hash 200+n.
type chain struct {
	head uint64
	err  error
}

func (c chain) Head(context.Context) (uint64, error) { return c.head, c.err }

func (c chain) Headers(_ context.Context, from, to uint64) (hs []block.Header, err error) {
	for n := from; n <= to && n <= c.head; n++ {
		hs = append(hs, block.Header{Number: n, NewRoot: felt.FromUint64(100 + n), Hash: felt.FromUint64(200 + n),
			StarknetVersion: "0.14.2"})
	}
	return hs, c.err
}

// checker is one with which every line is right.
func checker() contracts.Checker {
	settled := settlement.State{Settled: true, Block: 7, Root: felt.FromUint64(107), BlockHash: felt.FromUint64(207)}
	return contracts.Checker{
		Address: "0xc0de",
		Contract: contract{state: settled, final: settlement.State{Settled: true, Block: 5}, config: settlement.Config{
			ConfigHash: felt.FromUint64(1), ProgramHash: felt.FromUint64(2), AggregatorProgramHash: felt.FromUint64(3),
			Operator: true,
		}},
		Chain: chain{head: 9},
		Needs: func(string) (settlement.Needs, error) {
			return settlement.Needs{ConfigHash: felt.FromUint64(1), ProgramHash: felt.FromUint64(2),
				AggregatorProgramHash: felt.FromUint64(3)}, nil
		},
		Wallet: func(context.Context) (tx.Account, error) {
			return tx.Account{Address: "0xa11e7", Balance: big.NewInt(50)}, nil
		},
		FeeCap: big.NewInt(50), Unit: "wei",
	}
}

func TestRight(t *testing.T) {
	t.Parallel()
	r, err := checker().Check(t.Context())
	if err != nil || r.Err() != nil || r.Contract != "0xc0de" {
		t.Fatalf("%+v, %v", r, err)
	}
	var names []string
	for _, l := range r.Lines {
		names = append(names, l.Name+" "+string(l.Verdict))
		if l.Do != "" {
			t.Errorf("%s is right, and says what to do: %s", l.Name, l.Do)
		}
	}
	want := []string{"settled state right", "final state right", "config hash right", "program hash right",
		"aggregator program hash right", "operator right", "balance right"}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("lines, wanted (-) and found (+):\n%s", d)
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	with := func(change func(*contract)) func(*contracts.Checker) {
		return func(c *contracts.Checker) {
			k := c.Contract.(contract)
			change(&k)
			c.Contract = k
		}
	}
	for name, tt := range map[string]struct {
		change  func(*contracts.Checker)
		line    string
		verdict contracts.Verdict
		do      string
	}{
		"another root": {with(func(k *contract) { k.state.Root = felt.FromUint64(9) }), "settled state",
			contracts.Wrong, "another history"},
		"another hash": {with(func(k *contract) { k.state.BlockHash = felt.FromUint64(9) }), "settled state",
			contracts.Wrong, "another history"},
		"nothing settled": {with(func(k *contract) { k.state = settlement.State{} }), "settled state",
			contracts.Right, ""},
		"the chain is behind": {func(c *contracts.Checker) { c.Chain = chain{head: 3} }, "settled state",
			contracts.Wrong, "CHAIN_RPC"},
		"the chain does not answer": {func(c *contracts.Checker) { c.Chain = chain{err: errors.New("down")} },
			"settled state", contracts.Unknown, "down"},
		"its needs can't be read then": {func(c *contracts.Checker) { c.Chain = chain{err: errors.New("down")} },
			"program hash", contracts.Unknown, "down"},
		"final is ahead": {with(func(k *contract) { k.final.Block = 8 }), "final state",
			contracts.Unknown, "Ask again"},
		"config hash": {with(func(k *contract) { k.config.ConfigHash = felt.FromUint64(9) }), "config hash",
			contracts.Wrong, "CHAIN_DA_PUBLIC_KEYS"},
		"program hash": {with(func(k *contract) { k.config.ProgramHash = felt.FromUint64(9) }), "program hash",
			contracts.Wrong, "SETTLEMENT_PROGRAM_HASHES"},
		"programs are not known": {func(c *contracts.Checker) {
			c.Needs = func(string) (settlement.Needs, error) {
				return settlement.Needs{ConfigHash: felt.FromUint64(1)}, nil
			}
		}, "program hash", contracts.Unknown, "SETTLEMENT_PROGRAM_HASHES can"},
		"no settings": {func(c *contracts.Checker) { c.Needs = nil }, "config hash", contracts.Unknown, ""},
		"a version without needs": {func(c *contracts.Checker) {
			c.Needs = func(v string) (settlement.Needs, error) { return settlement.Needs{}, errors.New(v + " is new") }
		}, "config hash", contracts.Wrong, "0.14.2 is new"},
		"no block yet": {func(c *contracts.Checker) {
			c.Contract = contract{}
			c.Chain = chain{err: block.ErrNotFound}
		}, "config hash", contracts.Unknown, "no block yet"},
		"operator": {with(func(k *contract) { k.config.Operator = false }), "operator",
			contracts.Wrong, "0xa11e7"},
		"below the cap": {func(c *contracts.Checker) { c.FeeCap = big.NewInt(51) }, "balance",
			contracts.Right, "send funds before fees rise"},
		"empty": {func(c *contracts.Checker) {
			c.Wallet = func(context.Context) (tx.Account, error) {
				return tx.Account{Address: "0xa11e7", Balance: new(big.Int)}, nil
			}
		}, "balance", contracts.Wrong, "Send funds"},
		"no wallet's answer": {func(c *contracts.Checker) {
			c.Wallet = func(context.Context) (tx.Account, error) { return tx.Account{}, errors.New("slow") }
		}, "balance", contracts.Unknown, "slow"},
		"no operator, and no wallet's answer": {func(c *contracts.Checker) {
			with(func(k *contract) { k.config.Operator = false })(c)
			c.Wallet = func(context.Context) (tx.Account, error) { return tx.Account{}, errors.New("slow") }
		}, "operator", contracts.Wrong, "as an operator. Its address can't be read now."},
		"no contract": {with(func(k *contract) { k.err = settlement.ErrNotConfigured }), "core contract",
			contracts.Wrong, "SETTLEMENT_CONTRACT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := checker()
			tt.change(&c)
			r, err := c.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range r.Lines {
				if l.Name == tt.line {
					if l.Verdict != tt.verdict || !strings.Contains(l.Do, tt.do) {
						t.Errorf("%+v, want %s and %q", l, tt.verdict, tt.do)
					}
					err, wrong := r.Err(), l.Verdict == contracts.Wrong
					if said := err != nil && strings.Contains(err.Error(), l.Do); said != wrong {
						t.Errorf("the report's fault is %v", err)
					}
					return
				}
			}
			t.Errorf("no line %q in %+v", tt.line, r)
		})
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	c := checker()
	c.Needs = nil
	r, err := c.Check(t.Context())
	want := "4 of 7 comparisons right; " +
		"config hash unknown, program hash unknown, aggregator program hash unknown"
	if err != nil || r.Summary() != want {
		t.Errorf("%q, %v", r.Summary(), err)
	}
	for _, want := range []string{"config hash 0x1 (unknown); ", "0xa11e7 holds 50 wei"} {
		if !strings.Contains(r.String(), want) {
			t.Errorf("%q lacks %q", r, want)
		}
	}
}

func TestContractDown(t *testing.T) {
	t.Parallel()
	c := checker()
	c.Contract = contract{err: errors.New("down")}
	if _, err := c.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "down") {
		t.Errorf("err %v", err)
	}
}

// nodes are two nodes of a settlement layer. The first one fails at its read of some kind.
type nodes struct {
	contract
	fails string
	all   int      // how many nodes there are
	asked []string // what was read of which node
}

func (n *nodes) ask(ctx context.Context, what string) error {
	l := look.Of(ctx)
	if l == nil {
		return errors.New("a read outside of a look")
	}
	node := 0
	if l.Gone(n, 0) {
		node = 1
	}
	n.asked = append(n.asked, fmt.Sprintf("%s of %d", what, node))
	if node == 0 && what == n.fails {
		return l.Fail(n, 0, n.all, look.Unanswered(errors.New("no route")))
	}
	return nil
}

func (n *nodes) State(ctx context.Context, finalized bool) (settlement.State, error) {
	if err := n.ask(ctx, fmt.Sprintf("state %t", finalized)); err != nil {
		return settlement.State{}, err
	}
	return n.contract.State(ctx, finalized)
}

func (n *nodes) Config(ctx context.Context) (settlement.Config, error) {
	if err := n.ask(ctx, "config"); err != nil {
		return settlement.Config{}, err
	}
	return n.contract.Config(ctx)
}

// All of the settlement layer is read from one node, whichever read another one fails; what the last node does not
// answer is unknown.
func TestOneLook(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"config", "state false", "state true", "account"} {
		for all := 1; all <= 2; all++ {
			c := checker()
			n := &nodes{contract: c.Contract.(contract), fails: fails, all: all}
			c.Contract = n
			c.Wallet = func(ctx context.Context) (tx.Account, error) {
				return tx.Account{Address: "0xa11e7", Balance: big.NewInt(50)}, n.ask(ctx, "account")
			}
			r, err := c.Check(t.Context())
			if all == 2 {
				want := []string{"config of 1", "state false of 1", "state true of 1", "account of 1"}
				if got := n.asked[max(0, len(n.asked)-4):]; err != nil || r.Err() != nil ||
					!slices.Equal(got, want) || strings.Contains(r.Summary(), "unknown") {
					t.Errorf("%s fails: %v, %s; read at last %v, want %v", fails, err, r.Summary(), got, want)
				}
				continue
			}
			whole := fails == "state true" || fails == "account"
			if (err == nil) != whole || whole && !strings.Contains(r.Summary(), "6 of 7 comparisons right; ") {
				t.Errorf("%s fails at the only node: %v, %s", fails, err, r.Summary())
			}
		}
	}
}

// counted is a chain that counts how often it is asked.
type counted struct {
	chain
	heads, headers int
}

func (c *counted) Head(ctx context.Context) (uint64, error) {
	c.heads++
	return c.chain.Head(ctx)
}

func (c *counted) Headers(ctx context.Context, from, to uint64) ([]block.Header, error) {
	c.headers++
	return c.chain.Headers(ctx, from, to)
}

// The app chain is asked once for its head and once for the headers, so that no line has another head than the others.
func TestAppChainIsReadOnce(t *testing.T) {
	t.Parallel()
	c, app := checker(), &counted{chain: chain{head: 9}}
	c.Chain = app
	if _, err := c.Check(t.Context()); err != nil || app.heads != 1 || app.headers != 1 {
		t.Errorf("%v, %d reads of the head and %d of headers", err, app.heads, app.headers)
	}
}
