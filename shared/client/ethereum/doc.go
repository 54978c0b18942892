// Package ethereum is the settlement layer Ethereum: the wallet that sends transactions (tx.Chain), Starknet's core contract
// (settlement.Contract), blobs as data availability of their own (da.Layer), and fact registries.
package ethereum
