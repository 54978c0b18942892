// Package grpcrunner is a SNOS runner over gRPC (runner.proto): the client is a snos.Runner, the server serves any
// snos.Runner to it.
package grpcrunner

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/grpcrunner/runnerpb"
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
	conn    *grpc.ClientConn
	runner  runnerpb.RunnerClient
	health  health.HealthClient
	secrets redact.Known
	timeout time.Duration
}

var _ snos.Runner = (*Client)(nil)

// token is a bearer token as metadata of every call.
type token struct {
	value  string
	secure bool
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (t token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + t.value}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (t token) RequireTransportSecurity() bool { return t.secure }

// New returns a client. It makes no connection. The error names what is wrong with the configuration, without secrets.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "grpcs" && u.Scheme != "grpc" || u.User != nil {
		return nil, errors.New("SNOS runner: want grpcs://host:port or grpc://host:port, without credentials")
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return nil, errors.New("SNOS runner: want grpcs://host:port or grpc://host:port, without credentials")
	}
	security := insecure.NewCredentials()
	if u.Scheme == "grpcs" {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if c.Authority != nil {
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(c.Authority) {
				return nil, errors.New("SNOS runner: its authority holds no PEM certificate")
			}
		}
		security = credentials.NewTLS(config)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(security), grpc.WithDisableServiceConfig(), grpc.WithUserAgent("orchestrator"),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
	}
	if c.Token != "" {
		options = append(options, grpc.WithPerRPCCredentials(token{c.Token, u.Scheme == "grpcs"}))
	}
	conn, err := grpc.NewClient("passthrough:///"+u.Host, options...)
	if err != nil {
		return nil, fmt.Errorf("SNOS runner: %w", err)
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	return &Client{conn: conn, runner: runnerpb.NewRunnerClient(conn), health: health.NewHealthClient(conn),
		secrets: redact.New(c.Token), timeout: c.Timeout}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// explain makes an error of a failed call, without the token if the runner says it back; an ended context stays
// recognizable.
func (c *Client) explain(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("SNOS runner: %s: %w", what, ctx.Err())
	}
	s := status.Convert(err)
	return fmt.Errorf("SNOS runner: %s: %s: %s", what, s.Code(), c.secrets.Text(s.Message(), maxSaid))
}

// chain is a task's chain as the wire has it; nil for none.
func chain(c snos.Chain) *runnerpb.Chain {
	if c.ID == "" && c.FeeToken == "" && c.EthFeeToken == "" && len(c.PublicKeys) == 0 {
		return nil
	}
	return &runnerpb.Chain{Id: c.ID, FeeToken: c.FeeToken, EthFeeToken: c.EthFeeToken, PublicKeys: c.PublicKeys}
}

// Submit implements snos.Runner.
func (c *Client) Submit(ctx context.Context, t snos.Task) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := c.runner.Submit(ctx, &runnerpb.SubmitRequest{Task: &runnerpb.Task{
		Kind: kinds[t.Kind], Id: t.ID, Batch: t.Batch, StartBlock: t.StartBlock,
		EndBlock: t.EndBlock, FullOutput: t.FullOutput,
		Inputs: t.Inputs, OutputPrefix: t.OutputPrefix, UseBackup: t.UseBackup, StarknetVersion: t.StarknetVersion,
		Chain: chain(t.Chain), Rpc: t.RPC,
	}})
	if status.Code(err) == codes.ResourceExhausted {
		return "", fmt.Errorf("SNOS runner: %w", snos.ErrBusy)
	}
	if err != nil {
		return "", c.explain(ctx, "submit "+t.ID, err)
	}
	if out.GetHandle() == "" {
		return "", fmt.Errorf("SNOS runner: submit %s: its answer has no handle", t.ID)
	}
	return out.GetHandle(), nil
}

// Status implements snos.Runner.
func (c *Client) Status(ctx context.Context, handle string) (snos.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := c.runner.Status(ctx, &runnerpb.StatusRequest{Handle: handle})
	if status.Code(err) == codes.NotFound {
		return snos.Progress{State: snos.Lost}, nil
	}
	if err != nil {
		return snos.Progress{}, c.explain(ctx, "status of "+handle, err)
	}
	state, ok := states[out.GetState()]
	if !ok {
		return snos.Progress{}, fmt.Errorf("SNOS runner: status of %s: unknown state %d", handle, out.GetState())
	}
	p := snos.Progress{State: state}
	if state == snos.Failed {
		p.Failure, p.Detail = failures[out.GetFailure()], c.secrets.Text(out.GetDetail(), maxSaid)
	}
	return p, nil
}

// Cancel implements snos.Runner.
func (c *Client) Cancel(ctx context.Context, handle string) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if _, err := c.runner.Cancel(ctx, &runnerpb.CancelRequest{Handle: handle}); err != nil &&
		status.Code(err) != codes.NotFound {
		return c.explain(ctx, "cancel "+handle, err)
	}
	return nil
}

// Ping implements snos.Runner by the standard health service.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := c.health.Check(ctx, &health.HealthCheckRequest{Service: runnerpb.Runner_ServiceDesc.ServiceName})
	if err != nil {
		return c.explain(ctx, "health", err)
	}
	if out.GetStatus() != health.HealthCheckResponse_SERVING {
		return fmt.Errorf("SNOS runner: health: %s", out.GetStatus())
	}
	return nil
}
