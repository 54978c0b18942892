package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// API calls a deployment's HTTP API in the emulator, with requests signed as API Gateway wants them (SigV4).
type API struct {
	endpoint, host string
	cfg            aws.Config
}

// NewAPI returns a client of the API whose URL a stack's output ApiUrl has: https://ID.execute-api.REGION.amazonaws.com. In the
// emulator the same ID is served at ID.execute-api.localhost:PORT.
func NewAPI(endpoint, apiURL string) (*API, error) {
	u, err := url.Parse(apiURL)
	if err != nil {
		return nil, fmt.Errorf("the stack's ApiUrl is not a URL: %w", err)
	}
	e, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("the emulator's endpoint is not a URL: %w", err)
	}
	id, _, _ := strings.Cut(u.Hostname(), ".")
	return &API{endpoint: endpoint, host: id + ".execute-api.localhost:" + e.Port(), cfg: Config(endpoint)}, nil
}

// Host is what requests to the API carry as Host.
func (a *API) Host() string { return a.host }

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 8 << 20

// Do sends a request to the API; unsigned where sign is false. It returns status and body.
func (a *API) Do(ctx context.Context, method, path, body string, sign bool) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, a.endpoint+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	r.Host = a.host
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if sign {
		c, err := a.cfg.Credentials.Retrieve(ctx)
		if err != nil {
			return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		sum := sha256.Sum256([]byte(body))
		hash := hex.EncodeToString(sum[:])
		if err := v4.NewSigner().SignHTTP(ctx, c, r, hash, "execute-api", a.cfg.Region, time.Now()); err != nil {
			return 0, nil, fmt.Errorf("sign %s %s: %w", method, path, err)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return resp.StatusCode, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return resp.StatusCode, b, nil
}
