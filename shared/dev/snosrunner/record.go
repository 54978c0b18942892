package snosrunner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// recordName is the object in a task's prefix that says which task wrote there and how it ended. It is written after
// the artifacts and before the result, so a task with a record of success and a result is done.
const recordName = "dev_run.json"

// record is the content of recordName.
type record struct {
	ID         string           `json:"id"`
	Kind       snos.Kind        `json:"kind"`
	StartBlock uint64           `json:"start_block"`
	EndBlock   uint64           `json:"end_block"`
	State      snos.State       `json:"state"`
	Failure    snos.FailureKind `json:"failure,omitempty"`
	Detail     string           `json:"detail,omitempty"`
}

const maxRecord = 64 << 10

// handleOf makes a handle that names ID and prefix, so that any process can look up the run.
func handleOf(t snos.Task) string { return t.ID + "@" + t.OutputPrefix }

// openHandle takes a handle apart; ok is false for a handle that is none of ours.
func openHandle(handle string) (id, prefix string, ok bool) {
	id, prefix, ok = strings.Cut(handle, "@")
	return id, prefix, ok && id != "" && validPrefix(prefix)
}

// validPrefix says whether a prefix is a plain folder of the store.
func validPrefix(p string) bool {
	return strings.HasSuffix(p, "/") && !strings.HasPrefix(p, "/") &&
		!strings.Contains(p, "..") && !strings.Contains(p, "//")
}

// last reads the record of a prefix; ok is false where there is none that can be read.
func (r *Runner) last(ctx context.Context, prefix string) (rec record, ok bool, err error) {
	b, err := artifact.ReadAll(ctx, r.artifacts, prefix+recordName, maxRecord)
	if errors.Is(err, artifact.ErrNotFound) || errors.Is(err, artifact.ErrTooLarge) {
		return record{}, false, nil
	}
	if err != nil {
		return record{}, false, fmt.Errorf("read record of %s: %w", prefix, err)
	}
	if json.Unmarshal(b, &rec) != nil {
		return record{}, false, nil
	}
	return rec, true, nil
}

// progress returns how the task with this ID stands at a prefix.
func (r *Runner) progress(ctx context.Context, id, prefix string) (snos.Progress, record, error) {
	lost := snos.Progress{State: snos.Lost}
	rec, ok, err := r.last(ctx, prefix)
	switch {
	case err != nil:
		return snos.Progress{}, record{}, err
	case !ok || rec.ID != id:
		return lost, rec, nil
	case rec.State == snos.Failed:
		return snos.Progress{State: snos.Failed, Failure: rec.Failure, Detail: rec.Detail}, rec, nil
	}
	_, err = r.artifacts.Stat(ctx, prefix+artifact.RunResult)
	if errors.Is(err, artifact.ErrNotFound) {
		return lost, rec, nil // it stopped between record and result
	}
	if err != nil {
		return snos.Progress{}, rec, fmt.Errorf("look for the result of %s: %w", id, err)
	}
	return snos.Progress{State: snos.Succeeded}, rec, nil
}

func (r *Runner) put(ctx context.Context, key string, b []byte) error {
	if err := r.artifacts.Put(ctx, key, bytes.NewReader(b)); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

func (r *Runner) putJSON(ctx context.Context, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return r.put(ctx, key, b)
}
