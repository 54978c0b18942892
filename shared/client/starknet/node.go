package starknet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
	"github.com/madara-orchestrator/orchestrator/shared/client/internal/rpcnode"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

// ErrWrongChain says that the node serves another chain than the configured one.
var ErrWrongChain = errors.New("node serves another Starknet chain")

// ErrVersion says that the node's API is too old.
var ErrVersion = errors.New("node serves a Starknet API older than 0.9: use a newer node, or the path of the newer API")

// Node is a JSON-RPC connection to one Starknet node. It makes no request before it is used; before its first request
// it checks that the node serves the configured chain and API 0.9 at least, and again until that succeeded once. Safe
// for concurrent use.
type Node struct {
	url     string
	secrets redact.Known
	chain   felt.Felt
	name    string
	http    *http.Client
	checked atomic.Bool
	id      atomic.Uint64
}

const (
	// requestTimeout bounds one request where the caller's HTTP client has no limit of its own.
	requestTimeout = 30 * time.Second
	// maxResponse bounds one response in bytes, maxElements the values and keys of its JSON. The largest asked for is a
	// block's list of transaction hashes, of which this is some 60,000.
	maxResponse = 4 << 20
	maxElements = 1 << 17
)

// Dial returns the node at an http or https URL that must serve chainID, a short string such as "SN_SEPOLIA". The URL
// may carry credentials: they are in no error.
func Dial(rawURL, chainID string) (*Node, error) { return DialHTTP(rawURL, chainID, nil) }

// DialHTTP is Dial with an HTTP client, which is copied; nil is one that gives up after 30 seconds.
func DialHTTP(rawURL, chainID string, client *http.Client) (*Node, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("Starknet node: want an http or https URL")
	}
	chain, err := felt.FromShortString(chainID)
	if err != nil || chainID == "" {
		return nil, fmt.Errorf("Starknet chain id %.80q: want a short string such as SN_SEPOLIA", chainID)
	}
	return &Node{url: rawURL, secrets: redact.OfURL(rawURL), chain: chain, name: chainID,
		http: outbound.Client(client, requestTimeout)}, nil
}

// Probe returns the node's newest block, of the configured chain.
func (n *Node) Probe(ctx context.Context) (uint64, error) {
	var head uint64
	err := n.call(ctx, "starknet_blockNumber", &head)
	return head, err
}

// ready checks chain and API until they were right once.
func (n *Node) ready(ctx context.Context) error {
	if n.checked.Load() {
		return nil
	}
	return n.Ping(ctx)
}

// Ping returns an error when the node can't be used: no answer, ErrWrongChain or ErrVersion.
func (n *Node) Ping(ctx context.Context) error {
	var id felt.Felt
	if err := n.send(ctx, "starknet_chainId", &id); err != nil {
		return err
	}
	if id != n.chain {
		n.checked.Store(false)
		return fmt.Errorf("%w: it has chain id %s, configured is %s (%s)", ErrWrongChain, id, n.chain, n.name)
	}
	var version string
	if err := n.send(ctx, "starknet_specVersion", &version); err != nil {
		return err
	}
	if !supported(version) {
		n.checked.Store(false)
		return fmt.Errorf("%w: it says %.20q", ErrVersion, version)
	}
	n.checked.Store(true)
	return nil
}

// supported says whether an API version is 0.9 or later, which knows pre_confirmed and l1_accepted blocks.
func supported(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (major > 0 || minor >= 9)
}

// call makes one request.
func (n *Node) call(ctx context.Context, method string, into any, params ...any) error {
	if err := n.ready(ctx); err != nil {
		if method == addInvoke {
			return rpcnode.Unchecked(err)
		}
		return err
	}
	return n.send(ctx, method, into, params...)
}

type rpcRequest struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params"` // an object; an empty list where the method has none
}

// parameters are the names of each method's parameters, in our order (starkware-libs/starknet-specs,
// starknet_api_openrpc.json). Nodes take them by name whatever a later API adds; by position, API 0.10.1 refuses calls
// of 0.10.0 that lack a new one.
var parameters = map[string][]string{
	"starknet_call":                  {"request", "block_id"},
	"starknet_estimateFee":           {"request", "simulation_flags", "block_id"},
	"starknet_getBlockWithTxHashes":  {"block_id"},
	"starknet_getClass":              {"block_id", "class_hash"},
	"starknet_getClassHashAt":        {"block_id", "contract_address"},
	"starknet_getNonce":              {"block_id", "contract_address"},
	getTransaction:                   {"transaction_hash"},
	"starknet_getTransactionReceipt": {"transaction_hash"},
	"starknet_getTransactionStatus":  {"transaction_hash"},
	addInvoke:                        {"invoke_transaction"},
}

// named puts parameters under their names.
func named(method string, params []any) any {
	if len(params) == 0 {
		return []any{}
	}
	names := parameters[method]
	if len(names) != len(params) {
		panic("parameters of " + method + " have no names") // a call of this package
	}
	out := map[string]any{}
	for i, p := range params {
		out[names[i]] = p
	}
	return out
}

