package ops

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// jobCommand gives a command about a job.
func jobCommand(name string) func(*session) (int, error) {
	return func(s *session) (int, error) {
		var j admin.Job
		code, err := s.ask("POST", "/jobs/"+url.PathEscape(s.args[0])+"/"+name, s.order(), &j)
		if code == OK && !s.json {
			fmt.Fprintf(s.out, "done: %s of %s %s\n", j.Type, j.BatchName, statusText(j.Status))
		}
		return code, err
	}
}

// retry starts a job, or all failed jobs of a stage, again.
func (s *session) retry() (int, error) {
	if job.ValidID(s.args[0]) {
		return jobCommand("retry")(s)
	}
	if s.reason == "" {
		return Usage, errors.New("retry needs a job's id (32 hex digits), or a stage and -reason \"...\"")
	}
	return bulkCommand("retry")(s)
}

// stageCommand pauses or resumes a stage.
func stageCommand(name string) func(*session) (int, error) {
	return func(s *session) (int, error) {
		var st admin.StageState
		code, err := s.ask("POST", "/stages/"+url.PathEscape(s.args[0])+"/"+name, s.order(), &st)
		if code == OK && !s.json {
			printStages(s.out, admin.StageList{Stages: []admin.StageState{st}})
		}
		return code, err
	}
}

// bulkCommand gives a command about many jobs. Refused jobs make it Attention.
func bulkCommand(name string) func(*session) (int, error) {
	return func(s *session) (int, error) {
		var b admin.Bulk
		code, err := s.ask("POST", "/stages/"+url.PathEscape(s.args[0])+"/"+name, s.order(), &b)
		if code != OK {
			return code, err
		}
		if !s.json {
			fmt.Fprintf(s.out, "done: %d jobs; refused: %d\n", len(b.Done), len(b.Refused))
			for _, r := range b.Refused {
				wrap(s.out, "  ", r.ID+": "+r.Reason)
			}
			if b.More {
				fmt.Fprintln(s.out, "there are more: repeat the command")
			}
		}
		if len(b.Refused) > 0 {
			return Attention, nil
		}
		return OK, nil
	}
}

// closeOpen closes the open batch.
func (s *session) closeOpen() (int, error) {
	asJSON := s.json
	s.json = false
	var p admin.BatchPage
	if code, err := s.ask("GET", "/batches?status="+string(batch.Open)+"&limit=1", nil, &p); code != OK {
		return code, err
	}
	s.json = asJSON
	if len(p.Batches) == 0 {
		return Unknown, errors.New("no batch is open")
	}
	open := p.Batches[0]
	var b admin.Batch
	code, err := s.ask("POST", fmt.Sprintf("/batches/%d/close", open.Index), s.order(), &b)
	if code == OK && !s.json {
		fmt.Fprintf(s.out, "asked: batching closes %s (blocks %d-%d or more) soon\n", b.Name, b.StartBlock, b.EndBlock)
	}
	return code, err
}
