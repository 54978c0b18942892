package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// look decides what is to be made: all of it, or what is missing of contracts that exist. It refuses where the deployer
// or the settings have a core contract and nobody said what to do about that.
func (d *deployer) look(ctx context.Context) error {
	d.operator, d.setup.Registrar = d.o.operator, d.o.registrar
	for _, a := range []*common.Address{&d.operator, &d.setup.Registrar} {
		if *a == (common.Address{}) {
			*a = d.from
		}
	}
	d.setup.Existing = devethereum.Deployment{Core: d.o.core.at, Registry: d.o.verifier.at}
	if d.o.verifier.exists() {
		k, err := d.kind(ctx, d.o.verifier.at)
		if err == nil && !k.registry {
			err = fmt.Errorf("-verifier %s: no fact registry is at this address", d.o.verifier.at)
		}
		if err != nil {
			return err
		}
	}
	if d.o.core.exists() {
		return d.goOn(ctx)
	}
	core := devethereum.Dev().Core
	if a := d.o.core.artifact; a != nil {
		core = *a
	}
	d.operators(core)
	if d.o.another {
		return nil
	}
	if a := d.o.config.Settlement.Contract; address.MatchString(a) {
		if k, err := d.kind(ctx, common.HexToAddress(a)); err != nil {
			return err
		} else if k.core {
			return d.refuse("the settings name a core contract that exists on this chain", found{
				core: common.HexToAddress(a), registry: common.HexToAddress(d.o.config.Settlement.Verifier)})
		}
	}
	f, err := d.earlier(ctx)
	if err != nil {
		return err
	}
	if f.core != (common.Address{}) || f.registry != (common.Address{}) && !d.o.verifier.exists() {
		return d.refuse("this deployer has made contracts on this chain before", f)
	}
	return nil
}

// found are the newest contracts of an earlier run.
type found struct{ core, registry common.Address }

// refuse says what exists and how to go on.
func (d *deployer) refuse(why string, f found) error {
	var what, how []string
	for _, c := range []struct {
		name, option string
		at           common.Address
	}{{"core contract", "-core", f.core}, {"fact registry", "-verifier", f.registry}} {
		if c.at != (common.Address{}) {
			what, how = append(what, c.name+" "+c.at.Hex()), append(how, c.option+" "+c.at.Hex())
		}
	}
	return fmt.Errorf("%s:\n%s\nNothing was sent. To go on with them:\n%s\nTo make further ones: -another "+
		"(ANOTHER=1)", why,
		strings.Join(what, "\n"), strings.Join(how, " "))
}

// goOn reads a core contract that exists, and plans what it lacks.
func (d *deployer) goOn(ctx context.Context) error {
	k, err := d.kind(ctx, d.o.core.at)
	if err != nil {
		return err
	}
	if !k.core {
		return fmt.Errorf("-core %s: no core contract is at this address", d.o.core.at)
	}
	if !d.o.verifier.exists() {
		if k.verifier == (common.Address{}) {
			return errors.New("-verifier: missing: this core contract does not say which fact registry it asks")
		}
		d.setup.Existing.Registry = k.verifier
	}
	if k.verifier != (common.Address{}) && k.verifier != d.setup.Existing.Registry {
		return fmt.Errorf("-verifier %s: the core contract asks the fact registry %s, which can't be changed",
			d.setup.Existing.Registry, k.verifier)
	}
	d.setup.Initialize = k.proxy && !k.ready
	if d.o.settled != nil && !d.setup.Initialize {
		return errors.New("-settled: means nothing with a core contract that is set up: it holds what is settled")
	}
	c, err := d.client(d.o.core.at)
	if err != nil {
		return err
	}
	defer c.close()
	s, err := c.core.State(ctx, false)
	if err != nil {
		return err
	}
	if !d.setup.Initialize {
		d.setup.Settled, d.setup.Block, d.setup.Root, d.setup.BlockHash = s.Settled, s.Block, s.Root, s.BlockHash
		if err := d.readVersion(ctx); err != nil {
			return err
		}
	}
	has, err := c.core.Config(ctx)
	if err == nil && !has.Operator {
		d.setup.Operators = append(d.setup.Operators, d.operator)
	}
	return err
}

// client is the orchestrator's own client of a core contract, with the operator's account, which it watches.
type client struct {
	core   *ethereum.Core
	wallet *ethereum.Wallet
	close  func()
}

func (d *deployer) client(at common.Address) (client, error) {
	node, err := ethereum.Dial(d.o.rpc, d.id.String())
	if err != nil {
		return client{}, err
	}
	w := ethereum.NewWallet(node, ethereum.Watched(d.operator), ethereum.SidecarAuto)
	core, err := ethereum.NewCore(node, at.Hex(), w)
	return client{core, w, node.Close}, err
}

