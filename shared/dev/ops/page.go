package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/deployment"
	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/dev/loopback"
)

// maxBody bounds what the page may send, in bytes; the API itself takes no more.
const maxBody = 4 << 10

// page serves the deployment's status page on this machine.
func (s *session) page() (int, error) {
	l, err := loopback.Listen(s.listen)
	if err != nil {
		return Usage, fmt.Errorf("-listen: %w", err)
	}
	fmt.Fprintf(s.out, "page   http://%s/\nasks   %s\nend it with Ctrl-C\n", l.Addr(), s.api.About())
	srv := &http.Server{Handler: Proxy(s.api), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-s.ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return Unreachable, err
	}
	return OK, nil
}

// Proxy passes requests of pages on this machine, and of no others, to a deployment. Nothing of a request but its
// method, path, query and body goes on; nothing of an answer but its status, media type and body comes back.
func Proxy(api deployment.API) http.Handler {
	foreign := http.NewCrossOriginProtection()
	return loopback.Guard(foreign.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", apicontroller.ContentPolicy)
		if r.Method != http.MethodGet && r.Method != http.MethodPost {
			http.Error(w, "want GET or POST", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
			return
		}
		a, err := api.Do(r.Context(), deployment.Request{Method: r.Method, Path: r.URL.RequestURI(), Body: body})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		h.Set("Content-Type", a.Type)
		w.WriteHeader(a.Status)
		_, _ = w.Write(a.Body) // the browser has gone if this fails
	})))
}
