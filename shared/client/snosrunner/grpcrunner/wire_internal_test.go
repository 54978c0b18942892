package grpcrunner

import (
	"testing"

	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/grpcrunner/runnerpb"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// What is written and read by hand is what the generated code writes and reads.
func TestWire(t *testing.T) {
	t.Parallel()
	full := snos.Task{
		Kind: snos.Aggregate, ID: "x", Batch: 1 << 40, StartBlock: 4, EndBlock: 9, FullOutput: true,
		Inputs: []string{"a", "", "b"}, OutputPrefix: "aggregator/3/",
		UseBackup: true, StarknetVersion: "0.14.4", RPC: "https://node",
		Chain: snos.Chain{ID: "MADARA", FeeToken: "0x1", EthFeeToken: "0x2", PublicKeys: []string{"0x3", "0x4"}},
	}
	for _, task := range []snos.Task{{}, {Kind: snos.Run, ID: "y"}, full} {
		var got runnerpb.SubmitRequest
		if err := proto.Unmarshal(encodeTask(task), &got); err != nil {
			t.Fatal(err)
		}
		x := got.GetTask()
		back := snos.Task{ID: x.GetId(), Batch: x.GetBatch(), StartBlock: x.GetStartBlock(), EndBlock: x.GetEndBlock(),
			FullOutput: x.GetFullOutput(), Inputs: x.GetInputs(), OutputPrefix: x.GetOutputPrefix(),
			UseBackup: x.GetUseBackup(), StarknetVersion: x.GetStarknetVersion(), RPC: x.GetRpc(),
			Callback: x.GetCallback(), Kind: task.Kind,
			Chain: snos.Chain{ID: x.GetChain().GetId(), FeeToken: x.GetChain().GetFeeToken(),
				EthFeeToken: x.GetChain().GetEthFeeToken(), PublicKeys: x.GetChain().GetPublicKeys()}}
		if d := cmp.Diff(task, back); d != "" || uint64(x.GetKind()) != kinds[task.Kind] {
			t.Errorf("kind %v: %s", x.GetKind(), d)
		}
		if len(got.ProtoReflect().GetUnknown())+len(x.ProtoReflect().GetUnknown()) > 0 {
			t.Error("fields that the generated code does not know")
		}
	}
	b, err := proto.Marshal(&runnerpb.StatusResponse{State: runnerpb.State_STATE_FAILED,
		Failure: runnerpb.Failure_FAILURE_REJECTED, Detail: "d"})
	m, derr := decode(b)
	if err != nil || derr != nil || states[m.number[fieldState]] != snos.Failed ||
		failures[m.number[fieldFailure]] != snos.Rejected || m.text[fieldDetail] != "d" {
		t.Errorf("%+v, %v, %v", m, err, derr)
	}
	if len(states) != len(runnerpb.State_name)-1 || len(failures) != len(runnerpb.Failure_name)-1 ||
		len(kinds) != len(runnerpb.Kind_name)-1 ||
		len(healths) != len(health.HealthCheckResponse_ServingStatus_name)-1 {
		t.Error("an enum has other values than the tables")
	}
	if runnerpb.Runner_ServiceDesc.ServiceName != service || health.Health_ServiceDesc.ServiceName != healthService {
		t.Error("a service has another name")
	}
}

// FuzzDecode wants no panic, whatever a runner answers.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{8, 4, 16, 5, 26, 1, 'd'})
	f.Add([]byte{255, 255})
	f.Fuzz(func(_ *testing.T, b []byte) {
		if out, s := unframe(b); s.code == ok {
			_, _ = decode(out)
		}
		_, _ = decode(b)
	})
}
