package stack

import (
	"fmt"
	"math/big"
	"time"

	l2 "github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

// What the fake of Starknet is set up with: the accounts that settle and register facts, and the layout bridge's
// program.
var (
	StarknetOperator  = felt.MustHex("0xacc0001")
	StarknetRegistrar = felt.MustHex("0xacc0002")
	LayoutBridge      = felt.MustHex("0xb41d9e")
)

// l1Lag is how many blocks the fake's blocks take until they are accepted on L1.
const l1Lag = 20

// StarknetFact returns what makes the fact that a core contract of a form asks for, of SNOS' program hash and output.
func StarknetFact(f fakestarknet.Form) func(program felt.Felt, words []felt.Felt) pie.Fact {
	bridge := output.LayoutBridge
	switch f {
	case fakestarknet.SnosForm:
		return pie.PageFact
	case fakestarknet.InputForm:
		bridge = output.LayoutBridgeWith
	}
	return func(program felt.Felt, words []felt.Felt) pie.Fact {
		return pie.Fact(pie.StarknetFact(bridge(LayoutBridge, pie.BootloaderHash(), output.Bootloaded(program, words))))
	}
}

// StarknetOptions say how the fake of Starknet starts.
type StarknetOptions struct {
	Version       string        // of the app chain's blocks
	BlockInterval time.Duration // of Starknet's blocks
	Latency       time.Duration // of every request
	// Before is what is settled already (Settled, Block, Root, BlockHash), the Messages to the app chain, and the Form.
	Before fakestarknet.Core
}

// Starknet is a fake of Starknet with the contracts that an L3 settles on, and the two accounts.
type Starknet struct {
	*fakestarknet.Server
	keys map[felt.Felt]string
	node *l2.Node
}

// StartStarknet starts it. Close it.
func StartStarknet(o StarknetOptions) (*Starknet, error) {
	hashes, err := snosrunner.HashesOf(o.Version)
	if err != nil {
		return nil, err
	}
	core := o.Before
	core.Owner, core.Operators = StarknetOperator, []felt.Felt{StarknetOperator}
	core.Bootloader, core.Config, core.Snos, core.LayoutBridge = pie.BootloaderHash(),
		hashes.Config, hashes.OS, LayoutBridge
	config := fakestarknet.Options{BlockInterval: o.BlockInterval, Latency: o.Latency, L1Lag: l1Lag,
		Registrar: StarknetRegistrar, Core: core}
	s := &Starknet{keys: map[felt.Felt]string{}}
	for _, account := range []felt.Felt{StarknetOperator, StarknetRegistrar} {
		if s.keys[account], err = l2.NewKey(); err != nil {
			return nil, err
		}
		signer, err := l2.NewKeySigner(s.keys[account])
		if err != nil {
			return nil, err
		}
		config.Accounts = append(config.Accounts, fakestarknet.Account{
			Address: account, PublicKey: signer.PublicKey(),
			Balance: new(big.Int).Mul(big.NewInt(1000), big.NewInt(1e18)),
		})
	}
	if s.Server, err = fakestarknet.Start(config); err != nil {
		return nil, fmt.Errorf("start the fake of Starknet: %w", err)
	}
	if s.node, err = l2.Dial(s.URL(), s.ChainID()); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Key is an account's private key.
func (s *Starknet) Key(account felt.Felt) string { return s.keys[account] }

// Wallet is the wallet of an account.
func (s *Starknet) Wallet(account felt.Felt) (*l2.Wallet, error) {
	signer, err := l2.NewKeySigner(s.keys[account])
	if err != nil {
		return nil, err
	}
	return l2.NewWallet(s.node, signer, account.String(), l2.STRK)
}

// Contract is the client of the core contract; wallet may be nil where nothing is sent.
func (s *Starknet) Contract(wallet *l2.Wallet) (*l2.Core, error) {
	return l2.NewCore(s.node, fakestarknet.CoreAddress.String(), wallet)
}

// Facts is the client of the fact registry.
func (s *Starknet) Facts() (*l2.Facts, error) {
	core, err := s.Contract(nil)
	if err != nil {
		return nil, err
	}
	return l2.NewFacts(s.node, fakestarknet.RegistryAddress.String(), core)
}

// Registrar registers facts.
func (s *Starknet) Registrar() (*l2.Registrar, error) {
	facts, err := s.Facts()
	if err != nil {
		return nil, err
	}
	wallet, err := s.Wallet(StarknetRegistrar)
	if err != nil {
		return nil, err
	}
	return l2.NewRegistrar(facts, wallet), nil
}

// Archive reads back what the fake holds.
func (s *Starknet) Archive() *l2.Archive { return l2.NewArchive(s.node) }