// send makes one request without looking at the chain first.
func (n *Node) send(ctx context.Context, method string, into any, params ...any) error {
	id := n.id.Add(1)
	body, err := json.Marshal(rpcRequest{Version: "2.0", ID: id, Method: method, Params: named(method, params)})
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	read := func() error {
		done := metric.Call(ctx, metric.SettlementLayer, method)
		raw, err := n.post(ctx, body, limitsOf(method))
		if done(err); err != nil {
			return err
		}
		return decode(raw, id, into)
	}
	again := func(err error) bool { return method != addInvoke && code(err) == 0 }
	if err := rpcnode.Retry(ctx, pauses, read, again); err != nil {
		return n.wrap(method, err)
	}
	return nil
}

// addInvoke is the only method that changes the chain. It is never repeated here: whether it took effect must be asked
// first.
const addInvoke = "starknet_addInvokeTransaction"

// pauses lie before another try of a read that the node did not answer: public nodes limit rates, and one look at the
// chain takes several reads.
var pauses = []time.Duration{100 * time.Millisecond, 400 * time.Millisecond}

// getTransaction is the method that archives use.
const getTransaction = "starknet_getTransactionByHash"

// getClass is the method whose answers are larger: a class has 4,089,446 bytes at most (Starknet documentation,
// "Limits").
const getClass = "starknet_getClass"

func limitsOf(method string) jsonlimit.Limits {
	if method == getClass {
		return jsonlimit.Limits{Bytes: 2 * maxResponse, Elements: 8 * maxElements}
	}
	return jsonlimit.Limits{Bytes: maxResponse, Elements: maxElements}
}

// abi is the ABI of a class: JSON text.
func (n *Node) abi(ctx context.Context, class felt.Felt) ([]byte, error) {
	var c struct {
		ABI json.RawMessage `json:"abi"`
	}
	if err := n.call(ctx, getClass, &c, latest, class); err != nil {
		return nil, err
	}
	var text string
	if err := json.Unmarshal(c.ABI, &text); err != nil {
		return c.ABI, nil // a class of Cairo 0 has a list
	}
	return []byte(text), nil
}

func (n *Node) post(ctx context.Context, body []byte, limits jsonlimit.Limits) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := n.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(jsonlimit.NewReader(resp.Body, limits))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case outbound.IsHTML(resp.Header, raw):
		return nil, fmt.Errorf("HTTP status %d with a page: something before the node answered", resp.StatusCode)
	case resp.StatusCode != http.StatusOK && !json.Valid(raw):
		return nil, fmt.Errorf("HTTP status %d: %s", resp.StatusCode, redact.Clip(string(raw), maxReason))
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= http.StatusInternalServerError:
		return nil, fmt.Errorf("HTTP status %d: the node is overloaded or limits our rate", resp.StatusCode)
	}
	return raw, nil
}

// rpcError is what a node answers instead of a result.
type rpcError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// Error gives code, message and data.
func (e *rpcError) Error() string {
	text := fmt.Sprintf("error %d: %s", e.Code, e.Message)
	if d := e.detail(); d != "" {
		text += ": " + d
	}
	return text
}

// decode reads an answer.
func decode(raw []byte, id uint64, into any) error {
	var a struct {
		ID     *uint64         `json:"id"`
		Result json.RawMessage `json:"result"`
		Error  *rpcError       `json:"error"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("answer is not JSON-RPC: %w", err)
	}
	switch {
	case a.Error != nil:
		return a.Error
	case a.ID == nil || *a.ID != id:
		return errors.New("answer carries another id than the request")
	case len(a.Result) == 0 || string(a.Result) == "null":
		return errors.New("answer has neither result nor error")
	}
	if err := json.Unmarshal(a.Result, into); err != nil {
		return fmt.Errorf("decode the result: %w", err)
	}
	return nil
}

// Block ids.
const (
	latest       = "latest"
	preConfirmed = "pre_confirmed"
	l1Accepted   = "l1_accepted"
)

type blockNumber struct {
	Number uint64 `json:"block_number"`
}

type blockHash struct {
	Hash felt.Felt `json:"block_hash"`
}

// read calls a function of a contract without sending anything.
func (n *Node) read(ctx context.Context, contract felt.Felt, entrypoint string, block any,
	args ...felt.Felt) ([]felt.Felt, error) {
	if args == nil {
		args = []felt.Felt{}
	}
	var out []felt.Felt
	err := n.call(ctx, "starknet_call", &out, functionCall{contract, selector(entrypoint), args}, block)
	if err != nil {
		return nil, fmt.Errorf("%s of contract %s: %w", entrypoint, contract, err)
	}
	return out, nil
}

type functionCall struct {
	Contract felt.Felt   `json:"contract_address"`
	Selector felt.Felt   `json:"entry_point_selector"`
	Calldata []felt.Felt `json:"calldata"`
}

// parseAddress reads a contract's address.
func parseAddress(what, s string) (felt.Felt, error) {
	f, err := felt.FromHex(s)
	if err != nil || !strings.HasPrefix(s, "0x") || f.IsZero() || f == felt.FromUint64(1) {
		return felt.Felt{}, fmt.Errorf("%s %.80q is not a Starknet address", what, s)
	}
	return f, nil
}
