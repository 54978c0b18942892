package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// environment is the function's: the user's file, or a sandbox of real components in which the jobs that the event
// names exist and are due. done is never nil.
func environment(ctx context.Context, o options, event []byte,
	stderr io.Writer) (env []string, done func(), err error) {
	done = func() {}
	if o.env != "" {
		if env, err = config.ReadFile(o.env); err != nil {
			return nil, done, err
		}
		return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...), done, nil
	}
	fmt.Fprintln(stderr, "sandbox: starting mongod, moto, anvil and a development chain (ENV=FILE names your own)")
	urls := map[string]string{}
	for _, name := range []string{"mongod", "moto", "anvil"} {
		if urls[name], err = tools.Start(name); err != nil {
			return nil, done, err
		}
	}
	s, err := stack.Start(ctx,
		stack.Options{Name: "invoke", Blocks: 12, Mongo: urls["mongod"], AWS: urls["moto"], Ethereum: urls["anvil"],
			Settings: map[string]string{"API_ADMIN": "true"}})
	done = s.Close
	if err != nil {
		return nil, done, err
	}
	return s.Env, done, seed(ctx, s, event, stderr)
}

// jobPath is the path of a request about a job.
var jobPath = regexp.MustCompile(`^/jobs/([0-9a-f]{32})(/|$)`)

// seed stores the jobs that a queue's event is about, and the failed job that a request of the API is about. Other
// events need none.
func seed(ctx context.Context, s *stack.Sandbox, event []byte, stderr io.Writer) error {
	var e struct {
		events.SQSEvent
		RawPath string `json:"rawPath"`
	}
	if json.Unmarshal(event, &e) != nil {
		return nil
	}
	if err := s.DB.EnsureIndexes(ctx); err != nil {
		return err
	}
	if m := jobPath.FindStringSubmatch(e.RawPath); m != nil {
		j := job.New(m[1], 1, metadata(job.SnosRun), "", time.Now().Add(-time.Minute)).FailedPermanently(time.Now(),
			errors.New("made to fail, for the sandbox"))
		if err := s.DB.Jobs().Create(ctx, j); err != nil && !errors.Is(err, job.ErrExists) {
			return err
		}
		fmt.Fprintf(stderr, "sandbox: job %s (%s of batch 1) is there and has failed\n", j.ID, j.Type)
	}
	for _, r := range e.Records {
		m, err := job.DecodeMessage(r.Body)
		if err != nil {
			continue // the function is to say so
		}
		j := job.New(m.JobID, 1, metadata(m.Type), m.TraceID, time.Now().Add(-time.Minute))
		j.Generation = m.Generation
		if m.Action == job.Verify {
			j.Status, j.NextAction = job.PendingVerification, job.Verify
		}
		if err := s.DB.Jobs().Create(ctx, j); err != nil && !errors.Is(err, job.ErrExists) {
			return err
		}
		fmt.Fprintf(stderr, "sandbox: job %s (%s of batch 1) is there, its %s is due\n", j.ID, j.Type, j.NextAction)
	}
	return nil
}

// metadata is that of a type's job for blocks 0 to 3.
func metadata(t job.Type) job.Metadata {
	const last = 3
	switch t {
	case job.SnosRun:
		return &job.SnosRunMeta{EndBlock: last, FullOutput: true, OutputPrefix: artifact.SNOSPrefix(1)}
	case job.ProofCreation:
		return &job.ProofCreationMeta{EndBlock: last, PIEKey: artifact.SNOSKey(1, artifact.PIE)}
	case job.ProofRegistration:
		return &job.ProofRegistrationMeta{EndBlock: last, ProofKey: artifact.SNOSKey(1, artifact.Proof)}
	case job.DataSubmission:
		return &job.DataSubmissionMeta{EndBlock: last, SegmentKey: artifact.SNOSKey(1, artifact.DASegment)}
	case job.Aggregator:
		return &job.AggregatorMeta{FirstSnos: 1, LastSnos: 1, EndBlock: last,
			OutputPrefix: artifact.AggregatorPrefix(1)}
	}
	return &job.StateTransitionMeta{
		EndBlock: last, ProgramOutputKey: artifact.AggregatorKey(1, artifact.ProgramOutput),
		DASegmentKey: artifact.AggregatorKey(1, artifact.DASegment),
	}
}
