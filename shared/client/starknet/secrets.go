package starknet

import "github.com/madara-orchestrator/orchestrator/shared/client/internal/rpcnode"

// maxText bounds an error's text in bytes: a node's trace of nested calls does not help beyond that.
const maxText = 2000

// wrap adds the method to an error and takes secrets out of its text. An error that is not the node's answer to the
// request is look.ErrUnanswered.
func (n *Node) wrap(method string, err error) error {
	what := "Starknet node: " + method
	if code(err) == 0 {
		return rpcnode.Unanswered(what, err, n.secrets, maxText)
	}
	return rpcnode.Wrap(what, err, n.secrets, maxText)
}
