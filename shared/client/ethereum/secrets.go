package ethereum

import "github.com/madara-orchestrator/orchestrator/shared/client/internal/rpcnode"

// maxText bounds an error's text in bytes: a node's HTML error page does not help beyond that.
const maxText = 1000

// wrap adds the method to an error and takes secrets out of its text.
func (n *Node) wrap(method string, err error) error {
	return rpcnode.Wrap("Ethereum node: "+method, err, n.secrets, maxText)
}
