package ethereum

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/rpc"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/rpcnode"
)

// sendRaw is the only method that changes the chain. It is never repeated here: whether it took effect must be asked
// first.
const sendRaw = "eth_sendRawTransaction"

// pauses lie before another try of a read that the node did not answer: public nodes limit rates, and one look at the
// chain takes several reads.
var pauses = []time.Duration{100 * time.Millisecond, 400 * time.Millisecond, 1600 * time.Millisecond}

// retried makes a read until it has an answer, at most once more than there are pauses.
func retried(ctx context.Context, read func() error) error {
	return rpcnode.Retry(ctx, pauses, read, again)
}

// Error codes with which nodes limit rates: EIP-1474 ("limit exceeded"), and HTTP's own as some providers answer it.
const (
	codeLimit     = -32005
	codeHTTPLimit = http.StatusTooManyRequests
)

// again says whether another try may bring an answer: the node gave none, it is overloaded, or it limits rates. A
// node's answer to the request itself is none of these, nor is a status that says that the request or its credentials
// are wrong.
func again(err error) bool {
	var answer interface{ ErrorCode() int }
	var status rpc.HTTPError
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.As(err, &answer):
		c := answer.ErrorCode()
		return c == codeLimit || c == codeHTTPLimit
	case errors.As(err, &status):
		return status.StatusCode == http.StatusTooManyRequests || status.StatusCode >= http.StatusInternalServerError
	}
	var tooLarge *http.MaxBytesError
	return !errors.As(err, &tooLarge)
}
