// Package awsbatch stands in for AWS Batch: the requests that the SNOS runner makes, over HTTP as the SDK sends them.
// Its jobs run in this process.
package awsbatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/dev/loopback"
)

// End is how a job's container ended.
type End struct {
	Code         int
	Reason       string // what ECS says of the container
	StatusReason string // what Batch says of the job
	NoCode       bool   // the container did not come to an exit code
}

// Config says what the fake does.
type Config struct {
	Queue, Definition string // names
	// Run is the container: it is given the task of its environment.
	Run func(context.Context, snos.Task) End
	// After, when set, is asked after a request's effect with the operation's name, such as submitjob; a status other
	// than 0 is the answer in its place.
	After func(operation string) int
}

// job is one job.
type job struct {
	ID        string            `json:"jobId"`
	Name      string            `json:"jobName"`
	Queue     string            `json:"jobQueue"`
	Status    string            `json:"status"`
	Reason    string            `json:"statusReason,omitempty"`
	Created   int64             `json:"createdAt"`
	Tags      map[string]string `json:"tags,omitempty"`
	Container container         `json:"container"`
	end       context.CancelFunc
}

type container struct {
	ExitCode *int   `json:"exitCode,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Logs     string `json:"logStreamName,omitempty"`
}

// Server is the fake.
type Server struct {
	c    Config
	http *http.Server
	url  string
	wg   sync.WaitGroup

	mu         sync.Mutex
	jobs       map[string]*job
	violations []string
}

// Start serves on loopback. Close it.
func Start(c Config) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fake of AWS Batch: %w", err)
	}
	s := &Server{c: c, url: "http://" + l.Addr().String(), jobs: map[string]*job{}}
	mux := http.NewServeMux()
	for op, f := range map[string]func(map[string]any) (any, error){
		"submitjob": s.submit, "listjobs": s.list, "describejobs": s.describe, "terminatejob": s.terminate,
		"describejobqueues": s.queues, "describejobdefinitions": s.definitions,
	} {
		mux.HandleFunc("POST /v1/"+op, s.serve(op, f))
	}
	s.http = &http.Server{Handler: loopback.Guard(mux), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(l) }()
	return s, nil
}

// URL is the endpoint.
func (s *Server) URL() string { return s.url }

// Close ends the server and its jobs.
func (s *Server) Close() error {
	err := s.http.Close()
	s.mu.Lock()
	for _, j := range s.jobs {
		j.end()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

// Count is how many jobs of a name's prefix there are that were not ended by a request.
func (s *Server) Count(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, j := range s.jobs {
		if strings.HasPrefix(j.Name, prefix) && !strings.Contains(j.Reason, "another run") {
			n++
		}
	}
	return n
}

// Violations are requests that Batch would not have taken.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

func (s *Server) serve(op string, f func(map[string]any) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in map[string]any
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in)
		var out any
		if err == nil {
			s.mu.Lock()
			out, err = f(in)
			if err != nil {
				s.violations = append(s.violations, op+": "+err.Error())
			}
			s.mu.Unlock()
		}
		if s.c.After != nil {
			if status := s.c.After(op); status != 0 {
				w.Header().Set("X-Amzn-Errortype", "ServerException")
				w.WriteHeader(status)
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.Header().Set("X-Amzn-Errortype", "ClientException")
			w.WriteHeader(http.StatusBadRequest)
			out = map[string]string{"message": err.Error()}
		}
		_ = json.NewEncoder(w).Encode(out) // the caller has gone if this fails
	}
}

func text(v any, path ...string) string {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	s, _ := v.(string)
	return s
}

func (s *Server) submit(in map[string]any) (any, error) {
	if text(in, "jobQueue") != s.c.Queue || text(in, "jobDefinition") != s.c.Definition {
		return nil, fmt.Errorf("queue %q, definition %q: there are %q and %q",
			text(in, "jobQueue"), text(in, "jobDefinition"), s.c.Queue, s.c.Definition)
	}
	name := text(in, "jobName")
	if name == "" || len(name) > 128 ||
		strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return nil, fmt.Errorf("job name %q", name)
	}
	overrides, _ := in["containerOverrides"].(map[string]any)
	env, _ := overrides["environment"].([]any)
	var task snos.Task
	err := fmt.Errorf("no variable %s", contract.TaskVariable)
	for _, v := range env {
		if text(v, "name") == contract.TaskVariable {
			task, err = contract.Decode(text(v, "value"))
		}
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	j := &job{
		ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", len(s.jobs)+1), Name: name, Queue: s.c.Queue,
		Status: "RUNNING", Created: int64(len(s.jobs) + 1),
		Tags: map[string]string{}, end: cancel,
	}
	for k := range maps.Keys(asMap(in["tags"])) {
		j.Tags[k] = text(in, "tags", k)
	}
	s.jobs[j.ID] = j
	s.wg.Go(func() { s.run(ctx, j, task) })
	return map[string]string{"jobId": j.ID, "jobName": name}, nil
}

func asMap(v any) map[string]any { m, _ := v.(map[string]any); return m }

func (s *Server) run(ctx context.Context, j *job, t snos.Task) {
	end := s.c.Run(ctx, t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.Status == "FAILED" { // ended by a request
		return
	}
	j.Status, j.Reason = "SUCCEEDED", "Essential container in task exited"
	if end.StatusReason != "" {
		j.Reason = end.StatusReason
	}
	j.Container = container{Reason: end.Reason, Logs: "run/default/" + j.ID}
	if !end.NoCode {
		j.Container.ExitCode = &end.Code
	}
	if end.NoCode || end.Code != 0 {
		j.Status = "FAILED"
	}
}

func (s *Server) list(in map[string]any) (any, error) {
	filters, _ := in["filters"].([]any)
	if text(in, "jobQueue") != s.c.Queue || len(filters) != 1 || text(filters[0], "name") != "JOB_NAME" {
		return nil, fmt.Errorf("list jobs of %q by %v", text(in, "jobQueue"), filters)
	}
	values, _ := asMap(filters[0])["values"].([]any)
	out := []job{}
	for _, j := range s.jobs {
		if len(values) == 1 && strings.EqualFold(text(values[0]), j.Name) {
			out = append(out, *j)
		}
	}
	slices.SortFunc(out, func(a, b job) int { return int(b.Created - a.Created) }) // the newest first
	return map[string]any{"jobSummaryList": out}, nil
}

func (s *Server) describe(in map[string]any) (any, error) {
	out := []job{}
	ids, _ := in["jobs"].([]any)
	for _, id := range ids {
		if j := s.jobs[text(id)]; j != nil {
			out = append(out, *j)
		}
	}
	return map[string]any{"jobs": out}, nil
}

func (s *Server) terminate(in map[string]any) (any, error) {
	j := s.jobs[text(in, "jobId")]
	if j == nil || text(in, "reason") == "" {
		return nil, fmt.Errorf("terminate %q for %q", text(in, "jobId"), text(in, "reason"))
	}
	if j.Status == "RUNNING" {
		j.Status, j.Reason = "FAILED", text(in, "reason")
		j.end()
	}
	return map[string]any{}, nil
}

func (s *Server) queues(in map[string]any) (any, error) {
	asked, _ := in["jobQueues"].([]any)
	found := []map[string]any{}
	if len(asked) == 1 && text(asked[0]) == s.c.Queue {
		found = append(found, map[string]any{"jobQueueName": s.c.Queue, "jobQueueArn": s.c.Queue, "state": "ENABLED",
			"status": "VALID", "priority": 1})
	}
	return map[string]any{"jobQueues": found}, nil
}

func (s *Server) definitions(in map[string]any) (any, error) {
	found := []map[string]any{}
	named, _ := in["jobDefinitions"].([]any) // ARNs, or names with revisions (DescribeJobDefinitions)
	if (text(in, "jobDefinitionName") == s.c.Definition || slices.Contains(named, any(s.c.Definition))) &&
		text(in, "status") == "ACTIVE" {
		found = append(found, map[string]any{"jobDefinitionName": s.c.Definition, "jobDefinitionArn": s.c.Definition,
			"revision": 1, "type": "container", "status": "ACTIVE"})
	}
	return map[string]any{"jobDefinitions": found}, nil
}

// codes are the exit codes that a container gives for a kind of failure.
var codes = map[snos.FailureKind]int{
	snos.Rejected: contract.ExitRejected, snos.ChainUnavailable: contract.ExitChainUnavailable,
	snos.Interrupted: contract.ExitInterrupted,
	snos.TimedOut:    contract.ExitTimedOut, snos.OutOfMemory: contract.ExitKilled,
}

// Container makes a container of a runner: it ends when the runner's run does.
func Container(r snos.Runner) func(context.Context, snos.Task) End {
	return func(ctx context.Context, t snos.Task) End {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		handle := ""
		for {
			var p snos.Progress
			var err error
			if handle == "" {
				handle, err = r.Submit(ctx, t)
			} else {
				p, err = r.Status(ctx, handle)
			}
			switch {
			case err != nil && !errors.Is(err, snos.ErrBusy):
				return End{Code: 1, Reason: err.Error()}
			case p.State == snos.Succeeded:
				return End{}
			case p.State == snos.Failed:
				return End{Code: cmp.Or(codes[p.Failure], 1), Reason: p.Detail}
			}
			select {
			case <-ctx.Done():
				return End{Code: contract.ExitInterrupted}
			case <-tick.C:
			}
		}
	}
}
