package lambda

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Limits of Lambda: an event and an answer are at most 6 MB.
const maxPayload = 6 << 20

const exitError = "Runtime.ExitError"

// errGone says that the process had ended before it took the invocation.
var errGone = errors.New("process has ended")

// runtimeAPI serves the four endpoints of the Lambda Runtime API to one process, one invocation at a time.
type runtimeAPI struct {
	arn      string
	listener net.Listener
	server   *http.Server
	next     chan *invocation

	mu      sync.Mutex
	current *invocation
	initErr *FunctionError
}

type invocation struct {
	id       string
	event    []byte
	deadline time.Time
	answer   chan answer // of capacity 1
}

type answer struct {
	body []byte
	err  error
}

func newRuntimeAPI(arn string) (*runtimeAPI, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the Runtime API: %w", err)
	}
	a := &runtimeAPI{arn: arn, listener: l, next: make(chan *invocation)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.serveNext)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", a.serveResponse)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", a.serveError)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", a.serveInitError)
	a.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = a.server.Serve(l) }()
	return a, nil
}

func (a *runtimeAPI) address() string { return a.listener.Addr().String() }

func (a *runtimeAPI) close() { _ = a.server.Close() }

// invoke hands an event to the process and waits for its answer, the end of the process or the deadline.
func (a *runtimeAPI) invoke(ctx context.Context, event []byte, exited <-chan struct{}) ([]byte, error) {
	if len(event) > maxPayload {
		return nil, fmt.Errorf("event of %d bytes, Lambda takes at most %d", len(event), maxPayload)
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(15 * time.Minute) // Lambda's longest
	}
	inv := &invocation{id: newID(), event: event, deadline: deadline, answer: make(chan answer, 1)}
	select {
	case a.next <- inv:
	case <-exited:
		return nil, errGone
	case <-ctx.Done():
		return nil, fmt.Errorf("while it started: %w", ErrTimeout)
	}
	select {
	case got := <-inv.answer:
		return got.body, got.err
	case <-exited:
		select { // it may have answered and then ended
		case got := <-inv.answer:
			return got.body, got.err
		default:
			return nil, a.exit()
		}
	case <-ctx.Done():
		return nil, ErrTimeout
	}
}

// exit is the error of a process that has ended: what it reported at its start, if it did.
func (a *runtimeAPI) exit() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.initErr != nil {
		return &FunctionError{Type: exitError, Message: a.initErr.Error()}
	}
	return &FunctionError{Type: exitError, Message: "the function's process ended"}
}

func (a *runtimeAPI) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case inv := <-a.next:
		a.mu.Lock()
		a.current = inv
		a.mu.Unlock()
		h := w.Header()
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", a.arn)
		h.Set("Lambda-Runtime-Trace-Id", traceHeader())
		h.Set("Content-Type", "application/json")
		_, _ = w.Write(inv.event)
	case <-r.Context().Done():
	}
}

func (a *runtimeAPI) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil {
		err = &FunctionError{Type: "Function.ResponseSizeTooLarge", Message: err.Error()}
	}
	a.finish(w, r.PathValue("id"), answer{body: body, err: err})
}

func (a *runtimeAPI) serveError(w http.ResponseWriter, r *http.Request) {
	a.finish(w, r.PathValue("id"), answer{err: readError(w, r)})
}

func (a *runtimeAPI) serveInitError(w http.ResponseWriter, r *http.Request) {
	e := readError(w, r)
	a.mu.Lock()
	a.initErr = e
	a.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

// finish gives the answer to the invocation with this id.
func (a *runtimeAPI) finish(w http.ResponseWriter, id string, got answer) {
	a.mu.Lock()
	inv := a.current
	if inv != nil && inv.id == id {
		a.current = nil
	} else {
		inv = nil
	}
	a.mu.Unlock()
	if inv == nil {
		http.Error(w, `{"errorType":"InvalidRequestID","errorMessage":"no such invocation"}`, http.StatusBadRequest)
		return
	}
	inv.answer <- got
	w.WriteHeader(http.StatusAccepted)
}

func readError(w http.ResponseWriter, r *http.Request) *FunctionError {
	var e struct {
		ErrorType    string `json:"errorType"`
		ErrorMessage string `json:"errorMessage"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil || json.Unmarshal(body, &e) != nil {
		return &FunctionError{Type: "Runtime.UnknownReason", Message: fmt.Sprintf("%.200q", body)}
	}
	return &FunctionError{Type: e.ErrorType, Message: e.ErrorMessage}
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// traceHeader is an X-Ray trace header with a fresh root.
func traceHeader() string {
	var b [20]byte
	_, _ = rand.Read(b[:])
	h := hex.EncodeToString(b[:])
	return fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=1", time.Now().Unix(), h[:24], h[24:])
}
