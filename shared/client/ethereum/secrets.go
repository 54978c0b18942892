package ethereum

import (
	"github.com/madara-orchestrator/orchestrator/shared/client/internal/rpcnode"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
)

// maxText bounds an error's text in bytes: a node's HTML error page does not help beyond that.
const maxText = 1000

// wrap adds the method to an error and takes secrets out of its text. An error that is not the node's answer to the
// request is look.ErrUnanswered.
func (n *Node) wrap(method string, err error) error {
	wrapped := rpcnode.Wrap("Ethereum node: "+method, err, n.secrets, maxText)
	if !answered(err) || again(err) {
		return look.Unanswered(wrapped)
	}
	return wrapped
}
