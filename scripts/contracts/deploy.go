package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"time"

	geth "github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
)

// deployer deploys once. Its fields say how far it came.
type deployer struct {
	o        options
	out, err io.Writer

	sender  *devethereum.Sender
	id      *big.Int       // of Ethereum's chain
	from    common.Address // the deployer's account
	balance *big.Int       // its
	nonce   uint64
	head    block.Header // the app chain's next block, as far as it is known
	version string       // why it has that Starknet version
	program string       // where the program hashes are from

	operator common.Address
	setup    devethereum.Setup
	at       devethereum.Deployment
	steps    []step
	fees     devethereum.Fees
	check    *contracts.Report
}

// step is a step of the plan, with what became of it.
type step struct {
	devethereum.Step
	estimate uint64 // gas
	tx       common.Hash
	used     uint64 // gas
	paid     *big.Int
	done     bool
}

// chains whose contracts guard real money.
const mainnet = 1

// requestTimeout bounds one request.
const requestTimeout = 30 * time.Second

// here are the names of this machine, on which nodes are asked more often.
var here = []string{"127.0.0.1", "localhost", "::1"}

// remotePoll is the time between questions for a receipt where the node is not on this machine.
const remotePoll = 2 * time.Second

// deploy looks, plans, prints the plan, carries it out and checks what is there then.
func (d *deployer) deploy(ctx context.Context) error {
	client, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := d.readChain(ctx); err != nil {
		return err
	}
	if err := d.look(ctx); err != nil {
		return err
	}
	if err := d.plan(ctx); err != nil {
		return err
	}
	d.printPlan()
	if err := d.afford(); err != nil {
		return err
	}
	if d.o.dryRun {
		fmt.Fprintln(d.out, "\nNothing was sent. Without -dry-run (DRY_RUN=1) it is carried out.")
		return nil
	}
	for i := range d.steps {
		if err := d.carryOut(ctx, i); err != nil {
			return err
		}
	}
	d.printSettings()
	return d.compare(ctx)
}

