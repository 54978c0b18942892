// Package starknet is Starknet as a settlement layer, for app chains of layer 3: the account that sends transactions
// (tx.Chain), the core contract piltover (settlement.Contract), DA segments in calldata (da.Layer), and Integrity's
// fact registry (proof.FactChecker).
//
// All of it works on a Node, one JSON-RPC endpoint of Starknet API 0.9 or later over HTTP:
//
//	node, err := starknet.Dial(url, "SN_SEPOLIA")            // no request yet; checks the chain first
//	signer, err := starknet.NewKeySigner(hexKey)
//	wallet, err := starknet.NewWallet(node, signer, account, starknet.STRK)
//	core, err := starknet.NewCore(node, contract, wallet)
//	facts, err := starknet.NewFacts(node, registry, core)
//	layer, err := starknet.NewDA(account, "")
//
// What nodes say is translated in two places only: errors.go for sent transactions, revert.go for refusals of
// contracts. Errors carry no part of the URL that may be a key. Only reads that a node did not answer are repeated,
// twice.
package starknet
