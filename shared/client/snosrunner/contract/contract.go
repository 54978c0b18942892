// Package contract is what a SNOS container and whoever starts it agree on: environment variables in, artifacts and an
// exit code out. README.md here shows an operator how to make such a container.
package contract

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// ChainTag is the tag of a run that names its chain: who may end it is decided by it.
const ChainTag = "orchestrator:chain"

// Variables that the job definition sets, the same for all runs.
const (
	Bucket    = "SNOS_BUCKET"     // S3 bucket of the artifacts
	Layer     = "SNOS_LAYER"      // l2 or l3: an L3's run writes its DA segment
	RPC       = "SNOS_RPC"        // URL of the app chain's node
	BackupRPC = "SNOS_BACKUP_RPC" // URL of its backup node; may be missing
)

// TaskVariable holds the run's task, a Task as JSON.
const TaskVariable = "SNOS_TASK"

// Exit codes of the container. The last two are not the program's own: the shell and the kernel give them.
const (
	ExitDone             = 0   // all artifacts are written, the result last
	ExitRejected         = 65  // the program refuses the input: the same run would fail again
	ExitChainUnavailable = 69  // the node could not be read: run again with the backup node
	ExitInterrupted      = 75  // it was asked to end (SIGTERM): run again
	ExitMisconfigured    = 78  // a variable is missing or wrong, or there is no such program
	ExitTimedOut         = 124 // it passed its time limit
	ExitKilled           = 137 // SIGKILL, which here means out of memory
)

// Failure is what an exit code other than ExitDone means; "" where it means nothing in particular, so that the run is
// worth another attempt.
func Failure(code int) snos.FailureKind {
	switch code {
	case ExitRejected, ExitMisconfigured:
		return snos.Rejected
	case ExitChainUnavailable:
		return snos.ChainUnavailable
	case ExitInterrupted:
		return snos.Interrupted
	case ExitTimedOut:
		return snos.TimedOut
	case ExitKilled:
		return snos.OutOfMemory
	}
	return ""
}

// Task is a snos.Task as JSON.
type Task struct {
	Kind            snos.Kind  `json:"kind"`
	ID              string     `json:"id"`
	Batch           uint64     `json:"batch"`
	StartBlock      uint64     `json:"start_block"`
	EndBlock        uint64     `json:"end_block"`
	StarknetVersion string     `json:"starknet_version,omitempty"`
	FullOutput      bool       `json:"full_output"`
	Inputs          []string   `json:"inputs,omitempty"`
	OutputPrefix    string     `json:"output_prefix"`
	UseBackup       bool       `json:"use_backup"`
	Chain           snos.Chain `json:"chain,omitzero"`
	RPC             string     `json:"rpc,omitempty"`
	Callback        string     `json:"callback,omitempty"`
}

// MaxTask bounds a task's JSON in bytes: ECS takes 8192 for all overrides of a run.
const MaxTask = 7 << 10

// Encode writes a task. The error says what to change when it is too large.
func Encode(t snos.Task) (string, error) {
	b, err := json.Marshal(Task(t))
	if err != nil {
		return "", fmt.Errorf("encode task: %w", err)
	}
	if len(b) > MaxTask {
		return "", fmt.Errorf("task %s has %d bytes of JSON with its %d inputs, at most %d: lower BATCH_SNOS_BATCHES",
			t.ID, len(b), len(t.Inputs), MaxTask)
	}
	return string(b), nil
}

// Decode reads and checks a task.
func Decode(text string) (snos.Task, error) {
	var t Task
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return snos.Task{}, fmt.Errorf("task: %w", err)
	}
	switch {
	case t.Kind != snos.Run && t.Kind != snos.Aggregate:
		return snos.Task{}, fmt.Errorf("task: kind %.40q: want %s or %s", t.Kind, snos.Run, snos.Aggregate)
	case t.ID == "":
		return snos.Task{}, fmt.Errorf("task: it has no id")
	case t.StartBlock > t.EndBlock:
		return snos.Task{}, fmt.Errorf("task: blocks %d to %d", t.StartBlock, t.EndBlock)
	case !plainPrefix(t.OutputPrefix):
		return snos.Task{}, fmt.Errorf("task: output_prefix %.80q: want a path that ends in /", t.OutputPrefix)
	case t.Kind == snos.Aggregate && len(t.Inputs) == 0:
		return snos.Task{}, fmt.Errorf("task: an aggregation without inputs")
	}
	return snos.Task(t), nil
}

func plainPrefix(p string) bool {
	return strings.HasSuffix(p, "/") && !strings.HasPrefix(p, "/") && !strings.Contains(p, "..")
}

// Outputs are the keys that a run writes, the result last.
func Outputs(t snos.Task, layer string) []string {
	names := []string{artifact.PIE, artifact.ProgramOutput}
	if t.Kind == snos.Run {
		names = append(names, artifact.OSOutput)
	}
	if t.Kind == snos.Aggregate || layer == "l3" {
		names = append(names, artifact.DASegment)
	}
	keys := make([]string, 0, len(names)+1)
	for _, n := range append(names, artifact.RunResult) {
		keys = append(keys, t.OutputPrefix+n)
	}
	return keys
}