// kind is what a contract is by its answers.
type kind struct {
	core, proxy, ready bool // ready: set up
	registry           bool
	verifier           common.Address // that the core contract asks, where it says so
}

// Calls by which a contract shows what it is.
var questions = [][]byte{call("stateBlockNumber()"), call("programHash()"), call("verifier()"),
	append(call("isValid(bytes32)"), make([]byte, wordBytes)...)}

const wordBytes = 32

func call(signature string) []byte { return crypto.Keccak256([]byte(signature))[:4] }

// kind asks a contract what it is.
func (d *deployer) kind(ctx context.Context, a common.Address) (kind, error) {
	ks, err := d.kinds(ctx, []common.Address{a})
	if err != nil {
		return kind{}, err
	}
	return ks[0], nil
}

// kinds asks contracts what they are, in one request.
func (d *deployer) kinds(ctx context.Context, as []common.Address) ([]kind, error) {
	each := len(questions) + 1
	answers, batch := make([]hexutil.Bytes, each*len(as)), []rpc.BatchElem(nil)
	for i, a := range as {
		batch = append(batch, rpc.BatchElem{Method: "eth_getCode", Args: []any{a, "latest"}, Result: &answers[each*i]})
		for k, q := range questions {
			batch = append(batch, rpc.BatchElem{Method: "eth_call", Result: &answers[each*i+k+1],
				Args: []any{map[string]any{"to": a, "data": hexutil.Bytes(q)}, "latest"}})
		}
	}
	if err := d.sender.Client.Client().BatchCallContext(ctx, batch); err != nil {
		return nil, fmt.Errorf("look for contracts that exist: %w", err)
	}
	out := make([]kind, len(as))
	for i := range as {
		if err := batch[each*i].Error; err != nil {
			return nil, fmt.Errorf("look for contracts that exist: %w", err)
		}
		out[i] = kindOf(answers[each*i : each*(i+1)])
	}
	return out, nil
}

// kindOf says what a contract is: of its code, and its answers to questions. One that reverts answers nothing.
func kindOf(a []hexutil.Bytes) kind {
	word := func(b []byte) bool { return len(b) == wordBytes }
	k := kind{
		proxy: devethereum.IsProxy(a[0]), core: word(a[1]) && word(a[2]),
		registry: word(a[4]),
	}
	k.ready = k.core && !bytes.Equal(a[2], make([]byte, wordBytes))
	if k.core && word(a[3]) {
		k.verifier = common.BytesToAddress(a[3])
	}
	return k
}

// lookBack is how many of the deployer's last transactions are looked at: nodes take batches of 100 at least.
const lookBack = 20

// earlier finds what the deployer's last transactions made. Addresses follow from nonces, so that it knows also of a
// run that was killed.
func (d *deployer) earlier(ctx context.Context) (f found, err error) {
	var as []common.Address
	for n := d.nonce - min(d.nonce, lookBack); n < d.nonce; n++ {
		as = append(as, crypto.CreateAddress(d.from, n))
	}
	if len(as) == 0 {
		return f, nil
	}
	ks, err := d.kinds(ctx, as)
	for i, k := range ks {
		if k.core && (k.ready || k.proxy) { // else it is a proxy's implementation
			f.core = as[i]
		}
		if k.registry {
			f.registry = as[i]
		}
	}
	return f, err
}

// A node behind a load balancer may not have the newest block yet.
const (
	behindTries = 10
	behindPause = 2 * time.Second
)

// compare compares the contracts with the settings and the app chain, as `make ops ARGS='contracts'` does.
func (d *deployer) compare(ctx context.Context) error {
	c, err := d.client(d.at.Core)
	if err != nil {
		return err
	}
	defer c.close()
	for range behindTries {
		if _, err := c.core.Config(ctx); !errors.Is(err, settlement.ErrNotConfigured) {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(behindPause):
		}
	}
	chain, err := d.app()
	if err != nil {
		return err
	}
	open := func(context.Context) (settlement.Contract, setup.Wallet, error) {
		return c.core, setup.Wallet{Chain: c.wallet}, nil
	}
	r, err := setup.App{Needs: d.needs}.Contracts(d.at.Core.Hex(), config.FeeUnit(config.EthereumLayer), chain,
		open)(ctx)
	if err != nil {
		return fmt.Errorf("check what was made: %w", err)
	}
	d.check = &r
	fmt.Fprintln(d.out, "\nThe check, as `make ops ARGS='contracts'` does it:")
	fmt.Fprintln(d.out)
	report.Contracts(d.out, r)
	if r.Err() != nil {
		return errWrong
	}
	return nil
}
