package ethereum

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/madara-orchestrator/orchestrator/shared/dev/ethereum/contracts"
)

// Code are the contracts to deploy.
type Code struct{ Core, Registry Artifact }

// Step is one transaction of a deployment.
type Step struct {
	About string // what it does, such as "create the fact registry"
	Call  Call
	// Creates is the address of the contract that it makes; zero: none.
	Creates common.Address
	// Gas is enough where the steps before it are not done yet, so that nothing can be estimated; 0: it needs none of
	// them.
	Gas uint64
}

// Gas of calls that can't be estimated beforehand: more than twice what they took of StarkWare's contract.
const (
	initializeGas = 600_000
	registerGas   = 150_000
)

// planner collects steps; it knows the addresses of contracts before they are made.
type planner struct {
	from  common.Address
	nonce uint64
	steps []Step
}

// create adds a contract's creation.
func (p *planner) create(about string, code []byte) common.Address {
	at := crypto.CreateAddress(p.from, p.nonce)
	p.add(Step{About: "create " + about, Call: Call{Data: code}, Creates: at})
	return at
}

func (p *planner) add(s Step) {
	p.steps = append(p.steps, s)
	p.nonce++
}

// Plan returns the transactions that deploy and set up contracts, and the addresses that they will have when the
// account from sends them one after another, the first one with a nonce. What o says to exist is not made again.
func Plan(o Setup, code Code, from common.Address, nonce uint64) (Deployment, []Step, error) {
	d, p := o.Existing, &planner{from: from, nonce: nonce}
	if d.Registry == (common.Address{}) {
		if err := code.Registry.checkRegistry(); err != nil {
			return d, nil, err
		}
		var values []any
		if len(code.Registry.ABI.Constructor.Inputs) > 0 {
			values = append(values, o.Registrar)
		}
		args, err := code.Registry.ABI.Pack("", values...)
		if err != nil {
			return d, nil, fmt.Errorf("encode the fact registry's arguments: %w", err)
		}
		d.Registry = p.create("the fact registry", append(code.Registry.Code, args...))
	}
	if err := p.core(&d, o, code.Core); err != nil {
		return d, nil, err
	}
	a := contracts.ParseABI(contracts.CoreABI)
	for _, op := range o.Operators {
		data, err := a.Pack("registerOperator", op)
		if err != nil {
			return d, nil, fmt.Errorf("encode registerOperator: %w", err)
		}
		p.add(Step{About: "register the operator", Call: Call{To: &d.Core, Data: data}, Gas: registerGas})
	}
	return d, p.steps, nil
}

// core adds the core contract, where it does not exist, and what sets it up.
func (p *planner) core(d *Deployment, o Setup, core Artifact) error {
	exists := d.Core != (common.Address{})
	if exists && !o.Initialize {
		return nil
	}
	if exists {
		p.initialize(*d, o)
		return nil
	}
	if err := core.checkCore(); err != nil {
		return err
	}
	if core.Proxied() {
		d.Implementation = p.create("the core contract's implementation", core.Code)
		d.Core = p.create("the core contract, a proxy of it", proxy(d.Implementation))
		p.initialize(*d, o)
		return nil
	}
	args, err := core.ABI.Pack("", o.ProgramHash.Big(), o.AggregatorProgramHash.Big(), o.ConfigHash.Big(), d.Registry,
		o.Root.Big(), o.number(), o.BlockHash.Big())
	if err != nil {
		return fmt.Errorf("encode the core contract's arguments: %w", err)
	}
	d.Core = p.create("the core contract", append(core.Code, args...))
	return nil
}

// number is the block that is settled, -1 for none.
func (o Setup) number() *big.Int {
	if o.Settled {
		return new(big.Int).SetUint64(o.Block)
	}
	return big.NewInt(-1)
}

// initialize adds what sets StarkWare's contract up through its proxy (Starknet.sol, initializeContractState): no
// external initializer, then program hash, aggregator program hash, fact registry, config hash and state. Who sends it
// governs the contract from then on.
func (p *planner) initialize(d Deployment, o Setup) {
	data := words(nil, o.ProgramHash[:], o.AggregatorProgramHash[:], d.Registry[:], o.ConfigHash[:], o.Root[:],
		math.U256Bytes(o.number()), o.BlockHash[:])
	call := slices.Concat(crypto.Keccak256([]byte("initialize(bytes)"))[:4],
		words([]byte{32}, big.NewInt(int64(len(data))).Bytes()), data)
	p.add(Step{About: "set the core contract up", Call: Call{To: &d.Core, Data: call}, Gas: initializeGas})
}

// words are values as ABI words.
func words(values ...[]byte) (out []byte) {
	for _, v := range values {
		out = append(out, common.LeftPadBytes(v, 32)...)
	}
	return out
}

// The code of a minimal proxy (EIP-1167): what makes it, and what it is before and after the implementation's address.
const (
	proxyMaker  = "3d602d80600a3d3981f3"
	proxyBefore = "363d3d373d3d3d363d73"
	proxyAfter  = "5af43d82803e903d91602b57fd5bf3"
)

// proxy is the creation bytecode of a minimal proxy.
func proxy(implementation common.Address) []byte {
	return common.FromHex(proxyMaker + proxyBefore + hex.EncodeToString(implementation[:]) + proxyAfter)
}

// IsProxy says whether a contract's code is that of a proxy as Plan makes it.
func IsProxy(code []byte) bool {
	before, after := common.FromHex(proxyBefore), common.FromHex(proxyAfter)
	return len(code) == len(before)+common.AddressLength+len(after) && string(code[:len(before)]) == string(before)
}
