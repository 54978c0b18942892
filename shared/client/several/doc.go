// Package several makes one settlement layer of several nodes of it: a wallet, a core contract and a fact registry that
// fail over from node to node. All reads of one look (package look) come from one node, a node that lags is left out,
// and a transaction is offered to all.
package several
