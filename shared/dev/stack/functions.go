package stack

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Build compiles functions for this machine, with the flags of infra so that one compilation serves both, and returns
// the folder of the programs, which have the functions' names. root is the project's; without names all are compiled.
// Their queues are SQS's.
func Build(ctx context.Context, root, folder string, names ...string) (string, error) {
	return compile(ctx, root, folder, "lambda.norpc", names)
}

// BuildForAll is Build of functions whose queues are what their settings say: SQS's, or Kafka's topics.
func BuildForAll(ctx context.Context, root, folder string, names ...string) (string, error) {
	return compile(ctx, root, folder, "lambda.norpc,kafka", names)
}

func compile(ctx context.Context, root, folder, tags string, names []string) (string, error) {
	dir, err := filepath.Abs(filepath.Join(root, "build", folder))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags", tags, "-ldflags", "-s -w",
		"-o", dir + "/"}
	for _, n := range names {
		args = append(args, "./functions/"+n)
	}
	if len(names) == 0 {
		args = append(args, "./functions/...")
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the functions: %w: %s", err, out)
	}
	return dir, nil
}

// NewPlatform returns a platform with a deployment's queues and schedules, as shared/resource declares them for its
// layer. The functions are the caller's to add. Schedules run 60 times as often, at most every two seconds.
func NewPlatform(name string, l stage.Layer, queues queue.Queue) *devlambda.Platform {
	p := &devlambda.Platform{
		Queues: queues, Functions: map[string]devlambda.Function{}, Timeouts: map[string]time.Duration{},
		Trigger: resource.FnTrigger, LongPoll: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
	for _, q := range resource.Queues() {
		if slices.Contains(q.Layers, l) {
			p.Mappings = append(p.Mappings, devlambda.Mapping{
				Queue: resource.Physical(name, q.Name), Function: q.Function,
				BatchSize: q.BatchSize, MaxConcurrency: 1,
			})
		}
	}
	for _, s := range resource.Schedules() {
		if slices.Contains(s.Layers, l) {
			p.Ticks = append(p.Ticks, devlambda.Tick{Stage: s.Stage, Every: max(s.Every/60, 2*time.Second)})
		}
	}
	return p
}

// Consumers are the functions of a layer that queues and schedules invoke: all but those behind HTTP.
func Consumers(l stage.Layer) []resource.Function {
	var out []resource.Function
	for _, f := range resource.Functions() {
		if f.Name != resource.FnAPI && f.Name != resource.FnHooks && !f.Optional && slices.Contains(f.Layers, l) {
			out = append(out, f)
		}
	}
	return out
}
