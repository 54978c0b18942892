// Package batchrunner is a SNOS runner on AWS Batch: each run is a container (package contract says what it gets and
// gives) on Fargate, which costs nothing while nothing runs.
package batchrunner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/batch"
	"github.com/aws/aws-sdk-go-v2/service/batch/types"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// Config names what the stack made.
type Config struct {
	Queue      string        // name or ARN of the job queue
	Definition string        // name or ARN of the job definition
	Chain      string        // the chain's name, a tag of every run
	Timeout    time.Duration // of a request; 0 is 20 s
}

// Client is a snos.Runner. A run's handle is Batch's job id.
type Client struct {
	api *batch.Client
	c   Config
}

var _ snos.Runner = (*Client)(nil)

// New returns a client. It makes no request.
func New(cfg aws.Config, c Config) *Client {
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
	}
	return &Client{api: batch.NewFromConfig(cfg), c: c}
}

// name is the job name of a task: Batch takes letters, digits, - and _, and finds jobs by it without regard to case.
func name(t snos.Task) string {
	sum := sha256.Sum256([]byte(t.ID))
	return snos.RunName(t.Kind, t.Batch, hex.EncodeToString(sum[:16]))
}

// Submit implements snos.Runner. Batch has no idempotency token, so a task is known by its job's name: it is looked for
// before, and after, since two may have submitted at once; then the earliest job stays and the others are ended.
func (c *Client) Submit(ctx context.Context, t snos.Task) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.c.Timeout)
	defer cancel()
	text, err := contract.Encode(t)
	if err != nil {
		return "", fmt.Errorf("AWS Batch: %w", err)
	}
	if id, err := c.find(ctx, name(t)); err != nil || id != "" {
		return id, err
	}
	out, err := c.api.SubmitJob(ctx, &batch.SubmitJobInput{
		JobName: aws.String(name(t)), JobQueue: &c.c.Queue, JobDefinition: &c.c.Definition,
		Tags: map[string]string{contract.ChainTag: c.c.Chain},
		ContainerOverrides: &types.ContainerOverrides{
			Environment: []types.KeyValuePair{{Name: aws.String(contract.TaskVariable), Value: &text}}},
	})
	if err != nil {
		return "", fmt.Errorf("AWS Batch: submit %s: %w", t.ID, err)
	}
	mine := aws.ToString(out.JobId)
	if mine == "" {
		return "", fmt.Errorf("AWS Batch: submit %s: its answer has no job id", t.ID)
	}
	first, err := c.find(ctx, name(t))
	if err != nil {
		return "", err
	}
	if first == "" || first == mine { // "": the list lags behind, as it may
		return mine, nil
	}
	return first, c.end(ctx, mine, "another run of the same task was first")
}

// find returns the id of the earliest job of a name; "" where there is none.
func (c *Client) find(ctx context.Context, name string) (string, error) {
	pages := batch.NewListJobsPaginator(c.api, &batch.ListJobsInput{
		JobQueue: &c.c.Queue, Filters: []types.KeyValuesPair{{Name: aws.String("JOB_NAME"), Values: []string{name}}},
	})
	var all []types.JobSummary
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", fmt.Errorf("AWS Batch: look for %s: %w", name, err)
		}
		for _, j := range page.JobSummaryList {
			if strings.EqualFold(aws.ToString(j.JobName), name) && aws.ToString(j.JobId) != "" {
				all = append(all, j)
			}
		}
	}
	if len(all) == 0 {
		return "", nil
	}
	first := slices.MinFunc(all, func(a, b types.JobSummary) int {
		if d := aws.ToInt64(a.CreatedAt) - aws.ToInt64(b.CreatedAt); d != 0 {
			return int(max(min(d, 1), -1))
		}
		return strings.Compare(aws.ToString(a.JobId), aws.ToString(b.JobId))
	})
	return aws.ToString(first.JobId), nil
}

// idPattern is what Batch's job ids look like; a handle that does not is not asked for.
var idPattern = regexp.MustCompile(`^[0-9a-zA-Z-]{1,128}$`)

// describe returns a job, nil for one that Batch does not know.
func (c *Client) describe(ctx context.Context, handle string) (*types.JobDetail, error) {
	if !idPattern.MatchString(handle) {
		return nil, nil
	}
	out, err := c.api.DescribeJobs(ctx, &batch.DescribeJobsInput{Jobs: []string{handle}})
	if err != nil {
		return nil, fmt.Errorf("AWS Batch: status of %s: %w", handle, err)
	}
	for _, j := range out.Jobs {
		if aws.ToString(j.JobId) == handle {
			return &j, nil
		}
	}
	return nil, nil
}

