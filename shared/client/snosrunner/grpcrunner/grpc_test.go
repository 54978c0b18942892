package grpcrunner_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/grpcrunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/grpcrunner/grpcserver"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/grpcrunner/runnerpb"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos/snostest"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/runner"
)

const secret = "hunter2"

// certificate makes a server's key and certificate for 127.0.0.1, which is its own authority.
func certificate(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der},
		PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// serve runs a server on loopback and returns its address.
func serve(t *testing.T, s *grpc.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func client(t *testing.T, c grpcrunner.Config) *grpcrunner.Client {
	t.Helper()
	got, err := grpcrunner.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = got.Close() })
	return got
}

func task(n int) snos.Task {
	return snos.Task{Kind: snos.Run, Batch: uint64(n), StartBlock: 1, EndBlock: 2,
		OutputPrefix: artifact.SNOSPrefix(uint64(n), 0)}
}

var errRefused = errors.New("the program refuses it")

func newRunner() *runner.Runner {
	return runner.New(nil, runner.Config{Execute: func(_ context.Context, x snos.Task) error {
		if x.Batch >= 1000 {
			return errRefused
		}
		return nil
	}})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	cert, authority := certificate(t)
	for name, c := range map[string]grpcrunner.Config{
		"tls": {URL: "grpcs://" + serve(t, grpcserver.NewServer(newRunner(), secret,
			credentials.NewServerTLSFromCert(&cert))), Token: secret, Authority: authority},
		"plain": {URL: "grpc://" + serve(t, grpcserver.NewServer(newRunner(), secret, nil)), Token: secret},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			snostest.TestRunner(t, snostest.Harness{
				Runner: client(t, c), Cancelable: true, Task: task,
				Bad: func(n int) snos.Task { return task(n + 1000) }, BadKind: snos.Interrupted,
			})
		})
	}
}

// Who is not trusted is not spoken to, in both directions, and no secret shows.
func TestTrust(t *testing.T) {
	t.Parallel()
	cert, authority := certificate(t)
	_, other := certificate(t)
	address := serve(t, grpcserver.NewServer(newRunner(), secret, credentials.NewServerTLSFromCert(&cert)))
	for name, tt := range map[string]struct {
		c    grpcrunner.Config
		want string
	}{
		"no token": {grpcrunner.Config{URL: "grpcs://" + address, Authority: authority}, "Unauthenticated"},
		"wrong token": {grpcrunner.Config{URL: "grpcs://" + address, Authority: authority, Token: "hunter3"},
			"Unauthenticated"},
		"another authority": {grpcrunner.Config{URL: "grpcs://" + address, Authority: other, Token: secret},
			"certificate"},
		"the system's":   {grpcrunner.Config{URL: "grpcs://" + address, Token: secret}, "certificate"},
		"without TLS":    {grpcrunner.Config{URL: "grpc://" + address, Token: secret}, "Unavailable"},
		"nobody listens": {grpcrunner.Config{URL: "grpc://127.0.0.1:1"}, "Unavailable"},
		"a time that is over": {grpcrunner.Config{URL: "grpcs://" + address, Authority: authority, Token: secret,
			Timeout: time.Nanosecond}, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, tt.c)
			_, submitted := c.Submit(t.Context(), snos.Task{Kind: snos.Run, ID: "x"})
			for what, err := range map[string]error{"ping": c.Ping(t.Context()), "submit": submitted} {
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter") {
					t.Errorf("%s: %v, want %s", what, err, tt.want)
				}
			}
		})
	}
}

// nonsense answers what no runner should.
type nonsense struct {
	runnerpb.UnimplementedRunnerServer
	state runnerpb.State
}

func (n *nonsense) Submit(context.Context, *runnerpb.SubmitRequest) (*runnerpb.SubmitResponse, error) {
	return &runnerpb.SubmitResponse{}, nil
}

func (n *nonsense) Status(context.Context, *runnerpb.StatusRequest) (*runnerpb.StatusResponse, error) {
	return &runnerpb.StatusResponse{State: n.state, Failure: 99, Detail: strings.Repeat("x", 10)}, nil
}

