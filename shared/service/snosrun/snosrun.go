// Package snosrun runs the Starknet OS over a SNOS batch: the SnosRun job.
package snosrun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

// maxResult bounds a run's result file in bytes.
const maxResult = 64 << 10

// Handler submits a batch to the runner and waits for its artifacts.
type Handler struct {
	Runner    snos.Runner
	Artifacts artifact.Store
	// ConfigHash is the config hash that the chain's settings have at a Starknet version; nil: it is not compared.
	ConfigHash func(starknetVersion string) (felt.Felt, error)
}

var _ executor.Handler = (*Handler)(nil)

// Process records the task's id, then submits it; a repeated call submits the same task.
func (h *Handler) Process(ctx context.Context, r *executor.Run) error {
	m, err := executor.Meta[*job.SnosRunMeta](r)
	if err != nil {
		return err
	}
	if m.TaskID == "" {
		m.TaskID = r.Job.AttemptID()
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
	}
	m.Handle, err = h.Runner.Submit(ctx, snos.Task{
		Kind: snos.Run, ID: m.TaskID, Batch: r.Job.Batch, StartBlock: m.StartBlock, EndBlock: m.EndBlock,
		StarknetVersion: m.StarknetVersion, FullOutput: m.FullOutput,
		OutputPrefix: m.OutputPrefix, UseBackup: m.UseBackup,
	})
	if err != nil {
		return fmt.Errorf("submit SNOS batch %d (blocks %d to %d): %w", r.Job.Batch, m.StartBlock, m.EndBlock, err)
	}
	r.Job.ExternalID = m.Handle
	return nil
}

// Verify asks the runner; when it is done the artifacts must be there and be those of the batch.
func (h *Handler) Verify(ctx context.Context, r *executor.Run) (job.Verdict, error) {
	m, err := executor.Meta[*job.SnosRunMeta](r)
	if err != nil {
		return job.Verdict{}, err
	}
	p, err := h.Runner.Status(ctx, m.Handle)
	if err != nil {
		return job.Verdict{}, fmt.Errorf("ask the runner for %s: %w", m.Handle, err)
	}
	if p.State != snos.Succeeded {
		v, again := Unfinished(p)
		if again {
			m.TaskID = ""
		}
		m.UseBackup = m.UseBackup || p.Failure == snos.ChainUnavailable
		return v, nil
	}
	res, err := ReadResult(ctx, h.Artifacts, m.OutputPrefix)
	if errors.Is(err, ErrCorrupt) {
		m.TaskID = ""
		return job.Rejected("%v", err), nil
	}
	if err != nil {
		return job.Verdict{}, err
	}
	if res.Kind != snos.Run || res.StartBlock != m.StartBlock || res.EndBlock != m.EndBlock {
		m.TaskID = ""
		return job.Rejected("the run's result is about %s of blocks %d to %d, want %d to %d",
			res.Kind, res.StartBlock, res.EndBlock, m.StartBlock, m.EndBlock), nil
	}
	if v, ok, err := h.configured(ctx, m); err != nil || !ok {
		return v, err
	}
	m.ProgramHash, m.Steps, m.Fact = res.ProgramHash, res.Steps, res.Fact
	return job.Verified(), nil
}

// configAt is where a state update's words have the config hash, counted from 0 (protocol: program output).
const configAt = 7

// configured compares the config hash of the run's output with the one that the chain's settings have: a run over
// another chain id, fee token or committee can't be settled, and is found here before anything is paid for.
func (h *Handler) configured(ctx context.Context, m *job.SnosRunMeta) (v job.Verdict, ok bool, err error) {
	if h.ConfigHash == nil || m.StarknetVersion == "" {
		return v, true, nil
	}
	want, err := h.ConfigHash(m.StarknetVersion)
	if err != nil {
		return job.NeverPossible("the config hash at Starknet %s can't be computed from the settings: %v",
			m.StarknetVersion, err), false, nil
	}
	words, err := artifact.ReadFirstFelts(ctx, h.Artifacts, m.OutputPrefix+artifact.OSOutput, configAt+1)
	if errors.Is(err, artifact.ErrCorrupt) || errors.Is(err, artifact.ErrNotFound) {
		m.TaskID = ""
		return job.Rejected("%v", err), false, nil
	}
	if err != nil {
		return v, false, err
	}
	if words[configAt] != want {
		m.TaskID = "" // a retry runs again
		return job.NeverPossible("SNOS ran with config hash %s, the settings have %s at Starknet %s: let CHAIN_ID, "+
			"CHAIN_FEE_TOKEN_ADDRESS and "+
			"CHAIN_DA_PUBLIC_KEYS be what the chain and the SNOS runner are set up with, then retry; nothing was sent",
			words[configAt], want, m.StarknetVersion), false, nil
	}
	return v, true, nil
}

func state(p snos.Progress) string {
	if p.Detail == "" {
		return "run is " + string(p.State)
	}
	return fmt.Sprintf("run is %s: %s", p.State, p.Detail)
}

// Unfinished is the verdict on a run that has not succeeded; again says that the next one needs a new task id.
func Unfinished(p snos.Progress) (v job.Verdict, again bool) {
	switch p.State {
	case snos.Queued: // the runner has too much to do: no run is late before it has begun
		return job.Queued("%s", state(p)), false
	case snos.Running:
		return job.Pending("%s", state(p)), false
	case snos.Lost:
		return job.Lost("the runner does not know the task"), false
	}
	switch p.Failure {
	case snos.Interrupted, snos.ChainUnavailable:
		return job.Lost("run failed (%s): %s", p.Failure, p.Detail), true
	}
	return job.Rejected("run failed (%s): %s", p.Failure, p.Detail), true
}

// ErrCorrupt says that an artifact of a finished run is missing or can't be read.
var ErrCorrupt = errors.New("artifact of the run is corrupt")

// ReadResult reads a finished run's result and checks that its other artifacts are there. ErrCorrupt where they are
// not.
func ReadResult(ctx context.Context, s artifact.Store, prefix string) (snos.Result, error) {
	var res snos.Result
	b, err := artifact.ReadAll(ctx, s, prefix+artifact.RunResult, maxResult)
	if errors.Is(err, artifact.ErrNotFound) || errors.Is(err, artifact.ErrTooLarge) {
		return res, fmt.Errorf("%s: %w: %w", prefix+artifact.RunResult, ErrCorrupt, err)
	}
	if err != nil {
		return res, fmt.Errorf("read %s: %w", prefix+artifact.RunResult, err)
	}
	if err := json.Unmarshal(b, &res); err != nil {
		return res, fmt.Errorf("%s: %w: %w", prefix+artifact.RunResult, ErrCorrupt, err)
	}
	for _, name := range []string{artifact.PIE, artifact.ProgramOutput} {
		info, err := s.Stat(ctx, prefix+name)
		if errors.Is(err, artifact.ErrNotFound) || (err == nil && info.Size == 0) {
			return res, fmt.Errorf("%s is missing or empty: %w", prefix+name, ErrCorrupt)
		}
		if err != nil {
			return res, fmt.Errorf("look for %s: %w", prefix+name, err)
		}
	}
	return res, nil
}
