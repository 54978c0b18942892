package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/service/sending"
	"github.com/madara-orchestrator/orchestrator/shared/service/statetransition"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// proof has the form of Stone's, with an output.
func proof(words []felt.Felt) string {
	var cells []string
	for i, w := range words {
		cells = append(cells, fmt.Sprintf(`{"address":%d,"page":0,"value":"%s"}`, 100+i, w))
	}
	return fmt.Sprintf(`{"public_input":{"memory_segments":{"output":{"begin_addr":100,"stop_ptr":%d}},`+
		`"public_memory":[%s]},"proof_hex":"0x"}`,
		100+len(words), strings.Join(cells, ","))
}

// seen is a contract that keeps the update that it was to encode.
type seen struct{ update settlement.Update }

var errSeen = errors.New("seen")

func (*seen) State(context.Context, bool) (settlement.State, error) { return settlement.State{}, nil }
func (*seen) Config(context.Context) (settlement.Config, error)     { return settlement.Config{}, nil }
func (s *seen) Encode(_ context.Context, u settlement.Update, _ settlement.State,
	_ settlement.Config) (tx.Payload, error) {
	s.update = u
	return tx.Payload{}, errSeen
}

// TestOutputsOfProofs: an L3's state transition takes both outputs out of the proofs' public inputs, and the run's
// artifact where the proofs have none.
func TestOutputsOfProofs(t *testing.T) {
	t.Parallel()
	f := felt.FromUint64
	words := output.Output{NewRoot: f(2), PrevBlock: felt.MinusOne(), ConfigHash: f(3)}.Words()
	snos := output.Bootloaded(f(9), words)
	bridge := output.LayoutBridge(f(7), f(8), snos)
	for name, c := range map[string]struct {
		snos, bridge         string
		wantSnos, wantBridge []felt.Felt
		fatal                bool
	}{
		"proofs":       {proof(snos), proof(bridge), snos, bridge, false},
		"mock proofs":  {`{"mock_proof":"x"}`, `{"mock_proof":"x"}`, words, nil, false},
		"broken proof": {proof(snos), `{"public_input":{"memory_segments":{}}}`, nil, nil, true},
		"cut proof":    {proof(snos)[:40], proof(bridge), nil, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			store := memory.NewArtifacts(nil)
			m := &job.StateTransitionMeta{ProgramOutputKey: "output", ProofKey: "proof", BridgeProofKey: "bridge"}
			err := errors.Join(artifact.WriteFelts(ctx, store, m.ProgramOutputKey, words),
				store.Put(ctx, m.ProofKey, strings.NewReader(c.snos)),
				store.Put(ctx, m.BridgeProofKey, strings.NewReader(c.bridge)))
			if err != nil {
				t.Fatal(err)
			}
			contract := &seen{}
			h := &statetransition.Handler{Contract: contract, Artifacts: store,
				Codec: protocol.StarknetCodec(), Sender: &sending.Sender{
					Chain: l1.New(nil, l1.Config{}), Raw: store, Policy: tx.StarknetPolicy(), Now: time.Now,
					Lease: memory.NewLocks(nil), LeaseName: "w",
				}}
			err = h.Process(ctx, executor.NewRun(job.New("1", 1, m, "", time.Now()), memory.NewJobs(nil)))
			if job.IsPermanent(err) != c.fatal || !c.fatal && !errors.Is(err, errSeen) {
				t.Fatalf("Process: %v", err)
			}
			if u := contract.update; !c.fatal &&
				(!slices.Equal(u.ProgramOutput, c.wantSnos) || !slices.Equal(u.BridgeOutput, c.wantBridge)) {
				t.Errorf("update %+v", u)
			}
		})
	}
}

func TestStarknetCodec(t *testing.T) {
	t.Parallel()
	words := output.Output{NewRoot: felt.FromUint64(2), PrevBlock: felt.MinusOne()}.Words()
	for _, whole := range [][]felt.Felt{words, output.Bootloaded(felt.FromUint64(9), words)} {
		if got, err := protocol.StarknetCodec().UpdateWords(whole); err != nil || !slices.Equal(got, words) {
			t.Errorf("%v, %v", got, err)
		}
	}
	if _, err := protocol.StarknetCodec().Blobs(words); err == nil {
		t.Error("blobs for Starknet")
	}
}
