package setup

import (
	"context"
	"errors"
	"io"

	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// measuredProver measures each call to a prover, whichever it is.
type measuredProver struct{ proof.Prover }

// called ends a measurement. A rejection is an answer: the service works.
func called(done func(error), err error) {
	if errors.Is(err, proof.ErrRejected) || errors.Is(err, proof.ErrNotReady) || errors.Is(err, snos.ErrBusy) {
		err = nil
	}
	done(err)
}

// Submit implements proof.Prover.
func (p measuredProver) Submit(ctx context.Context, r proof.Request) (string, error) {
	done := metric.Call(ctx, metric.Prover, "submit")
	task, err := p.Prover.Submit(ctx, r)
	called(done, err)
	return task, err
}

// Status implements proof.Prover.
func (p measuredProver) Status(ctx context.Context, task string) (proof.Progress, error) {
	done := metric.Call(ctx, metric.Prover, "status")
	progress, err := p.Prover.Status(ctx, task)
	called(done, err)
	return progress, err
}

// Fetch implements proof.Prover.
func (p measuredProver) Fetch(ctx context.Context, task string, a proof.Artifact) (io.ReadCloser, error) {
	done := metric.Call(ctx, metric.Prover, "fetch")
	body, err := p.Prover.Fetch(ctx, task, a)
	called(done, err)
	return body, err
}

// OpenBucket implements proof.Prover.
func (p measuredProver) OpenBucket(ctx context.Context, externalID, starknetVersion string) (string, error) {
	done := metric.Call(ctx, metric.Prover, "open bucket")
	bucket, err := p.Prover.OpenBucket(ctx, externalID, starknetVersion)
	called(done, err)
	return bucket, err
}

// CloseBucket implements proof.Prover.
func (p measuredProver) CloseBucket(ctx context.Context, bucket string) (string, error) {
	done := metric.Call(ctx, metric.Prover, "close bucket")
	task, err := p.Prover.CloseBucket(ctx, bucket)
	called(done, err)
	return task, err
}

// measuredRunner measures each call to a SNOS runner, whichever it is.
type measuredRunner struct{ snos.Runner }

// Submit implements snos.Runner.
func (r measuredRunner) Submit(ctx context.Context, t snos.Task) (string, error) {
	done := metric.Call(ctx, metric.SnosRunner, "submit")
	handle, err := r.Runner.Submit(ctx, t)
	called(done, err)
	return handle, err
}

// Status implements snos.Runner.
func (r measuredRunner) Status(ctx context.Context, handle string) (snos.Progress, error) {
	done := metric.Call(ctx, metric.SnosRunner, "status")
	progress, err := r.Runner.Status(ctx, handle)
	called(done, err)
	return progress, err
}

// Cancel implements snos.Runner.
func (r measuredRunner) Cancel(ctx context.Context, handle string) error {
	done := metric.Call(ctx, metric.SnosRunner, "cancel")
	err := r.Runner.Cancel(ctx, handle)
	called(done, err)
	return err
}
