// Package contracts holds ABI and creation bytecode of the development contracts. Their sources lie beside it; `make
// contracts` compiles them again.
package contracts

import (
	_ "embed"
	"encoding/hex"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
)

// CoreABI is the core contract's ABI, a subset of Starknet's own.
//
//go:embed gen/CoreContract.abi.json
var CoreABI string

// RegistryABI is the fact registry's ABI.
//
//go:embed gen/FactRegistry.abi.json
var RegistryABI string

//go:embed gen/CoreContract.bin
var coreBin string

//go:embed gen/FactRegistry.bin
var registryBin string

// CoreBytecode is the core contract's creation bytecode; constructor arguments follow it.
func CoreBytecode() []byte { return decode(coreBin) }

// RegistryBytecode is the fact registry's creation bytecode; constructor arguments follow it.
func RegistryBytecode() []byte { return decode(registryBin) }

func decode(s string) []byte {
	b, err := hex.DecodeString(strings.TrimSpace(s))
	if err != nil {
		panic("embedded bytecode: " + err.Error())
	}
	return b
}

// ParseABI parses one of this package's ABIs.
func ParseABI(s string) abi.ABI {
	a, err := abi.JSON(strings.NewReader(s))
	if err != nil {
		panic("embedded ABI: " + err.Error())
	}
	return a
}
