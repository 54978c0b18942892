package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/functions"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	_ "github.com/madara-orchestrator/orchestrator/shared/setup/topics" // an environment may name brokers of Kafka
)

// target is a function with what is around it: the user's own parts, or a sandbox.
type target struct {
	path  string   // of the program
	env   []string // of its process
	event []byte
	layer stage.Layer
	store job.Store // nil: it can't be read, and the function is to say why
	about map[string]wanted
	done  func()
}

// close ends a sandbox. A nil target has none.
func (t *target) close() {
	if t != nil && t.done != nil {
		t.done()
	}
}

// jobs reads the jobs that the event is about.
func (t *target) jobs(ctx context.Context) (map[string]job.Job, error) {
	if t.store == nil {
		return nil, nil
	}
	return jobsOf(ctx, t.store, t.about)
}

// open compiles the function and makes what is around it. Close the target also after an error.
func open(ctx context.Context, o options, event []byte, ws map[string]wanted, stderr io.Writer) (*target, error) {
	if o.env != "" {
		return own(ctx, o, event, ws, stderr)
	}
	dir, err := functions.Compile(ctx, ".", functions.Here(false))
	if err != nil {
		return nil, err
	}
	t := &target{path: filepath.Join(dir, o.fn), layer: layerOf(ws)}
	s, err := startSandbox(ctx, dir, t.layer, stderr)
	t.done = s.Close
	if err != nil {
		return t, err
	}
	if t.event, err = s.prepare(ctx, event, ws); err != nil {
		return t, err
	}
	t.env, t.store = s.Env, s.DB.Jobs()
	t.about, err = wants(t.event)
	return t, err
}

// own is a target of the user's own parts.
func own(ctx context.Context, o options, event []byte, ws map[string]wanted, stderr io.Writer) (*target, error) {
	env, err := config.ReadFile(o.env)
	if err != nil {
		return nil, err
	}
	dir, err := functions.Compile(ctx, ".", functions.Here(true), o.fn)
	if err != nil {
		return nil, err
	}
	t := &target{path: filepath.Join(dir, o.fn), event: event, about: ws,
		env: append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)}
	p, err := cloud.NewProcess(ctx, env)
	if err != nil {
		return t, nil // the function says all that is wrong with its settings
	}
	core, err := p.Core(ctx)
	if err == nil {
		err = core.Jobs.Ping(ctx)
	}
	if err != nil {
		fmt.Fprintf(stderr, "jobs are not shown, for the database can't be read: %v\n", err)
		return t, nil
	}
	t.layer, t.store = core.Layer, core.Jobs
	return t, nil
}
