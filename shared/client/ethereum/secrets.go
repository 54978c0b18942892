package ethereum

import "github.com/madara-orchestrator/orchestrator/shared/client/internal/rpcnode"

// maxText bounds an error's text in bytes: a node's HTML error page does not help beyond that.
const maxText = 1000

// wrap adds the method to an error and takes secrets out of its text. An error that is not the node's answer to the
// request is look.ErrUnanswered.
func (n *Node) wrap(method string, err error) error {
	what := "Ethereum node: " + method
	if !answered(err) || again(err) {
		return rpcnode.Unanswered(what, err, n.secrets, maxText)
	}
	return rpcnode.Wrap(what, err, n.secrets, maxText)
}
