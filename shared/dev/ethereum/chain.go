// Package ethereum is an Ethereum for development: go-ethereum's simulated chain under Osaka rules, served by JSON-RPC
// on loopback. It also deploys the development contracts on any node.
package ethereum

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/ethclient/simulated"
	"github.com/ethereum/go-ethereum/node"
)

// ChainID is the chain's id: the simulated backend knows no other.
const ChainID = 1337

// Keys are the private keys (hex) of the funded accounts: the first ones of the phrase that anvil and others use for
// development, so that a run has the same addresses on either. They are public: never send anything of worth to them.
var Keys = []string{
	"ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
	"59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
	"5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
}

// Address is the address of a private key in hex.
func Address(key string) common.Address {
	k, err := crypto.HexToECDSA(key)
	if err != nil {
		panic("development key: " + err.Error())
	}
	return crypto.PubkeyToAddress(k.PublicKey)
}

// Options say what chain to start.
type Options struct {
	// BlockInterval mines a block every so often; 0 leaves it to Mine.
	BlockInterval time.Duration
}

// Chain is a running chain. Blocks become final in steps of 32, as the simulated beacon has it.
type Chain struct {
	backend *simulated.Backend
	url     string

	mu   sync.Mutex // the backend's Commit is not safe for concurrent use
	stop context.CancelFunc
	done chan struct{}
}

// startTries is how often another port is tried.
const startTries = 5

// Start starts a chain on a free port.
func Start(o Options) (*Chain, error) {
	var last error
	for range startTries {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		c, err := start(o, port)
		if err == nil {
			return c, nil
		}
		last = err
	}
	return nil, last
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// start turns the backend's panic on a taken port into an error.
func start(o Options, port int) (c *Chain, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("start the simulated chain on port %d: %v", port, v)
		}
	}()
	alloc := types.GenesisAlloc{}
	for _, k := range Keys {
		alloc[Address(k)] = types.Account{Balance: new(big.Int).Mul(big.NewInt(10_000), big.NewInt(1e18))}
	}
	c = &Chain{url: fmt.Sprintf("http://127.0.0.1:%d", port), done: make(chan struct{})}
	c.backend = simulated.NewBackend(alloc, func(n *node.Config, e *ethconfig.Config) {
		n.HTTPHost, n.HTTPPort, n.HTTPModules = "127.0.0.1", port, []string{"eth", "net", "web3"}
		rules := *e.Genesis.Config // shared by all users of the package
		rules.BogotaTime, rules.AmsterdamTime = nil, nil
		e.Genesis.Config = &rules
		e.TxPool.PriceLimit = 1
	})
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	go c.run(ctx, o.BlockInterval)
	return c, nil
}

// run mines until ctx ends.
func (c *Chain) run(ctx context.Context, every time.Duration) {
	defer close(c.done)
	if every <= 0 {
		<-ctx.Done()
		return
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			c.Mine(1)
		}
	}
}

// Mine adds n blocks.
func (c *Chain) Mine(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		head := c.backend.Commit()
		// The pool takes a block in the background (go-ethereum, core/txpool): what is sent at once could be judged
		// by the state before. Fork waits for the pool first, and the head is where the chain is.
		_ = c.backend.Fork(head) // an error says that the pool has transactions: it has waited all the same
	}
}

// URL is the JSON-RPC address.
func (c *Chain) URL() string { return c.url }

// Client is a client within the process.
func (c *Chain) Client() simulated.Client { return c.backend.Client() }

// Fork makes the next mined blocks follow an earlier one, so that those after it are reorganised away.
func (c *Chain) Fork(parent common.Hash) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.backend.Fork(parent)
}

// Close stops the chain.
func (c *Chain) Close() error {
	c.stop()
	<-c.done
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.backend.Close()
}

// WarmUp loads the KZG set-up with which the chain's pool checks blob transactions. It takes seconds, once a process;
// call it in the background so that the first blob transaction finds it done.
func WarmUp() error {
	var b kzg4844.Blob
	c, err := kzg4844.BlobToCommitment(&b)
	if err != nil {
		return fmt.Errorf("load the KZG set-up: %w", err)
	}
	p, err := kzg4844.ComputeBlobProof(&b, c)
	if err != nil {
		return fmt.Errorf("load the KZG set-up: %w", err)
	}
	return errors.Join(kzg4844.VerifyBlobProof(&b, c, p))
}
