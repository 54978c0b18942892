// Package appchain reads an app chain over Starknet JSON-RPC (0.8 to 0.10) and Madara's feeder gateway.
//
// Nothing that a node says is taken on trust: an answer must be for the block that was asked for, the blocks of a range
// must follow each other by hash and by root, and sizes are bounded. A node that answers nonsense, lags or is down is
// tried again after a pause, and the backup node is asked where there is one. URLs, which carry API keys, appear in no
// error.
package appchain