// connect connects the node, and refuses chains on which these contracts have no place.
func (d *deployer) connect(ctx context.Context) (*ethclient.Client, error) {
	raw, err := rpc.DialOptions(ctx, d.o.rpc, rpc.WithHTTPClient(&http.Client{Timeout: requestTimeout}))
	if err != nil {
		return nil, fmt.Errorf("connect to Ethereum: %w", err)
	}
	client := ethclient.NewClient(raw)
	d.sender = &devethereum.Sender{Client: client, Key: d.o.secret}
	if u, err := url.Parse(d.o.rpc); err == nil && !slices.Contains(here, u.Hostname()) {
		d.sender.Every = remotePoll
	}
	d.from = devethereum.Address(d.o.secret)
	if err := d.account(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// account reads the chain's id and the deployer's account.
func (d *deployer) account(ctx context.Context) (err error) {
	c := d.sender.Client
	if d.id, err = c.ChainID(ctx); err != nil {
		return fmt.Errorf("the node at %s does not say its chain id; is it an Ethereum node? %w",
			redact.Host(d.o.rpc), err)
	}
	if d.id.Cmp(big.NewInt(mainnet)) == 0 && !d.o.mainnet {
		why := "everything on it costs real money"
		if !d.o.verifier.exists() && d.o.verifier.artifact == nil {
			why = "the development fact registry proves nothing: whoever has the registrar's key could settle any state"
		}
		return fmt.Errorf("the node at %s serves Ethereum's mainnet (chain id 1), and %s. Nothing was sent. Use "+
			"anvil or Sepolia; -allow-mainnet does it all the same", redact.Host(d.o.rpc), why)
	}
	if want := d.o.config.Settlement.ChainID; want != "" && want != d.id.String() {
		return fmt.Errorf("the node at %s serves the chain with id %s, ORCHESTRATOR_SETTLEMENT_CHAIN_ID in %s "+
			"says %s: "+
			"correct the one that is wrong", redact.Host(d.o.rpc), d.id, d.o.env, want)
	}
	if d.balance, err = c.BalanceAt(ctx, d.from, nil); err != nil {
		return fmt.Errorf("read the deployer's balance: %w", err)
	}
	pending, err := c.PendingNonceAt(ctx, d.from)
	if err != nil {
		return fmt.Errorf("read the deployer's nonce: %w", err)
	}
	if d.nonce, err = c.NonceAt(ctx, d.from, nil); err != nil {
		return fmt.Errorf("read the deployer's nonce: %w", err)
	}
	if pending > d.nonce {
		return fmt.Errorf("%d transactions of the deployer %s wait for a block, perhaps of a run that was broken off. "+
			"Wait until they are in one, then run this again: it says what exists", pending-d.nonce, d.from)
	}
	return nil
}

// plan makes the steps, and estimates what they take.
func (d *deployer) plan(ctx context.Context) (err error) {
	code := devethereum.Dev()
	if a := d.o.core.artifact; a != nil {
		code.Core = *a
	}
	if a := d.o.verifier.artifact; a != nil {
		code.Registry = *a
	}
	at, steps, err := devethereum.Plan(d.setup, code, d.from, d.nonce)
	if err != nil {
		return err
	}
	d.at = at
	if d.o.fund != nil {
		steps = append(steps, devethereum.Step{About: "send " + ether(d.o.fund) + " ETH to the operator",
			Call: devethereum.Call{To: &d.operator, Value: d.o.fund}})
	}
	if d.fees, err = d.sender.Fees(ctx); err != nil {
		return err
	}
	for i, s := range steps {
		e := s.Gas
		if e == 0 || i == 0 { // else it needs what the steps before it make
			if e, err = d.estimate(ctx, s); err != nil {
				return err
			}
		}
		d.steps = append(d.steps, step{Step: s, estimate: e})
	}
	return nil
}

// estimate is the gas of a step on the newest block's state.
func (d *deployer) estimate(ctx context.Context, s devethereum.Step) (uint64, error) {
	gas, err := d.sender.Client.EstimateGas(ctx, geth.CallMsg{
		From: d.from, To: s.Call.To, Data: s.Call.Data, Value: s.Call.Value,
	})
	if err != nil {
		return 0, fmt.Errorf("to %s would fail: %w", s.About, err)
	}
	return gas, nil
}

// The limit of a transaction is its estimate and a quarter: the state may change until it is in a block.
func limit(estimate uint64) uint64 { return estimate + estimate/4 }

// most is what the deployment costs at the most, in wei.
func (d *deployer) most() *big.Int {
	sum := new(big.Int)
	for _, s := range d.steps {
		sum.Add(sum, new(big.Int).Mul(d.fees.Cap, new(big.Int).SetUint64(limit(s.estimate))))
		if v := s.Call.Value; v != nil {
			sum.Add(sum, v)
		}
	}
	return sum
}

// gas is the sum of the estimates.
func (d *deployer) gas() (sum uint64) {
	for _, s := range d.steps {
		sum += s.estimate
	}
	return sum
}

// afford wants the deployer to hold what the steps may cost.
func (d *deployer) afford() error {
	if most := d.most(); d.balance.Cmp(most) < 0 {
		return fmt.Errorf("the deployer %s holds %s ETH, and this may cost up to %s ETH. Nothing was sent. Send it at "+
			"least %s ETH, then run this again", d.from, ether(d.balance), ether(most),
			ether(new(big.Int).Sub(most, d.balance)))
	}
	return nil
}

// carryOut sends a step's transaction and waits until it is in a block. Its hash and address are printed before: who
// breaks the program off has them.
func (d *deployer) carryOut(ctx context.Context, i int) error {
	s := &d.steps[i]
	estimate, err := d.estimate(ctx, s.Step)
	if err != nil {
		return err
	}
	s.Call.Gas = limit(estimate)
	fmt.Fprintln(d.out)
	report.Wrap(d.out, fmt.Sprintf("%d of %d  ", i+1, len(d.steps)), s.About)
	d.sender.Sent = func(h common.Hash) {
		s.tx = h
		fmt.Fprintf(d.out, "  sent     %s\n", h)
		if s.Creates != (common.Address{}) {
			fmt.Fprintf(d.out, "  address  %s\n", s.Creates)
		}
	}
	r, err := d.sender.Do(ctx, s.Step)
	if err != nil {
		return err
	}
	s.done, s.used = true, r.GasUsed
	s.paid = new(big.Int).SetUint64(r.GasUsed)
	if r.EffectiveGasPrice != nil {
		s.paid.Mul(s.paid, r.EffectiveGasPrice)
	}
	fmt.Fprintf(d.out, "  done     block %s, gas %d\n", r.BlockNumber, r.GasUsed)
	return nil
}

// errWrong says that a line of the check is wrong.
var errWrong = errors.New("a line of the check is wrong: the contracts are there, see above what to do")
