package ethereum

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
	"github.com/madara-orchestrator/orchestrator/shared/client/internal/rpcnode"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

// ErrWrongChain says that the node serves another chain than the configured one.
var ErrWrongChain = errors.New("node serves another Ethereum chain")

// Node is a JSON-RPC connection to one Ethereum node. It makes no request before it is used; before its first request
// it checks that the node serves the configured chain, and again until that succeeded once. Safe for concurrent use.
type Node struct {
	secrets redact.Known
	chain   *big.Int
	rpc     *rpc.Client
	checked atomic.Bool
}

// requestTimeout bounds one request where the caller's HTTP client has no limit of its own.
const requestTimeout = 30 * time.Second

// Bounds of one response: bytes, and values and keys of its JSON. The largest is a development node's, which shows the
// blobs of transactions (128 KiB each in hex, nine at the most).
const (
	maxResponse = 4 << 20
	maxElements = 1 << 17
)

// Dial returns the node at an http or https URL that must serve chainID (decimal). The URL may carry credentials: they
// are in no error.
func Dial(rawURL, chainID string) (*Node, error) { return DialHTTP(rawURL, chainID, nil) }

// DialHTTP is Dial with an HTTP client, which is copied; nil is one that gives up after 30 seconds.
func DialHTTP(rawURL, chainID string, client *http.Client) (*Node, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("Ethereum node: want an http or https URL")
	}
	id, ok := new(big.Int).SetString(chainID, 10)
	if !ok || id.Sign() <= 0 || id.BitLen() > 256 {
		return nil, fmt.Errorf("Ethereum chain id %q: want a positive decimal number", chainID)
	}
	n := &Node{secrets: redact.OfURL(rawURL), chain: id}
	// rpc.DialOptions keeps the URL and connects when it is used.
	if n.rpc, err = rpc.DialOptions(context.Background(), rawURL, rpc.WithHTTPClient(outbound.Limited(
		outbound.Client(client, requestTimeout),
		jsonlimit.Limits{Bytes: maxResponse, Elements: maxElements}))); err != nil {
		return nil, n.wrap("dial", err)
	}
	return n, nil
}

// Close ends the connection.
func (n *Node) Close() { n.rpc.Close() }

// Probe returns the node's newest block, of the configured chain.
func (n *Node) Probe(ctx context.Context) (uint64, error) {
	var head hexutil.Uint64
	err := n.call(ctx, "eth_blockNumber", &head)
	return uint64(head), err
}

// ready checks the chain id until it was right once.
func (n *Node) ready(ctx context.Context) error {
	if n.checked.Load() {
		return nil
	}
	return n.Ping(ctx)
}

// Ping returns an error when the node can't be used: no answer, or ErrWrongChain.
func (n *Node) Ping(ctx context.Context) error {
	var id hexutil.Big
	err := retried(ctx, func() error { return n.once(ctx, &id, "eth_chainId") })
	if err != nil {
		return n.wrap("eth_chainId", err)
	}
	if id.ToInt().Cmp(n.chain) != 0 {
		n.checked.Store(false)
		return fmt.Errorf("%w: it has chain id %s, configured is %s", ErrWrongChain, id.ToInt(), n.chain)
	}
	n.checked.Store(true)
	return nil
}

// request is one call of a batch.
type request struct {
	method string
	args   []any
	into   any
}

// call makes one request. Reads are tried again where the node did not answer.
func (n *Node) call(ctx context.Context, method string, into any, args ...any) error {
	if err := n.ready(ctx); err != nil {
		if method == sendRaw {
			return rpcnode.Unchecked(err)
		}
		return err
	}
	once := func() error { return n.once(ctx, into, method, args...) }
	err := error(nil)
	if method == sendRaw {
		err = once()
	} else {
		err = retried(ctx, once)
	}
	if err != nil {
		return n.wrap(method, err)
	}
	return nil
}

// once makes one request.
func (n *Node) once(ctx context.Context, into any, method string, args ...any) error {
	done := metric.Call(ctx, metric.SettlementLayer, method)
	err := n.rpc.CallContext(ctx, into, method, args...)
	var answered rpc.Error
	if errors.As(err, &answered) { // the node works, whatever it says
		done(nil)
		return err
	}
	done(err)
	return err
}

// batch makes requests in one round trip. The first error is returned, with the method it is of.
func (n *Node) batch(ctx context.Context, rs ...request) error {
	errs, err := n.batchEach(ctx, rs...)
	if err != nil {
		return err
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// batchEach is batch with an error for each request; err is one of all of them.
func (n *Node) batchEach(ctx context.Context, rs ...request) (errs []error, err error) {
	if err := n.ready(ctx); err != nil {
		return nil, err
	}
	var elems []rpc.BatchElem
	err = retried(ctx, func() error {
		elems = make([]rpc.BatchElem, len(rs))
		for i, r := range rs {
			elems[i] = rpc.BatchElem{Method: r.method, Args: r.args, Result: r.into}
		}
		done := metric.Call(ctx, metric.SettlementLayer, rs[0].method)
		err := n.rpc.BatchCallContext(ctx, elems)
		if done(err); err != nil {
			return err
		}
		for _, e := range elems {
			if again(e.Error) {
				return e.Error
			}
		}
		return nil
	})
	if err != nil {
		return nil, n.wrap(rs[0].method, err)
	}
	errs = make([]error, len(rs))
	for i, e := range elems {
		if e.Error != nil {
			errs[i] = n.wrap(rs[i].method, e.Error)
		}
	}
	return errs, nil
}

// callArgs are the arguments of eth_call and eth_estimateGas.
type callArgs struct {
	From       *common.Address `json:"from,omitempty"`
	To         common.Address  `json:"to"`
	Gas        *hexutil.Uint64 `json:"gas,omitempty"`
	Data       hexutil.Bytes   `json:"input"`
	BlobHashes []common.Hash   `json:"blobVersionedHashes,omitempty"`
	BlobPrice  *hexutil.Big    `json:"maxFeePerBlobGas,omitempty"`
}

// parseAddress reads a 20-byte address in hex.
func parseAddress(what, s string) (common.Address, error) {
	if !common.IsHexAddress(s) {
		return common.Address{}, fmt.Errorf("%s %.80q is not an Ethereum address", what, s)
	}
	return common.HexToAddress(s), nil
}
