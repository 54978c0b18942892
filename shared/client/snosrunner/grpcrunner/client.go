// Package grpcrunner is a SNOS runner over gRPC (runner.proto): a snos.Runner. It speaks gRPC by itself, over the
// HTTP/2 of the standard library: its three calls are small, and the gRPC and protobuf libraries keep the linker from
// leaving out what a function does not use.
package grpcrunner

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// maxMessage bounds a message in bytes, in both directions.
const maxMessage = 1 << 20

// maxSaid bounds what is kept of what a runner says, in bytes.
const maxSaid = 500

// Config says how to reach a runner.
type Config struct {
	URL       string        // grpcs://host:port, or grpc://host:port without TLS
	Token     string        // bearer token; "" sends none
	Authority []byte        // PEM certificates of the only authorities to trust; nil: the system's
	Timeout   time.Duration // of a call; 0 is 30 s
}

// Client is a snos.Runner. It connects at the first call, and again when the connection is lost.
type Client struct {
	base    string // http(s)://host:port
	token   string
	http    *http.Transport
	secrets redact.Known
	timeout time.Duration
}

var _ snos.Runner = (*Client)(nil)

var errURL = errors.New("SNOS runner: want grpcs://host:port or grpc://host:port, without credentials")

// New returns a client. It makes no connection. The error names what is wrong with the configuration, without secrets.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "grpcs" && u.Scheme != "grpc" || u.User != nil {
		return nil, errURL
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return nil, errURL
	}
	t := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true, IdleConnTimeout: time.Minute}
	base := "http://" + u.Host
	if u.Scheme == "grpc" {
		t.Protocols.SetUnencryptedHTTP2(true)
	} else {
		base = "https://" + u.Host
		t.Protocols.SetHTTP2(true)
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if c.Authority != nil {
			t.TLSClientConfig.RootCAs = x509.NewCertPool()
			if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(c.Authority) {
				return nil, errors.New("SNOS runner: its authority holds no PEM certificate")
			}
		}
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	return &Client{base: base, token: c.Token, http: t, secrets: redact.New(c.Token), timeout: c.Timeout}, nil
}

// Close ends the connection.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// explain makes an error of a failed call, without the token if the runner says it back; an ended context stays
// recognizable.
func (c *Client) explain(ctx context.Context, what string, s status) error {
	if ctx.Err() != nil {
		return fmt.Errorf("SNOS runner: %s: %w", what, ctx.Err())
	}
	return fmt.Errorf("SNOS runner: %s: %s: %s", what, s.code, c.secrets.Text(s.message, maxSaid))
}

// service is the runner's name, healthService that of the standard health service.
const (
	service       = "orchestrator.snos.v1.Runner"
	healthService = "grpc.health.v1.Health"
)

// Submit implements snos.Runner.
func (c *Client) Submit(ctx context.Context, t snos.Task) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, s := c.call(ctx, service+"/Submit", encodeTask(t))
	switch s.code {
	case ok:
	case resourceExhausted:
		return "", fmt.Errorf("SNOS runner: %w", snos.ErrBusy)
	default:
		return "", c.explain(ctx, "submit "+t.ID, s)
	}
	m, err := decode(out)
	if err != nil {
		return "", fmt.Errorf("SNOS runner: submit %s: %w", t.ID, err)
	}
	if m.text[fieldHandle] == "" {
		return "", fmt.Errorf("SNOS runner: submit %s: its answer has no handle", t.ID)
	}
	return m.text[fieldHandle], nil
}

// Status implements snos.Runner.
func (c *Client) Status(ctx context.Context, handle string) (snos.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, s := c.call(ctx, service+"/Status", appendText(nil, fieldHandle, handle))
	switch s.code {
	case ok:
	case notFound:
		return snos.Progress{State: snos.Lost}, nil
	default:
		return snos.Progress{}, c.explain(ctx, "status of "+handle, s)
	}
	m, err := decode(out)
	if err != nil {
		return snos.Progress{}, fmt.Errorf("SNOS runner: status of %s: %w", handle, err)
	}
	state, known := states[m.number[fieldState]]
	if !known {
		return snos.Progress{}, fmt.Errorf("SNOS runner: status of %s: unknown state %d", handle, m.number[fieldState])
	}
	p := snos.Progress{State: state}
	if state == snos.Failed {
		p.Failure, p.Detail = failures[m.number[fieldFailure]], c.secrets.Text(m.text[fieldDetail], maxSaid)
	}
	return p, nil
}

// Cancel implements snos.Runner.
func (c *Client) Cancel(ctx context.Context, handle string) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	_, s := c.call(ctx, service+"/Cancel", appendText(nil, fieldHandle, handle))
	if s.code != ok && s.code != notFound {
		return c.explain(ctx, "cancel "+handle, s)
	}
	return nil
}

// Ping implements snos.Runner by the standard health service.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, s := c.call(ctx, healthService+"/Check", appendText(nil, fieldService, service))
	if s.code != ok {
		return c.explain(ctx, "health", s)
	}
	m, err := decode(out)
	if err != nil {
		return fmt.Errorf("SNOS runner: health: %w", err)
	}
	if n := m.number[fieldHealth]; n != serving {
		name, known := healths[n]
		if !known {
			name = fmt.Sprintf("status %d", n)
		}
		return fmt.Errorf("SNOS runner: health: %s", name)
	}
	return nil
}
