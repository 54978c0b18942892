package appchain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
	"github.com/madara-orchestrator/orchestrator/shared/core/cache"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Config says where the chain's nodes are and how they may be used. Zero fields take the defaults of DefaultConfig.
type Config struct {
	// URL is the node's JSON-RPC address; BackupURL is asked when that one fails or lags ("" for none).
	URL, BackupURL string
	// GatewayURL is the root of Madara's feeder gateway, which serves bouncer weights; "" to estimate them instead.
	GatewayURL string
	// WebsocketURL serves new heads (ws or wss); only Heads needs it.
	WebsocketURL string
	// ChainID is the chain that the nodes must serve, such as "SN_SEPOLIA"; "" to accept any.
	ChainID string
	// BatchSize is the number of calls in one JSON-RPC batch.
	BatchSize int
	// Concurrency is the number of HTTP requests under way at once.
	Concurrency int
	// MaxRange is the number of blocks that one call may ask for.
	MaxRange int
	// MaxResponse is the most bytes that one HTTP response may have, uncompressed, and MaxElements the most values and
	// keys of its JSON (jsonlimit.Limits.Elements). Answers of a few values are bounded closer.
	MaxResponse int64
	MaxElements int
	// MaxFelts is how many field elements the blocks of one call may hold together; more is block.ErrTooMuch.
	MaxFelts int
	// Attempts is how often a request is made before its error is returned.
	Attempts int
	// RequestTimeout bounds one HTTP request.
	RequestTimeout time.Duration
	// MinBackoff and MaxBackoff bound the pauses between attempts; MaxBackoff bounds Retry-After too.
	MinBackoff, MaxBackoff time.Duration
	// Cooldown is how long a failing primary is passed over; StallAfter is how long its head may stand still before the
	// backup's head is looked at. Both only with BackupURL.
	Cooldown, StallAfter time.Duration
	// EmptyProvingGas is the proving gas of a block for which the sequencer reports none.
	EmptyProvingGas uint64
	// CacheTTL is how long immutable reads stay in the cache.
	CacheTTL time.Duration
}

// DefaultConfig holds the defaults of Config's numeric fields. Those of memory fit the trigger function
// (shared/resource): answers of 16 MB are four at a time in buffers, one of them is decoded at a time (an element takes
// up to 100 bytes), and the blocks of one call take 32 bytes a felt, up to twice that while a list grows.
var DefaultConfig = Config{
	BatchSize: 25, Concurrency: 4, MaxRange: 2048, MaxResponse: 16 << 20, MaxElements: 1 << 20,
	MaxFelts: 4 << 20, Attempts: 6,
	RequestTimeout: 30 * time.Second, MinBackoff: 200 * time.Millisecond, MaxBackoff: 20 * time.Second,
	Cooldown: 15 * time.Second, StallAfter: 30 * time.Second, EmptyProvingGas: 1_500_000, CacheTTL: time.Hour,
}

// Validate names every fault of c at once.
func (c Config) Validate() error {
	errs := []error{checkURL("node", c.URL, true, "http", "https"),
		checkURL("backup node", c.BackupURL, false, "http", "https"),
		checkURL("feeder gateway", c.GatewayURL, false, "http", "https"),
		checkURL("websocket", c.WebsocketURL, false, "ws", "wss")}
	if _, err := felt.FromShortString(c.ChainID); err != nil {
		errs = append(errs, fmt.Errorf("chain id: %w", err))
	}
	if c.BatchSize < 0 || c.Concurrency < 0 || c.MaxRange < 0 || c.MaxResponse < 0 || c.MaxElements < 0 ||
		c.MaxFelts < 0 || c.Attempts < 0 ||
		c.RequestTimeout < 0 || c.MinBackoff < 0 || c.MaxBackoff < 0 || c.Cooldown < 0 ||
		c.StallAfter < 0 || c.CacheTTL < 0 {
		errs = append(errs, errors.New("a limit of the node's client is negative"))
	}
	return errors.Join(errs...)
}

func checkURL(what, raw string, required bool, schemes ...string) error {
	if raw == "" {
		if required {
			return fmt.Errorf("%s URL is not set", what)
		}
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" { // err would print the URL with its key
		return fmt.Errorf("%s URL is not a URL with a host", what)
	}
	for _, s := range schemes {
		if u.Scheme == s {
			return nil
		}
	}
	return fmt.Errorf("%s URL has scheme %q, want one of %q", what, u.Scheme, schemes)
}

// withDefaults fills the zero numeric fields of c.
func (c Config) withDefaults() Config {
	d := DefaultConfig
	c.BatchSize = cmp.Or(c.BatchSize, d.BatchSize)
	c.Concurrency = cmp.Or(c.Concurrency, d.Concurrency)
	c.MaxRange = cmp.Or(c.MaxRange, d.MaxRange)
	c.MaxResponse = cmp.Or(c.MaxResponse, d.MaxResponse)
	c.MaxElements = cmp.Or(c.MaxElements, d.MaxElements)
	c.MaxFelts = cmp.Or(c.MaxFelts, d.MaxFelts)
	c.Attempts = cmp.Or(c.Attempts, d.Attempts)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, d.RequestTimeout)
	c.MinBackoff = cmp.Or(c.MinBackoff, d.MinBackoff)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, d.MaxBackoff)
	c.Cooldown = cmp.Or(c.Cooldown, d.Cooldown)
	c.StallAfter = cmp.Or(c.StallAfter, d.StallAfter)
	c.EmptyProvingGas = cmp.Or(c.EmptyProvingGas, d.EmptyProvingGas)
	c.CacheTTL = cmp.Or(c.CacheTTL, d.CacheTTL)
	return c
}

// Deps are what a Source needs besides its configuration. Every field may be left unset; outbound.Deps says what each
// is.
type Deps struct {
	HTTP   *http.Client
	Log    *slog.Logger
	Now    func() time.Time
	Sleep  func(ctx context.Context, d time.Duration) error
	Jitter func() float64
	// Cache keeps immutable reads.
	Cache cache.Cache
}

func (d Deps) withDefaults() Deps {
	o := outbound.Deps{HTTP: d.HTTP, Log: d.Log, Now: d.Now, Sleep: d.Sleep, Jitter: d.Jitter}.WithDefaults()
	return Deps{HTTP: o.HTTP, Log: o.Log, Now: o.Now, Sleep: o.Sleep, Jitter: o.Jitter, Cache: d.Cache}
}
