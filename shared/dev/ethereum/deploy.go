package ethereum

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/params"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/dev/ethereum/contracts"
)

// Setup is what the core contract is deployed with.
type Setup struct {
	ProgramHash, AggregatorProgramHash, ConfigHash felt.Felt
	// Settled says that Block, Root and BlockHash are settled already; else the contract waits for block 0.
	Settled   bool
	Block     uint64
	Root      felt.Felt
	BlockHash felt.Felt
	// Operators may update the state beside the deployer.
	Operators []common.Address
	// Registrar is the account that registers facts.
	Registrar common.Address
	// Existing are contracts that are there already.
	Existing Deployment
	// Initialize says that the existing core contract is StarkWare's, and was not set up yet.
	Initialize bool
}

// Deployment are the addresses of what was deployed. Implementation is that of a core contract that is a proxy.
type Deployment struct{ Core, Registry, Implementation common.Address }

// Sender sends transactions of one development account to a node and waits for them. Mine, when set, is called after
// sending: for chains that mine on demand.
type Sender struct {
	Client *ethclient.Client
	Key    string // hex
	Mine   func()
	// Sent, when set, is called with each transaction that a node took.
	Sent func(common.Hash)
	// Every is the time between questions for a receipt; 0: 20 ms.
	Every time.Duration
}

// Deploy deploys the development contracts.
func (s *Sender) Deploy(ctx context.Context, o Setup) (Deployment, error) {
	return s.DeployCode(ctx, o, Dev())
}

// DeployCode deploys fact registry and core contract, and sets them up.
func (s *Sender) DeployCode(ctx context.Context, o Setup, code Code) (Deployment, error) {
	from := Address(s.Key)
	nonce, err := s.Client.PendingNonceAt(ctx, from)
	if err != nil {
		return Deployment{}, fmt.Errorf("read the nonce: %w", err)
	}
	d, steps, err := Plan(o, code, from, nonce)
	if err != nil {
		return Deployment{}, err
	}
	for _, step := range steps {
		if _, err := s.Do(ctx, step); err != nil {
			return Deployment{}, err
		}
	}
	return d, nil
}

// Do does one step of a plan. It fails where the contract has another address than planned: something else sends with
// the same key.
func (s *Sender) Do(ctx context.Context, step Step) (*types.Receipt, error) {
	rs, err := s.send(ctx, []Call{step.Call})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", step.About, err)
	}
	if step.Creates != (common.Address{}) && rs[0].ContractAddress != step.Creates {
		return nil, fmt.Errorf("%s: it is at %s and not at %s as planned: another program sends with the same key",
			step.About, rs[0].ContractAddress, step.Creates)
	}
	return rs[0], nil
}

// RegisterFact registers a fact; the sender must be the registrar.
func (s *Sender) RegisterFact(ctx context.Context, registry common.Address, fact [32]byte) error {
	a := contracts.ParseABI(contracts.RegistryABI)
	data, err := a.Pack("registerFact", fact)
	if err != nil {
		return fmt.Errorf("encode registerFact: %w", err)
	}
	return s.Send(ctx, Call{To: &registry, Data: data})
}

// SendMessages sends messages to the app chain in order. The contract counts nonces and takes the sender's address
// itself, so messages must be from the sender and have the contract's next nonces.
func (s *Sender) SendMessages(ctx context.Context, core common.Address, ms []block.MessageToL2) error {
	a := contracts.ParseABI(contracts.CoreABI)
	from := felt.Felt{}
	copy(from[12:], Address(s.Key).Bytes())
	var calls []Call
	for i, m := range ms {
		if m.From != from {
			return fmt.Errorf("message %d is from %s, it can only be sent from %s", i, m.From, from)
		}
		payload := make([]*big.Int, len(m.Payload))
		for k, p := range m.Payload {
			payload[k] = p.Big()
		}
		data, err := a.Pack("sendMessageToL2", m.To.Big(), m.Selector.Big(), payload)
		if err != nil {
			return fmt.Errorf("encode message %d: %w", i, err)
		}
		calls = append(calls, Call{To: &core, Data: data, Value: big.NewInt(1)})
	}
	return s.Send(ctx, calls...)
}

// Call is one transaction; To nil creates a contract.
type Call struct {
	To    *common.Address
	Data  []byte
	Value *big.Int
	Gas   uint64 // limit; 0: enough for each of the development contracts
}