func TestNonsense(t *testing.T) {
	t.Parallel()
	for state, want := range map[runnerpb.State]string{0: "unknown state 0", 77: "unknown state 77",
		runnerpb.State_STATE_FAILED: ""} {
		s := grpc.NewServer()
		runnerpb.RegisterRunnerServer(s, &nonsense{state: state})
		c := client(t, grpcrunner.Config{URL: "grpc://" + serve(t, s)})
		if _, err := c.Submit(t.Context(), task(1)); err == nil || !strings.Contains(err.Error(), "no handle") {
			t.Errorf("submit: %v", err)
		}
		p, err := c.Status(t.Context(), "x")
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("state %d: %+v, %v", state, p, err)
		}
		if want == "" && (err != nil || p.State != snos.Failed || p.Failure != "") {
			t.Errorf("a failure that is not known: %+v, %v", p, err)
		}
		if err := c.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "Unimplemented") {
			t.Errorf("health that is not served: %v", err)
		}
		if err := c.Cancel(t.Context(), "x"); err == nil {
			t.Error("cancel that is not served returned nil")
		}
	}
}

// A runner that takes no further task says so; a request without a task is refused.
func TestBusyAndEmpty(t *testing.T) {
	t.Parallel()
	c := client(t, grpcrunner.Config{URL: "grpc://" + serve(t, grpcserver.NewServer(busy{newRunner()}, secret, nil)),
		Token: secret})
	if _, err := c.Submit(t.Context(), snos.Task{Kind: snos.Run, ID: "x"}); !errors.Is(err, snos.ErrBusy) {
		t.Errorf("%v, want busy", err)
	}
	if _, err := c.Submit(t.Context(), snos.Task{ID: "x"}); err == nil ||
		!strings.Contains(err.Error(), "InvalidArgument") {
		t.Errorf("a task without kind: %v", err)
	}
	if err := c.Cancel(t.Context(), "x"); err == nil || strings.Contains(err.Error(), secret) ||
		!strings.Contains(err.Error(), "not welcome") {
		t.Errorf("a runner that says the token back: %v", err)
	}
	if err := c.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "NOT_SERVING") {
		t.Errorf("health: %v", err)
	}
}

type busy struct{ snos.Runner }

func (busy) Submit(context.Context, snos.Task) (string, error) { return "", snos.ErrBusy }
func (busy) Cancel(context.Context, string) error {
	return errors.New("Bearer " + secret + " is not welcome")
}
func (busy) Ping(context.Context) error { return snos.ErrBusy }

func TestURL(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "http://x:1", "grpcs://x", "grpcs://user:hunter2@x:1", "grpc://:"} {
		if _, err := grpcrunner.New(grpcrunner.Config{URL: u}); err == nil && u != "grpc://:" ||
			err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", u, err)
		}
	}
	if _, err := grpcrunner.New(grpcrunner.Config{URL: "grpcs://x:1", Authority: []byte("nothing")}); err == nil {
		t.Error("an authority without a certificate is taken")
	}
}

// A task reaches the runner with all that it says.
func TestWholeTask(t *testing.T) {
	t.Parallel()
	r := &keeps{}
	c := client(t, grpcrunner.Config{URL: "grpc://" + serve(t, grpcserver.NewServer(r, secret, nil)), Token: secret})
	want := snos.Task{
		Kind: snos.Aggregate, ID: "x", Batch: 3, StartBlock: 4, EndBlock: 9, FullOutput: true,
		Inputs: []string{"a", "b"}, OutputPrefix: "aggregator/3/",
		UseBackup: true, StarknetVersion: "0.14.4", RPC: "https://node",
		Chain: snos.Chain{ID: "MADARA", FeeToken: "0x1", EthFeeToken: "0x2", PublicKeys: []string{"0x3", "0x4"}},
	}
	if _, err := c.Submit(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, r.got); d != "" {
		t.Errorf("sent (-), received (+):\n%s", d)
	}
}

// keeps is a runner that keeps what it was given.
type keeps struct {
	snos.Runner
	got snos.Task
}

func (k *keeps) Submit(_ context.Context, t snos.Task) (string, error) {
	k.got = t
	return "handle", nil
}
