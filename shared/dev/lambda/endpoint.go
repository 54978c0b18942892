package lambda

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
)

// Endpoint serves an emulator's AWS services, and beside them Lambda's Invoke, which moto can't do without Docker.
type Endpoint struct {
	function func(name string) Function
	handler  http.Handler
	invoked  atomic.Int64
}

// NewEndpoint returns an Endpoint before the emulator at a URL. function returns the function of a name as AWS has it,
// nil for none.
func NewEndpoint(emulator string, function func(name string) Function) (*Endpoint, error) {
	target, err := url.Parse(emulator)
	if err != nil {
		return nil, fmt.Errorf("the emulator's URL: %w", err)
	}
	e := &Endpoint{function: function}
	mux := http.NewServeMux()
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of callers that were killed
	mux.Handle("/", proxy)
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", e.invoke)
	e.handler = mux
	return e, nil
}

// Invoked is how many invocations it passed on.
func (e *Endpoint) Invoked() int64 { return e.invoked.Load() }

// ServeHTTP implements http.Handler.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.handler.ServeHTTP(w, r) }

func (e *Endpoint) invoke(w http.ResponseWriter, r *http.Request) {
	f := e.function(r.PathValue("name"))
	if f == nil {
		http.Error(w, `{"Type":"User","Message":"Function not found"}`, http.StatusNotFound)
		return
	}
	event, err := io.ReadAll(r.Body)
	if err == nil {
		e.invoked.Add(1)
		event, err = f.Invoke(r.Context(), event)
	}
	if err != nil {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		event, _ = json.Marshal(map[string]string{"errorMessage": err.Error()})
	}
	_, _ = w.Write(event)
}
