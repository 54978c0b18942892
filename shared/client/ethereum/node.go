package ethereum

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

// ErrWrongChain says that the node serves another chain than the configured one.
var ErrWrongChain = errors.New("node serves another Ethereum chain")

// Node is a JSON-RPC connection to one Ethereum node. It makes no request before it is used, and then checks once that the
// node serves the configured chain. Safe for concurrent use.
type Node struct {
	url   string
	chain *big.Int
	rpc   *rpc.Client
	eth   *ethclient.Client

	mu      sync.Mutex
	checked bool
}

// requestTimeout bounds one request; go-ethereum's client has no limit of its own.
const requestTimeout = 30 * time.Second

// maxResponse bounds one response in bytes.
const maxResponse = 32 << 20

// Dial returns the node at an http or https URL that must serve chainID (decimal).
func Dial(rawURL, chainID string) (*Node, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("Ethereum node: want an http or https URL")
	}
	id, ok := new(big.Int).SetString(chainID, 10)
	if !ok || id.Sign() <= 0 {
		return nil, fmt.Errorf("Ethereum chain id %q: want a positive decimal number", chainID)
	}
	client := &http.Client{Timeout: requestTimeout, Transport: boundedTransport{http.DefaultTransport}}
	c, err := rpc.DialOptions(context.Background(), rawURL, rpc.WithHTTPClient(client))
	if err != nil {
		return nil, hide(rawURL, err)
	}
	return &Node{url: rawURL, chain: id, rpc: c, eth: ethclient.NewClient(c)}, nil
}

// boundedTransport ends a response that is larger than maxResponse.
type boundedTransport struct{ http.RoundTripper }

func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxResponse)
	}
	return resp, err
}

// Close ends the connection.
func (n *Node) Close() { n.rpc.Close() }

// ready checks the chain id once.
func (n *Node) ready(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.checked {
		return nil
	}
	id, err := n.eth.ChainID(ctx)
	if err != nil {
		return n.wrap("read the chain id", err)
	}
	if id.Cmp(n.chain) != 0 {
		return fmt.Errorf("%w: it has chain id %s, configured is %s", ErrWrongChain, id, n.chain)
	}
	n.checked = true
	return nil
}

// Ping returns an error when the node can't be used.
func (n *Node) Ping(ctx context.Context) error {
	n.mu.Lock()
	n.checked = false
	n.mu.Unlock()
	return n.ready(ctx)
}

// wrap adds what was done and takes the URL out of the error: it may carry an API key.
func (n *Node) wrap(what string, err error) error {
	return fmt.Errorf("Ethereum node: %s: %w", what, hide(n.url, err))
}

// hidden is an error whose text shows no URL.
type hidden struct {
	text string
	err  error
}

// Error gives the text.
func (h *hidden) Error() string { return h.text }

// Unwrap gives the cause, for errors.Is and errors.As.
func (h *hidden) Unwrap() error { return h.err }

// hide removes a URL, and its parts that may be secret, from an error's text.
func hide(rawURL string, err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	secrets := []string{rawURL}
	if u, perr := url.Parse(rawURL); perr == nil {
		if u.User != nil {
			if p, ok := u.User.Password(); ok && p != "" {
				secrets = append(secrets, p)
			}
			secrets = append(secrets, u.User.String())
		}
		secrets = append(secrets, u.RawQuery)
		for _, part := range strings.Split(u.Path, "/") {
			if len(part) >= 16 { // API keys are path segments at many providers
				secrets = append(secrets, part)
			}
		}
	}
	for _, s := range secrets {
		if len(s) > 2 {
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	return &hidden{text: text, err: err}
}

// request is one call of a batch.
type request struct {
	method string
	args   []any
	into   any
}

// batch makes requests in one round trip. The first error is returned, with the method it is of.
func (n *Node) batch(ctx context.Context, rs ...request) error {
	if err := n.ready(ctx); err != nil {
		return err
	}
	elems := make([]rpc.BatchElem, len(rs))
	for i, r := range rs {
		elems[i] = rpc.BatchElem{Method: r.method, Args: r.args, Result: r.into}
	}
	if err := n.rpc.BatchCallContext(ctx, elems); err != nil {
		return n.wrap(rs[0].method, err)
	}
	for i, e := range elems {
		if e.Error != nil {
			return n.wrap(rs[i].method, e.Error)
		}
	}
	return nil
}

// callArgs are the arguments of eth_call and eth_estimateGas.
type callArgs struct {
	From       *common.Address `json:"from,omitempty"`
	To         common.Address  `json:"to"`
	Data       hexutil.Bytes   `json:"input"`
	BlobHashes []common.Hash   `json:"blobVersionedHashes,omitempty"`
	BlobPrice  *hexutil.Big    `json:"maxFeePerBlobGas,omitempty"`
}

// parseAddress reads a 20-byte address in hex.
func parseAddress(what, s string) (common.Address, error) {
	if !common.IsHexAddress(s) {
		return common.Address{}, fmt.Errorf("%s %q is no Ethereum address", what, s)
	}
	return common.HexToAddress(s), nil
}
