// Package ethereum is the settlement layer Ethereum: the wallet that sends transactions (tx.Chain), Starknet's core
// contract (settlement.Contract), blobs as data availability of their own (da.Layer), and fact registries
// (proof.FactChecker).
//
// All of it works on a Node, one JSON-RPC endpoint over HTTP:
//
//	node, err := ethereum.Dial(url, "11155111")           // no request yet; checks the chain first
//	signer, err := ethereum.NewKeySigner(hexKey)         // or kms.New(awsConfig, keyID)
//	wallet := ethereum.NewWallet(node, signer, ethereum.SidecarAuto)
//	core, err := ethereum.NewCore(node, contract, wallet)
//	facts, err := ethereum.NewFacts(node, verifier)
//	layer, err := ethereum.NewDA(address, 0)
//
// What nodes say is translated in two places only: errors.go for sent transactions, revert.go for refusals of
// contracts. Errors carry no part of the URL that may be a key. Nothing is retried here but the other form of a
// sidecar.
package ethereum
