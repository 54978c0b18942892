package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// sandboxes counts the deployments of this process: each has a name, and so a database and queues, of its own.
var sandboxes atomic.Int64

// sandbox is a deployment of all functions on real components, in which the event finds what it is about.
type sandbox struct {
	*stack.Sandbox
	name     string
	layer    stage.Layer
	binaries map[string]*devlambda.Binary
	served   *http.Server
	log      io.Writer
}

// wanted is what an event of a queue or a request is about.
type wanted struct {
	of     job.Type
	action job.Action
	failed bool // a job that has failed: the command is to retry it
}

// idPath is the path of a request about a job, or a prover's about its task.
var idPath = regexp.MustCompile(`^/(jobs|hooks/prover)/([0-9a-f]{32})(/retry)?(/|$)`)

// noID stands for the id where the event has none.
const noID = ""

// wants returns what the event is about, by the id that the event has for it.
func wants(event []byte) (map[string]wanted, error) {
	var e struct {
		Records []struct {
			Body string `json:"body"`
		} `json:"Records"`
		Kafka   json.RawMessage `json:"records"` // else Records would take it: names are compared without their case
		RawPath string          `json:"rawPath"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, fmt.Errorf("decode the event: %w", err)
	}
	out := map[string]wanted{}
	m := idPath.FindStringSubmatch(e.RawPath)
	switch {
	case m == nil:
		if strings.HasPrefix(e.RawPath, "/batches") || strings.HasPrefix(e.RawPath, "/blocks") {
			out[noID] = wanted{of: job.SnosRun, action: job.Process}
		}
	case m[1] == "jobs":
		out[m[2]] = wanted{of: job.SnosRun, action: job.Process, failed: m[3] != ""}
	default:
		out[m[2]] = wanted{of: job.ProofCreation, action: job.Verify}
	}
	for _, r := range e.Records {
		if m, err := job.DecodeMessage(r.Body); err == nil { // otherwise the function is to say so
			out[m.JobID] = wanted{of: m.Type, action: m.Action}
		}
	}
	return out, nil
}

// layerOf is the layer whose deployments have the jobs that are wanted.
func layerOf(ws map[string]wanted) stage.Layer {
	for _, w := range ws {
		if !stage.L2.Has(w.of) {
			return stage.L3
		}
	}
	return stage.L2
}

// startSandbox starts the components. Close it also after an error.
func startSandbox(ctx context.Context, dir string, layer stage.Layer, log io.Writer) (*sandbox, error) {
	s := &sandbox{Sandbox: &stack.Sandbox{}, name: fmt.Sprintf("invoke%d", sandboxes.Add(1)), layer: layer,
		binaries: map[string]*devlambda.Binary{}, log: log}
	fmt.Fprintf(log, "sandbox: an %s of its own on mongod, moto and a settlement layer (ENV=FILE names yours)\n", layer)
	urls := map[string]string{}
	for _, name := range []string{"mongod", "moto", "anvil"} {
		if name == "anvil" && layer == stage.L3 {
			continue
		}
		var args []string
		if name == "anvil" {
			args = []string{"--block-time", "1", "--hardfork", "osaka"}
		}
		var err error
		if urls[name], err = tools.Start(name, args...); err != nil {
			return s, err
		}
	}
	endpoint, err := s.serve(urls["moto"])
	if err != nil {
		return s, err
	}
	s.Sandbox, err = stack.Start(ctx, stack.Options{Name: s.name, Layer: layer, Blocks: 12,
		Mongo: urls["mongod"], AWS: urls["moto"], Ethereum: urls["anvil"],
		Settings: map[string]string{"API_ADMIN": "true", "AWS_ENDPOINT": endpoint}})
	if err != nil {
		return s, err
	}
	for _, f := range resource.Functions() {
		if slices.Contains(f.Layers, layer) {
			s.binaries[f.Name] = &devlambda.Binary{Path: dir + "/" + f.Name, Name: f.Name, Env: s.Env,
				Timeout: f.Timeout}
		}
	}
	return s, s.DB.EnsureIndexes(ctx)
}

// serve serves AWS with Lambda's Invoke, which moto does not have: functions that ask others find them.
func (s *sandbox) serve(moto string) (string, error) {
	e, err := devlambda.NewEndpoint(moto, func(name string) devlambda.Function {
		if b := s.binaries[strings.TrimPrefix(name, resource.Physical(s.name, ""))]; b != nil {
			return b
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("serve AWS: %w", err)
	}
	s.served = &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.served.Serve(l) }()
	return "http://" + l.Addr().String(), nil
}

// Close ends the functions and the components.
func (s *sandbox) Close() {
	for _, b := range s.binaries {
		b.Close()
	}
	s.Sandbox.Close()
	if s.served != nil {
		_ = s.served.Close()
	}
}

// prepare makes the deployment work until what the event is about is there and due. It returns the event with the ids
// and generations that the jobs have here.
func (s *sandbox) prepare(ctx context.Context, event []byte, ws map[string]wanted) ([]byte, error) {
	here := map[string]job.Job{}
	for id, w := range ws {
		j, err := s.until(ctx, w)
		if err != nil {
			return nil, err
		}
		here[id] = j
		fmt.Fprintf(s.log, "sandbox: %s of %s is job %s; its %s is due\n", j.Type,
			s.layer.BatchName(j.Type, j.Batch), j.ID, j.NextAction)
	}
	return rewritten(event, here)
}

// patience is how long the sandbox may work before the event's job must be due.
const patience = 2 * time.Minute

// until runs the deployment, without what would take the wanted action itself, until the action is due.
func (s *sandbox) until(ctx context.Context, w wanted) (job.Job, error) {
	p := stack.NewPlatform(s.name, s.layer, s.Queues)
	for _, f := range stack.Consumers(s.layer) {
		p.Functions[f.Name], p.Timeouts[f.Name] = s.binaries[f.Name], f.Timeout
	}
	without := resource.Physical(s.name, resource.Route(w.of, w.action, false))
	p.Mappings = slices.DeleteFunc(p.Mappings, func(m devlambda.Mapping) bool { return m.Queue == without })
	ctx, cancel := context.WithTimeout(ctx, patience)
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(running) }()
	defer func() {
		stop()
		//lint:ignore errcheck that it has ended is enough
		<-ended
		cancel()
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		j, err := s.DB.Jobs().Find(ctx, w.of, 1)
		if err != nil && !errors.Is(err, job.ErrNotFound) && ctx.Err() == nil {
			return job.Job{}, err
		}
		if err == nil && j.NextAction == w.action && !j.DueAt.After(time.Now()) {
			return s.failed(ctx, j, w)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return job.Job{}, fmt.Errorf("the %s of a %s job was not due within %s: %w", w.action, w.of, patience,
				context.Cause(ctx))
		}
	}
}

// failed makes the job a failed one where that is wanted.
func (s *sandbox) failed(ctx context.Context, j job.Job, w wanted) (job.Job, error) {
	if !w.failed {
		return j, nil
	}
	return s.DB.Jobs().Update(ctx, j.FailedPermanently(time.Now(), errors.New("made to fail, for the sandbox")))
}

// rewritten is the event with the jobs that are here.
func rewritten(event []byte, here map[string]job.Job) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(event))
	d.UseNumber()
	var e map[string]any
	if err := d.Decode(&e); err != nil {
		return nil, fmt.Errorf("decode the event: %w", err)
	}
	records, _ := e["Records"].([]any)
	for _, r := range records {
		fields, _ := r.(map[string]any)
		body, _ := fields["body"].(string)
		m, err := job.DecodeMessage(body)
		if err != nil {
			continue
		}
		j := here[m.JobID]
		m.JobID, m.Generation, m.TraceID = j.ID, j.Generation, j.TraceID
		fields["body"] = m.Encode()
	}
	if path, ok := e["rawPath"].(string); ok {
		if m := idPath.FindStringSubmatch(path); m != nil {
			e["rawPath"] = strings.Replace(path, m[2], here[m[2]].ID, 1)
		}
	}
	return json.Marshal(e)
}
