package outbound

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

// Deps are what a client that makes several attempts needs besides its settings. Every field may be left unset.
type Deps struct {
	// HTTP makes the requests; its redirect policy is replaced by none, so that a key goes to its host only.
	HTTP *http.Client
	// Log gets the failures after which another attempt succeeded.
	Log *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// Sleep waits for d or until ctx ends, whose error it then returns.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter returns a number in [0, 1) that scales a pause.
	Jitter func() float64
}

// WithDefaults sets what is left unset. The client has no limit of time: every request has its own.
func (d Deps) WithDefaults() Deps {
	d.HTTP = Client(d.HTTP, 0)
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Sleep == nil {
		d.Sleep = Sleep
	}
	if d.Jitter == nil {
		d.Jitter = rand.Float64
	}
	return d
}

// Sleep waits for d or until ctx ends, whose error it then returns.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
