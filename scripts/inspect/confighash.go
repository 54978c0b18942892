package main

import (
	"errors"
	"strconv"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/osconfig"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

func configHash(c *call) error {
	var starknet, chain string
	var config osconfig.Config
	var feeToken, ethFeeToken bool
	c.flags.StringVar(&starknet, "version", "", "Starknet `V` of the blocks, such as 0.14.2")
	c.flags.StringVar(&chain, "chain", "", "the chain's `ID`: text such as SN_SEPOLIA, or a felt in hex with 0x")
	c.feltFlag(&config.FeeToken, &feeToken, "fee-token", "address `0x..` of the fee token (STRK) on the chain")
	c.feltFlag(&config.EthFeeToken, &ethFeeToken, "eth-fee-token",
		"address `0x..` of the ETH fee token; before Starknet 0.14.0")
	c.flags.Func("key", "public key `0x..` of a member of the data availability committee; once a member, in order",
		func(s string) error {
			k, err := felt.FromHex(s)
			config.PublicKeys = append(config.PublicKeys, k)
			return err
		})
	if _, err := c.parse(0); err != nil {
		return err
	}
	if err := need([2]string{"version", starknet}, [2]string{"chain", chain}); err != nil {
		return err
	}
	if !feeToken {
		return usagef("--fee-token is missing")
	}
	var err error
	if config.ChainID, err = osconfig.ParseChainID(chain); err != nil {
		return usagef("--chain: %w", err)
	}
	hash, err := osconfig.Hash(starknet, config)
	if errors.Is(err, osconfig.ErrConfig) || errors.Is(err, version.ErrUnknown) ||
		errors.Is(err, version.ErrMalformed) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	out := struct {
		ConfigHash felt.Felt   `json:"config_hash"`
		Version    string      `json:"starknet_version"`
		ChainID    felt.Felt   `json:"chain_id"`
		FeeToken   felt.Felt   `json:"fee_token"`
		PublicKeys []felt.Felt `json:"public_keys,omitempty"`
	}{hash, starknet, config.ChainID, config.FeeToken, config.PublicKeys}
	return c.print(out, [][]string{
		{"config hash", hash.String()}, {"Starknet version", starknet}, {"chain id", config.ChainID.String()},
		{"fee token", config.FeeToken.String()},
		{"public keys", strconv.Itoa(len(config.PublicKeys))},
	})
}
