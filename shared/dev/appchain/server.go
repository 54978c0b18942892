package appchain

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/coder/websocket"
	jsonv2 "github.com/go-json-experiment/json"
)

// Limits of the server.
const (
	maxBody  = 8 << 20
	maxBatch = 1000
)

// rpcRequest is a JSON-RPC request; params may be a list or an object.
type rpcRequest struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

type rpcResponse struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *rpcFault       `json:"error,omitempty"`
}

// rpcFault is a JSON-RPC error object.
type rpcFault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// Errors of the Starknet API and of JSON-RPC.
var (
	faultContract = &rpcFault{Code: 20, Message: "Contract not found"}
	faultBlock    = &rpcFault{Code: 24, Message: "Block not found"}
	faultNoBlocks = &rpcFault{Code: 32, Message: "There are no blocks"}
	faultSub      = &rpcFault{Code: 66, Message: "Invalid subscription id"}
	faultParse    = &rpcFault{Code: -32700, Message: "Parse error"}
	faultRequest  = &rpcFault{Code: -32600, Message: "Invalid Request"}
	faultMethod   = &rpcFault{Code: -32601, Message: "Method not found"}
	faultParams   = &rpcFault{Code: -32602, Message: "Invalid params"}
)

func (c *Chain) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeder_gateway/get_block_bouncer_weights", c.serveWeights)
	mux.HandleFunc("GET /ws", c.serveSocket)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("POST /", c.serveRPC)
	return mux
}

func (c *Chain) serveRPC(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "request is too large", http.StatusRequestEntityTooLarge)
		return
	}
	writeJSON(w, http.StatusOK, c.answer(r.Context(), body))
}

// answer handles one request or a batch.
func (c *Chain) answer(ctx context.Context, body []byte) any {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		var batch []rpcRequest
		if err := json.Unmarshal(body, &batch); err != nil {
			return rpcResponse{Version: "2.0", ID: nullID, Error: faultParse}
		}
		if len(batch) == 0 || len(batch) > maxBatch {
			return rpcResponse{Version: "2.0", ID: nullID, Error: faultRequest}
		}
		out := make([]rpcResponse, len(batch))
		for i, q := range batch {
			out[i] = c.one(ctx, q)
		}
		return out
	}
	var q rpcRequest
	if err := json.Unmarshal(body, &q); err != nil {
		return rpcResponse{Version: "2.0", ID: nullID, Error: faultParse}
	}
	return c.one(ctx, q)
}

var nullID = json.RawMessage("null")

func (c *Chain) one(ctx context.Context, q rpcRequest) rpcResponse {
	out := rpcResponse{Version: "2.0", ID: q.ID}
	if len(q.ID) == 0 {
		out.ID = nullID
	}
	if q.Version != "2.0" || q.Method == "" {
		out.Error = faultRequest
		return out
	}
	method, ok := methods[q.Method]
	if !ok {
		out.Error = faultMethod
		return out
	}
	p, ok := parseParams(q.Params, method.names)
	if q.Method == byNameOnly && len(q.Params) > 0 && q.Params[0] == '[' {
		ok = false
	}
	if !ok {
		out.Error = faultParams
		return out
	}
	out.Result, out.Error = method.call(c, p)
	c.opts.Log.DebugContext(ctx, "development chain answered", "method", q.Method)
	return out
}

// byNameOnly takes its parameters by name alone, as starknet-devnet 0.8.1 does: the API's version 0.10.1 added an
// optional list of addresses, and that node refuses a list of one parameter ("expected struct StateUpdateInput with 2
// elements").
const byNameOnly = "starknet_getStateUpdate"

// params are a request's parameters in the order of the method's names.
type params []json.RawMessage

// parseParams reads a list or an object of parameters; what is left out is nil.
func parseParams(raw json.RawMessage, names []string) (params, bool) {
	out := make(params, len(names))
	if len(raw) == 0 || string(raw) == "null" {
		return out, true
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		if len(list) > len(names) {
			return nil, false
		}
		copy(out, list)
		return out, true
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return nil, false
	}
	for i, n := range names {
		out[i] = object[n]
	}
	return out, true
}

func (c *Chain) serveWeights(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseUint(r.URL.Query().Get("blockNumber"), 10, 64)
	if err != nil {
		writeJSON(w, http.StatusBadRequest,
			gatewayFault{"StarkErrorCode.MALFORMED_REQUEST", "Field blockNumber is required."})
		return
	}
	b, ok := c.block(n)
	if !ok {
		writeJSON(w, http.StatusBadRequest, gatewayFault{"StarknetErrorCode.BLOCK_NOT_FOUND",
			"Block number " + strconv.FormatUint(n, 10) + " was not found."})
		return
	}
	writeJSON(w, http.StatusOK, weightsJSON(b.weights))
}

type gatewayFault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type weightsJSON struct {
	L1Gas                uint64 `json:"l1_gas"`
	MessageSegmentLength uint64 `json:"message_segment_length"`
	NEvents              uint64 `json:"n_events"`
	StateDiffSize        uint64 `json:"state_diff_size"`
	SierraGas            uint64 `json:"sierra_gas"`
	NTxs                 uint64 `json:"n_txs"`
	ProvingGas           uint64 `json:"proving_gas"`
	ReceiptL2Gas         uint64 `json:"receipt_l2_gas"`
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := jsonv2.Marshal(v, jsonv2.Deterministic(true)) // names in order, as encoding/json has them
	if err != nil {
		http.Error(w, "encode answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// serveSocket serves JSON-RPC with subscriptions over a websocket until either side ends it.
func (c *Chain) serveSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	s := &socket{chain: c, conn: conn, subs: map[string]func(){}}
	defer s.end()
	for {
		_, body, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if err := s.handle(ctx, body); err != nil {
			return
		}
	}
}
