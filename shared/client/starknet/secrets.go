package starknet

import "github.com/madara-orchestrator/orchestrator/shared/client/internal/rpcnode"

// maxText bounds an error's text in bytes: a node's trace of nested calls does not help beyond that.
const maxText = 2000

// wrap adds the method to an error and takes secrets out of its text.
func (n *Node) wrap(method string, err error) error {
	return rpcnode.Wrap("Starknet node: "+method, err, n.secrets, maxText)
}