// Operator lets an account update the state of a core contract and sends it an ether.
func (s *Sender) Operator(ctx context.Context, core, account common.Address) error {
	data, err := contracts.ParseABI(contracts.CoreABI).Pack("registerOperator", account)
	if err != nil {
		return fmt.Errorf("encode registerOperator: %w", err)
	}
	return s.Send(ctx, Call{To: &core, Data: data}, Call{To: &account, Value: big.NewInt(params.Ether)})
}

// Send sends calls in order and waits until all are in a block. A reverted one is an error.
func (s *Sender) Send(ctx context.Context, calls ...Call) error {
	_, err := s.send(ctx, calls)
	return err
}

// pendingAtOnce is how many transactions are sent before they are waited for: pools take 16 of an account for sure.
const pendingAtOnce = 16

func (s *Sender) send(ctx context.Context, calls []Call) ([]*types.Receipt, error) {
	key, err := crypto.HexToECDSA(s.Key)
	if err != nil {
		return nil, errors.New("the development key is not a private key")
	}
	var all []*types.Receipt
	for len(calls) > 0 {
		part := calls[:min(pendingAtOnce, len(calls))]
		calls = calls[len(part):]
		hashes, err := s.broadcast(ctx, key, part)
		if err != nil {
			return nil, err
		}
		if s.Mine != nil {
			s.Mine()
		}
		for _, h := range hashes {
			r, err := s.receipt(ctx, h)
			if err != nil {
				return nil, err
			}
			if r.Status != types.ReceiptStatusSuccessful {
				return nil, fmt.Errorf("transaction %s reverted", h)
			}
			all = append(all, r)
		}
	}
	return all, nil
}

// Fees are what a transaction offers for a unit of gas, in wei.
type Fees struct {
	Price *big.Int // what the node suggests: what it will cost, about
	Tip   *big.Int
	Cap   *big.Int // the most
}

// Fees reads the fees of a transaction that is sent now.
func (s *Sender) Fees(ctx context.Context) (Fees, error) {
	price, err := s.Client.SuggestGasPrice(ctx)
	if err != nil {
		return Fees{}, fmt.Errorf("read the gas price: %w", err)
	}
	tip := big.NewInt(1e9)
	return Fees{Price: price, Tip: tip, Cap: new(big.Int).Add(new(big.Int).Mul(price, big.NewInt(3)), tip)}, nil
}

// deployGas is enough for each of the development contracts' creation and calls.
const deployGas = 5_000_000

func (s *Sender) broadcast(ctx context.Context, key *ecdsa.PrivateKey, calls []Call) ([]common.Hash, error) {
	id, err := s.Client.ChainID(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the chain id: %w", err)
	}
	nonce, err := s.Client.PendingNonceAt(ctx, crypto.PubkeyToAddress(key.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("read the nonce: %w", err)
	}
	fees, err := s.Fees(ctx)
	if err != nil {
		return nil, err
	}
	var hashes []common.Hash
	for i, c := range calls {
		tx, err := types.SignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
			ChainID: id, Nonce: nonce + uint64(i), GasTipCap: fees.Tip, GasFeeCap: fees.Cap,
			Gas: cmp.Or(c.Gas, deployGas), To: c.To, Value: c.Value, Data: c.Data,
		})
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		if err := s.Client.SendTransaction(ctx, tx); err != nil {
			return nil, fmt.Errorf("send: %w", err)
		}
		hashes = append(hashes, tx.Hash())
		if s.Sent != nil {
			s.Sent(tx.Hash())
		}
	}
	return hashes, nil
}

// mineAgain is after how many polls another block is made: on a busy machine the simulated chain closes a block before
// it has put all waiting transactions into it.
const mineAgain = 50

// receipt polls for a receipt.
func (s *Sender) receipt(ctx context.Context, h common.Hash) (*types.Receipt, error) {
	tick := time.NewTicker(cmp.Or(s.Every, 20*time.Millisecond))
	defer tick.Stop()
	for polls := 1; ; polls++ {
		r, err := s.Client.TransactionReceipt(ctx, h)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, ethereum.NotFound) && ctx.Err() != nil {
			return nil, fmt.Errorf("read the receipt of %s: %w", h, err)
		}
		if s.Mine != nil && polls%mineAgain == 0 {
			s.Mine()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for transaction %s: %w", h, ctx.Err())
		case <-tick.C:
		}
	}
}
