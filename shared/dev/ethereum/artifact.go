package ethereum

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"

	"github.com/madara-orchestrator/orchestrator/shared/dev/ethereum/contracts"
)

// Artifact is a compiled contract.
type Artifact struct {
	Name string // for people
	ABI  abi.ABI
	Code []byte // creation bytecode
}

// Dev are the development contracts.
func Dev() Code {
	return Code{
		Core: Artifact{"the development core contract", contracts.ParseABI(contracts.CoreABI),
			contracts.CoreBytecode()},
		Registry: Artifact{"the development fact registry", contracts.ParseABI(contracts.RegistryABI),
			contracts.RegistryBytecode()},
	}
}

// maxArtifact bounds an artifact's file, in bytes.
const maxArtifact = 64 << 20

// compiled is what compilers write: Foundry {abi, bytecode: {object}}, Hardhat {abi, bytecode}, solc's standard JSON
// {abi, evm: {bytecode: {object}}} below contracts.
type compiled struct {
	ABI      json.RawMessage `json:"abi"`
	Bytecode bytecode        `json:"bytecode"`
	EVM      struct {
		Bytecode bytecode `json:"bytecode"`
	} `json:"evm"`
	Contracts map[string]map[string]compiled `json:"contracts"`
}

// bytecode is a text, or an object that has it.
type bytecode string

// UnmarshalJSON implements json.Unmarshaler.
func (b *bytecode) UnmarshalJSON(raw []byte) error {
	var o struct {
		Object string `json:"object"`
	}
	if json.Unmarshal(raw, (*string)(b)) == nil {
		return nil
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return errors.New("bytecode is neither a text nor an object with one")
	}
	*b = bytecode(o.Object)
	return nil
}

// ReadArtifact reads a compiled contract from a file of Foundry, Hardhat or solc. Where the file has several, the path
// ends in a colon and the contract's name.
func ReadArtifact(path string) (Artifact, error) {
	file, name := path, ""
	if i := strings.LastIndexByte(path, ':'); i > 0 && !strings.ContainsRune(path[i:], filepath.Separator) {
		file, name = path[:i], path[i+1:]
	}
	info, err := os.Stat(file)
	if err == nil && (info.IsDir() || info.Size() > maxArtifact) {
		err = fmt.Errorf("%s is a folder, or larger than %d bytes", file, maxArtifact)
	}
	if err != nil {
		return Artifact{}, fmt.Errorf("read the artifact: %w", err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return Artifact{}, fmt.Errorf("read the artifact: %w", err)
	}
	var c compiled
	if err := json.Unmarshal(raw, &c); err != nil {
		return Artifact{}, fmt.Errorf("artifact %s: want JSON of Foundry, Hardhat or solc: %w", file, err)
	}
	if len(c.Contracts) > 0 {
		if c, err = c.named(name); err != nil {
			return Artifact{}, fmt.Errorf("artifact %s: %w", file, err)
		}
	}
	a, err := c.artifact(filepath.Base(path))
	if err != nil {
		return Artifact{}, fmt.Errorf("artifact %s: %w", path, err)
	}
	return a, nil
}

// named is one of several contracts.
func (c compiled) named(name string) (compiled, error) {
	found := map[string]compiled{}
	for _, file := range c.Contracts {
		maps.Copy(found, file)
	}
	if one, ok := found[name]; ok {
		return one, nil
	}
	return c, fmt.Errorf("it holds several contracts: end the path in a colon and one of these names: %s",
		strings.Join(slices.Sorted(maps.Keys(found)), ", "))
}

// artifact checks what a compiler wrote.
func (c compiled) artifact(name string) (Artifact, error) {
	if len(c.ABI) == 0 {
		return Artifact{}, errors.New("it has no abi")
	}
	parsed, err := abi.JSON(strings.NewReader(string(c.ABI)))
	if err != nil {
		return Artifact{}, fmt.Errorf("its abi can't be read: %w", err)
	}
	text := strings.TrimPrefix(string(c.Bytecode+c.EVM.Bytecode), "0x")
	if text == "" {
		return Artifact{}, errors.New("it has no bytecode: that of an interface or an abstract contract has none; " +
			"give the contract's own")
	}
	if strings.Contains(text, "__") {
		return Artifact{}, errors.New("its bytecode names libraries that are not linked: link them first")
	}
	code, err := hex.DecodeString(text)
	if err != nil {
		return Artifact{}, errors.New("its bytecode is not hex")
	}
	return Artifact{name, parsed, code}, nil
}

// What a core contract must have for the orchestrator and for setting it up.
var coreNeeds = []string{
	"programHash()", "aggregatorProgramHash()", "configHash()", "stateBlockNumber()", "stateRoot()",
	"stateBlockHash()", "isOperator(address)", "registerOperator(address)", "updateStateKzgDA(uint256[],bytes[])",
}

// lacks names the functions that an artifact does not have.
func (a Artifact) lacks(functions ...string) error {
	has := map[string]bool{}
	for _, m := range a.ABI.Methods {
		has[m.Sig] = true
	}
	missing := slices.DeleteFunc(slices.Clone(functions), func(f string) bool { return has[f] })
	if len(missing) > 0 {
		return fmt.Errorf("its abi has no %s", strings.Join(missing, ", "))
	}
	return nil
}

// Proxied says whether a core contract is set up by initialize(bytes) through a proxy, as StarkWare's Starknet.sol is;
// otherwise its constructor takes what that of the development contract takes.
func (a Artifact) Proxied() bool { return len(a.ABI.Constructor.Inputs) == 0 }

// checkCore says whether an artifact is a core contract that can be deployed.
func (a Artifact) checkCore() error {
	if err := a.lacks(coreNeeds...); err != nil {
		return fmt.Errorf("%s is not a Starknet core contract: %w", a.Name, err)
	}
	if a.Proxied() {
		if err := a.lacks("initialize(bytes)"); err != nil {
			return fmt.Errorf("%s can't be set up: its constructor takes nothing, and %w", a.Name, err)
		}
		return nil
	}
	if got, want := a.constructor(), Dev().Core.constructor(); got != want {
		return fmt.Errorf("%s can't be set up: its constructor takes (%s); supported are StarkWare's "+
			"Starknet.sol, whose "+
			"constructor takes nothing, and (%s) as the development contract has it", a.Name, got, want)
	}
	return nil
}

// checkRegistry says whether an artifact is a fact registry that can be deployed.
func (a Artifact) checkRegistry() error {
	if err := a.lacks("isValid(bytes32)"); err != nil {
		return fmt.Errorf("%s is not a fact registry: %w", a.Name, err)
	}
	if got := a.constructor(); got != "" && got != "address" {
		return fmt.Errorf("%s can't be deployed by this: its constructor takes (%s); supported are none and one "+
			"address, the registrar's. Deploy it with its own tools, and give its address instead", a.Name, got)
	}
	return nil
}

// constructor are the types that the constructor takes.
func (a Artifact) constructor() string {
	types := make([]string, len(a.ABI.Constructor.Inputs))
	for i, in := range a.ABI.Constructor.Inputs {
		types[i] = in.Type.String()
	}
	return strings.Join(types, ",")
}