// Status implements snos.Runner. Batch forgets jobs some days after they have ended.
func (c *Client) Status(ctx context.Context, handle string) (snos.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, c.c.Timeout)
	defer cancel()
	j, err := c.describe(ctx, handle)
	if err != nil {
		return snos.Progress{}, err
	}
	if j == nil {
		return snos.Progress{State: snos.Lost}, nil
	}
	switch j.Status {
	case types.JobStatusSubmitted, types.JobStatusPending, types.JobStatusRunnable:
		// Batch says why a job can't start, such as CAPACITY:... or MISCONFIGURATION:... (AWS Batch, "Jobs stuck in a
		// RUNNABLE status"), and nothing of one that waits its turn.
		return snos.Progress{State: snos.Queued, Detail: bounded(aws.ToString(j.StatusReason))}, nil
	case types.JobStatusStarting, types.JobStatusRunning:
		return snos.Progress{State: snos.Running}, nil
	case types.JobStatusSucceeded:
		return snos.Progress{State: snos.Succeeded}, nil
	case types.JobStatusFailed:
		kind, detail := outcome(j)
		return snos.Progress{State: snos.Failed, Failure: kind, Detail: detail}, nil
	}
	return snos.Progress{}, fmt.Errorf("AWS Batch: status of %s: unknown state %.40q", handle, j.Status)
}

// reasons are texts in what Batch and ECS say of an ended run, and what they mean. The first that occurs decides.
var reasons = []struct {
	text string
	kind snos.FailureKind
}{
	{"OutOfMemory", snos.OutOfMemory},                 // "OutOfMemoryError: Container killed due to memory usage"
	{"exceeded timeout", snos.TimedOut},               // "Job attempt duration exceeded timeout"
	{"Spot", snos.Interrupted},                        // "Your Spot Task was interrupted.", "Spot interruption"
	{"Host EC2", snos.Interrupted},                    // "Host EC2 (instance i-..) terminated."
	{"ResourceInitializationError", snos.Interrupted}, // ECS could not give the task its network, disk or logs
	{"CannotPullContainer", snos.Rejected},            // the image's name or the right to pull it is wrong
	{"CannotStartContainer", snos.Rejected},
}

// maxDetail bounds what Batch says of a job, in bytes.
const maxDetail = 500

func bounded(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "")
	}
	return text
}

// outcome says why a job failed: by what Batch and ECS say of it, else by the container's exit code.
func outcome(j *types.JobDetail) (snos.FailureKind, string) {
	status, reason, logs := aws.ToString(j.StatusReason), "", ""
	var code *int32
	if c := j.Container; c != nil {
		reason, code, logs = aws.ToString(c.Reason), c.ExitCode, aws.ToString(c.LogStreamName)
	}
	var said []string
	for _, s := range []string{status, reason} {
		if s != "" {
			said = append(said, s)
		}
	}
	if code != nil {
		said = append(said, fmt.Sprintf("exit code %d", *code))
	}
	if logs != "" {
		said = append(said, "logs in "+logs)
	}
	if len(said) == 0 {
		said = []string{"AWS Batch does not say why"}
	}
	detail := bounded(strings.Join(said, "; "))
	for _, r := range reasons {
		if strings.Contains(status, r.text) || strings.Contains(reason, r.text) {
			return r.kind, detail
		}
	}
	if code != nil {
		return contract.Failure(int(*code)), detail
	}
	return "", detail
}

// Cancel implements snos.Runner.
func (c *Client) Cancel(ctx context.Context, handle string) error {
	ctx, cancel := context.WithTimeout(ctx, c.c.Timeout)
	defer cancel()
	j, err := c.describe(ctx, handle)
	if err != nil || j == nil || j.Status == types.JobStatusSucceeded || j.Status == types.JobStatusFailed {
		return err
	}
	return c.end(ctx, handle, "canceled by the orchestrator")
}

// end stops a job in any state.
func (c *Client) end(ctx context.Context, id, reason string) error {
	if _, err := c.api.TerminateJob(ctx, &batch.TerminateJobInput{JobId: &id, Reason: &reason}); err != nil {
		return fmt.Errorf("AWS Batch: end %s: %w", id, err)
	}
	return nil
}

// Ping implements snos.Runner: the queue takes jobs and the definition is there.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.c.Timeout)
	defer cancel()
	qs, err := c.api.DescribeJobQueues(ctx, &batch.DescribeJobQueuesInput{JobQueues: []string{c.c.Queue}})
	if err != nil {
		return fmt.Errorf("AWS Batch: job queue %s: %w", c.c.Queue, err)
	}
	if len(qs.JobQueues) == 0 {
		return fmt.Errorf("AWS Batch: there is no job queue %s", c.c.Queue)
	}
	if q := qs.JobQueues[0]; q.State != types.JQStateEnabled || q.Status != types.JQStatusValid {
		return fmt.Errorf("AWS Batch: job queue %s is %s and %s: %s",
			c.c.Queue, q.State, q.Status, aws.ToString(q.StatusReason))
	}
	in := &batch.DescribeJobDefinitionsInput{Status: aws.String("ACTIVE")}
	if strings.HasPrefix(c.c.Definition, "arn:") {
		in.JobDefinitions = []string{c.c.Definition}
	} else {
		in.JobDefinitionName = &c.c.Definition
	}
	ds, err := c.api.DescribeJobDefinitions(ctx, in)
	if err == nil && len(ds.JobDefinitions) == 0 {
		err = errors.New("there is none that is active")
	}
	if err != nil {
		return fmt.Errorf("AWS Batch: job definition %s: %w", c.c.Definition, err)
	}
	return nil
}
