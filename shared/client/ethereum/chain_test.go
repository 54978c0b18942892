package ethereum_test

import (
	"context"
	"encoding/hex"
	"math/big"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx/txtest"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
)

// Accounts of the development chain.
const (
	deployer  = 0
	registrar = 1
	operator  = 2
)

// sink is an address without code.
const sink = "0x000000000000000000000000000000000000dEaD"

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// warm loads the node's KZG set-up once a process, so that no test's deadline pays for it.
var warm = sync.OnceValue(devethereum.WarmUp)

// bench is a development chain in this process with the contracts on it.
type bench struct {
	*devethereum.Chain
	node   *ethereum.Node
	sender *devethereum.Sender
	at     devethereum.Deployment
}

// setup starts a chain whose contract is set up with s; its operator and registrar are the accounts of those names.
func setup(t *testing.T, s devethereum.Setup) *bench {
	t.Helper()
	if err := warm(); err != nil {
		t.Fatal(err)
	}
	c := must(devethereum.Start(devethereum.Options{}))(t)
	t.Cleanup(func() { _ = c.Close() })
	return deploy(t, c, c.URL(), strconv.Itoa(devethereum.ChainID), func() { c.Mine(1) }, s)
}

// deploy deploys the contracts on a chain: the development contracts, or others.
func deploy(t *testing.T, c *devethereum.Chain, url, chainID string, mine func(), s devethereum.Setup,
	code ...devethereum.Code) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	client := must(ethclient.DialContext(ctx, url))(t)
	t.Cleanup(client.Close)
	b := &bench{Chain: c, sender: &devethereum.Sender{Client: client, Key: devethereum.Keys[deployer], Mine: mine}}
	s.Registrar = devethereum.Address(devethereum.Keys[registrar])
	s.Operators = []common.Address{devethereum.Address(devethereum.Keys[operator])}
	b.at = must(b.sender.DeployCode(ctx, s, append(code, devethereum.Dev())[0]))(t)
	// An anvil needs some 5 seconds of a processor for its first blobs (findings/anvil-first-blobs.sh): on a busy
	// machine more than a wallet waits.
	b.node = must(ethereum.DialHTTP(url, chainID, &http.Client{Timeout: 5 * time.Minute}))(t)
	t.Cleanup(b.node.Close)
	return b
}

// wallet is that of a development account.
func (b *bench) wallet(t *testing.T, account int, form ethereum.Sidecar) *ethereum.Wallet {
	t.Helper()
	return ethereum.NewWallet(b.node, must(ethereum.NewKeySigner(devethereum.Keys[account]))(t), form)
}

func (b *bench) core(t *testing.T, w *ethereum.Wallet) *ethereum.Core {
	t.Helper()
	return must(ethereum.NewCore(b.node, b.at.Core.Hex(), w))(t)
}

// refused is a call of the core contract that it reverts: an update of no words.
func (b *bench) refused(t *testing.T) tx.Payload {
	t.Helper()
	return tx.Payload{To: b.at.Core.Hex(), Data: common.FromHex("507ee528" + // updateStateKzgDA(uint256[],bytes[])
		"0000000000000000000000000000000000000000000000000000000000000040" +
		"0000000000000000000000000000000000000000000000000000000000000060" +
		"0000000000000000000000000000000000000000000000000000000000000000" +
		"0000000000000000000000000000000000000000000000000000000000000000")}
}

// funded is the wallet of fundedKey.
func (b *bench) funded(t *testing.T) *ethereum.Wallet {
	t.Helper()
	return ethereum.NewWallet(b.node, b.fundedKey(t), ethereum.SidecarAuto)
}

// fundedKey is that of a new account with half an ether: less than what nodes refuse to spend on fees (geth:
// rpc.txfeecap).
func (b *bench) fundedKey(t *testing.T) *ethereum.KeySigner {
	t.Helper()
	key := must(crypto.GenerateKey())(t)
	to := crypto.PubkeyToAddress(key.PublicKey)
	if err := b.sender.Send(t.Context(), devethereum.Call{To: &to, Value: big.NewInt(5e17)}); err != nil {
		t.Fatal(err)
	}
	return must(ethereum.NewKeySigner(hex.EncodeToString(crypto.FromECDSA(key))))(t)
}

func TestWallet_Conformance(t *testing.T) {
	t.Parallel()
	txtest.TestChain(t, txtest.Harness{New: func(t *testing.T) txtest.Service {
		b := setup(t, devethereum.Setup{ProgramHash: felt.FromUint64(1)})
		return txtest.Service{Chain: b.funded(t), To: sink, Refused: b.refused(t), Blobs: true, Mine: b.Mine}
	}})
}
