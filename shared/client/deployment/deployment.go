// Package deployment calls a deployment's HTTP API from an operator's machine: it finds the API by the chain's name,
// signs requests with the operator's AWS credentials, or invokes the api function directly. No function links it.
package deployment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
)

// API sends requests to a deployment's HTTP API. Safe for concurrent use.
type API interface {
	// Do sends a request with a JSON body (nil: none) and returns the answer, whatever its status. An error means that
	// there is no answer.
	Do(ctx context.Context, r Request) (Answer, error)
	// About says in a few words which deployment it is and how it is reached.
	About() string
}

// Request is a request to the API.
type Request struct {
	Method string // GET or POST
	Path   string // with the query, as it goes into the request line
	Body   []byte // JSON; nil for none
}

// Answer is what the API answered.
type Answer struct {
	Status int
	Type   string // media type
	Body   []byte // at most MaxAnswer bytes
}

// MaxAnswer bounds the body of an answer, in bytes; API Gateway itself carries 10 MB at most.
const MaxAnswer = 12 << 20

// ErrNoAnswer is wrapped by every error of Do.
var ErrNoAnswer = errors.New("the deployment does not answer")

// HTTP is the API at a URL.
type HTTP struct {
	base   string // without a slash at the end
	host   string // of the Host header; "" for the URL's own
	token  string
	signer *signer // nil: requests are not signed
	client *http.Client
}

// Timeout is how long a request may take. API Gateway gives up after 30 seconds.
const Timeout = 35 * time.Second

// New returns the API at a URL such as http://127.0.0.1:8080. A token that is not empty is sent as bearer token.
func New(base, token string) (*HTTP, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("%.200q is not the URL of an API: want http://HOST:PORT or https://HOST", base)
	}
	client := outbound.Client(nil, Timeout) // no redirects: no signature goes elsewhere
	return &HTTP{base: strings.TrimSuffix(base, "/"), token: token, client: client}, nil
}

// Signed returns the API that a stack's output ApiUrl names, with requests signed by the configuration's credentials
// (SigV4). With an endpoint in the configuration, which an emulator has, the same API is asked there.
func Signed(cfg aws.Config, apiURL string) (*HTTP, error) {
	a, err := New(apiURL, "")
	if err != nil {
		return nil, err
	}
	a.signer = &signer{cfg: cfg}
	if cfg.BaseEndpoint == nil || *cfg.BaseEndpoint == "" {
		return a, nil
	}
	e, err := url.Parse(*cfg.BaseEndpoint)
	if err != nil {
		return nil, fmt.Errorf("the emulator's endpoint is not a URL: %w", err)
	}
	u, _ := url.Parse(apiURL) // New has read it
	id, _, _ := strings.Cut(u.Hostname(), ".")
	// An emulator serves ID.execute-api.REGION.amazonaws.com under the name ID.execute-api.localhost.
	a.base, a.host = strings.TrimSuffix(*cfg.BaseEndpoint, "/"), id+".execute-api.localhost:"+e.Port()
	return a, nil
}

// WithToken returns the same API asked with a bearer token instead of a signature.
func (a *HTTP) WithToken(token string) *HTTP {
	b := *a
	b.signer, b.token = nil, token
	return &b
}

// About implements API.
func (a *HTTP) About() string {
	switch {
	case a.signer != nil:
		return a.base + " (requests signed with your AWS credentials)"
	case a.token != "":
		return a.base + " (with your token)"
	}
	return a.base
}

// Do implements API.
func (a *HTTP) Do(ctx context.Context, r Request) (Answer, error) {
	if !strings.HasPrefix(r.Path, "/") {
		return Answer{}, fmt.Errorf("%w: path %.80q does not begin with /", ErrNoAnswer, r.Path)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, a.base+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	if a.host != "" {
		req.Host = a.host
	}
	if len(r.Body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	if a.signer != nil {
		if err := a.signer.sign(ctx, req, r.Body); err != nil {
			return Answer{}, err
		}
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if err != nil {
		return Answer{}, fmt.Errorf("%w to the end: %w", ErrNoAnswer, err)
	}
	if len(body) > MaxAnswer {
		return Answer{}, fmt.Errorf("%w: it has more than %d bytes", ErrNoAnswer, MaxAnswer)
	}
	return Answer{Status: resp.StatusCode, Type: resp.Header.Get("Content-Type"), Body: body}, nil
}

// signer signs requests for API Gateway.
type signer struct{ cfg aws.Config }

// service is API Gateway's name in signatures.
const service = "execute-api"

func (s *signer) sign(ctx context.Context, r *http.Request, body []byte) error {
	if s.cfg.Credentials == nil {
		return fmt.Errorf("%w: there are no AWS credentials; log in, or set AWS_PROFILE", ErrNoAnswer)
	}
	c, err := s.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("%w: read your AWS credentials: %w", ErrNoAnswer, err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, c, r, hex.EncodeToString(sum[:]), service,
		s.cfg.Region, time.Now()); err != nil {
		return fmt.Errorf("%w: sign the request: %w", ErrNoAnswer, err)
	}
	return nil
}
