// Package grpcserver serves a snos.Runner over gRPC (runner.proto). It is apart from the client, which functions link:
// the gRPC and protobuf libraries would make them a third larger.
package grpcserver

import (
	"context"
	"crypto/subtle"
	"errors"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/grpcrunner/runnerpb"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// maxMessage bounds a message in bytes, in both directions.
const maxMessage = 1 << 20

// NewServer serves a runner. With a token every call must carry it; without security it speaks no TLS.
func NewServer(r snos.Runner, bearer string, security credentials.TransportCredentials) *grpc.Server {
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(maxMessage), grpc.UnaryInterceptor(authorize(bearer))}
	if security != nil {
		options = append(options, grpc.Creds(security))
	}
	s := grpc.NewServer(options...)
	runnerpb.RegisterRunnerServer(s, &server{runner: r})
	health.RegisterHealthServer(s, &healthServer{runner: r})
	return s
}

// authorize refuses calls without the token.
func authorize(bearer string) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if bearer != "" {
			md, _ := metadata.FromIncomingContext(ctx)
			got := strings.Join(md.Get("authorization"), "")
			if subtle.ConstantTimeCompare([]byte(got), []byte("Bearer "+bearer)) != 1 {
				return nil, status.Error(codes.Unauthenticated, "the token is missing or wrong")
			}
		}
		return next(ctx, request)
	}
}

type server struct {
	runnerpb.UnimplementedRunnerServer
	runner snos.Runner
}

// Submit implements runnerpb.RunnerServer.
func (s *server) Submit(ctx context.Context, in *runnerpb.SubmitRequest) (*runnerpb.SubmitResponse, error) {
	t := in.GetTask()
	kind, ok := back(kinds)[t.GetKind()]
	if !ok || t.GetId() == "" {
		return nil, status.Error(codes.InvalidArgument, "the task has no kind or no id")
	}
	handle, err := s.runner.Submit(ctx, snos.Task{
		Kind: kind, ID: t.GetId(), Batch: t.GetBatch(), StartBlock: t.GetStartBlock(), EndBlock: t.GetEndBlock(),
		FullOutput: t.GetFullOutput(),
		Inputs:     t.GetInputs(), OutputPrefix: t.GetOutputPrefix(), UseBackup: t.GetUseBackup(),
		StarknetVersion: t.GetStarknetVersion(), RPC: t.GetRpc(), Callback: t.GetCallback(), Chain: snos.Chain{
			ID: t.GetChain().GetId(), FeeToken: t.GetChain().GetFeeToken(), EthFeeToken: t.GetChain().GetEthFeeToken(),
			PublicKeys: t.GetChain().GetPublicKeys(),
		},
	})
	if errors.Is(err, snos.ErrBusy) {
		return nil, status.Error(codes.ResourceExhausted, err.Error())
	}
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &runnerpb.SubmitResponse{Handle: handle}, nil
}

// Status implements runnerpb.RunnerServer.
func (s *server) Status(ctx context.Context, in *runnerpb.StatusRequest) (*runnerpb.StatusResponse, error) {
	p, err := s.runner.Status(ctx, in.GetHandle())
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	if p.State == snos.Lost {
		return nil, status.Error(codes.NotFound, "no such run")
	}
	return &runnerpb.StatusResponse{State: back(states)[p.State], Failure: back(failures)[p.Failure],
		Detail: strings.ToValidUTF8(p.Detail, "?")}, nil
}

// Cancel implements runnerpb.RunnerServer.
func (s *server) Cancel(ctx context.Context, in *runnerpb.CancelRequest) (*runnerpb.CancelResponse, error) {
	if err := s.runner.Cancel(ctx, in.GetHandle()); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &runnerpb.CancelResponse{}, nil
}

type healthServer struct {
	health.UnimplementedHealthServer
	runner snos.Runner
}

// Check implements the standard health service: the server itself ("") and the runner.
func (h *healthServer) Check(ctx context.Context, in *health.HealthCheckRequest) (*health.HealthCheckResponse, error) {
	if s := in.GetService(); s != "" && s != runnerpb.Runner_ServiceDesc.ServiceName {
		return nil, status.Error(codes.NotFound, "no such service")
	}
	out := &health.HealthCheckResponse{Status: health.HealthCheckResponse_SERVING}
	if h.runner.Ping(ctx) != nil {
		out.Status = health.HealthCheckResponse_NOT_SERVING
	}
	return out, nil
}
