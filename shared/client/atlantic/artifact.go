package atlantic

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/httpcall"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
)

// Files of a query's results.
const (
	fileProof     = "proof.json"
	filePIE       = "pie.cairo0.zip"
	fileDASegment = "da_blob.json"
)

// maxOutput bounds an aggregation's program output in words.
const maxOutput = 1 << 20

// Fetch implements proof.Prover. What is fetched begins as its kind does, else it is artifact.ErrCorrupt.
func (p *Prover) Fetch(ctx context.Context, task string, a proof.Artifact) (io.ReadCloser, error) {
	query, err := p.resultOf(ctx, task, a)
	if err != nil {
		return nil, err
	}
	switch a {
	case proof.ProofFile:
		return p.file(ctx, query, fileProof, "{[")
	case proof.PIE:
		return p.file(ctx, query, filePIE, "P")
	case proof.DASegment:
		return p.file(ctx, query, fileDASegment, "[")
	case proof.ProgramOutput:
		if p.cfg.OutputFile != "" {
			return p.file(ctx, query, p.cfg.OutputFile, "[")
		}
		return p.output(ctx, query)
	}
	return nil, fmt.Errorf("Atlantic: %.40q is not an artifact's name", string(a))
}

// resultOf is the query that has a task's results.
func (p *Prover) resultOf(ctx context.Context, task string, a proof.Artifact) (string, error) {
	id, isBucket := strings.CutPrefix(task, bucketTask)
	if !idPattern.MatchString(id) {
		return "", fmt.Errorf("Atlantic: %.40q is not a task", task)
	}
	if !isBucket {
		return id, nil
	}
	b, qs, ok, err := p.withBucket(ctx, id)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", fmt.Errorf("Atlantic: fetch %s of bucket %s, which it does not know", a, id)
	case b.Status != done:
		return "", fmt.Errorf("Atlantic: fetch %s of bucket %s, which is %s: %w", a, id, b.Status, proof.ErrNotReady)
	}
	q, ok := aggregator(qs)
	if !ok {
		return "", fmt.Errorf("Atlantic: bucket %s is done, but none of its %d queries is the aggregator's: %w",
			id, len(qs), proof.ErrNotReady)
	}
	return q.ID, nil
}

// file opens a result; first are the bytes that it may begin with.
func (p *Prover) file(ctx context.Context, query, name, first string) (io.ReadCloser, error) {
	op := fmt.Sprintf("fetch %s of query %s", name, query)
	var body io.ReadCloser
	err := p.caller.Retry(ctx, func(ctx context.Context) (err error) {
		body, err = p.caller.Stream(ctx, httpcall.Request{ // without the key: the store is somebody else's
			Op: op, Method: http.MethodGet, URL: p.cfg.ArtifactsURL + "/queries/" + query + "/" + name,
			Header: http.Header{"Accept": {"*/*"}},
		}, p.cfg.MaxArtifact)
		if absent(err) {
			return p.absent(ctx, op, query, err)
		}
		return err
	})
	if err != nil {
		return nil, translate(err)
	}
	r := bufio.NewReader(body)
	if err := begins(r, first); err != nil {
		body.Close()
		return nil, fmt.Errorf("Atlantic: %s: %w", op, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{r, body}, nil
}

// begins refuses content that begins with another byte than one of first; white space goes before JSON.
func begins(r *bufio.Reader, first string) error {
	for {
		b, err := r.Peek(1)
		switch {
		case errors.Is(err, io.EOF):
			return fmt.Errorf("it is empty: %w", artifact.ErrCorrupt)
		case err != nil:
			return err
		case strings.IndexByte(first, b[0]) >= 0:
			return nil
		case first == "P" || strings.IndexByte(" \t\r\n", b[0]) < 0:
			return fmt.Errorf("it begins with %q, want one of %q: %w", b, first, artifact.ErrCorrupt)
		}
		if _, err := r.Discard(1); err != nil {
			return err
		}
	}
}

// absent says whether the store has no such object. It says 403 where objects can't be listed.
func absent(err error) bool {
	var s *StatusError
	if !errors.As(err, &s) {
		return false
	}
	return s.Status == http.StatusNotFound || s.Status == http.StatusForbidden || s.Status == http.StatusGone
}

// absent says what a missing result means: the query has not ended, it ended just now, or it ended long ago.
func (p *Prover) absent(ctx context.Context, op, id string, cause error) error {
	q, err := get(ctx, p, "ask for query "+id, p.cfg.Routes.Query+"/"+id, nil, decodeQuery)
	if err != nil {
		return err
	}
	var s *StatusError
	gone := errors.As(cause, &s) && s.Status == http.StatusGone
	switch {
	case q.Status != done:
		return fmt.Errorf("Atlantic: %s, which is %s: %w", op, q.Status, proof.ErrNotReady)
	case gone || q.endedBefore(p.caller.Now().Add(-p.cfg.ArtifactGrace)):
		return fmt.Errorf("Atlantic: %s, which ended at %.40s: %w", op, q.CompletedAt, ErrExpired)
	}
	return fmt.Errorf("Atlantic: %s: %w", op, proof.ErrNotReady)
}

// output reads the program output out of an aggregation's PIE: a JSON list of hex felts.
func (p *Prover) output(ctx context.Context, query string) (io.ReadCloser, error) {
	in, err := p.file(ctx, query, filePIE, "P")
	if err != nil {
		return nil, err
	}
	defer in.Close()
	run, err := pie.ReadStream(in, "", pie.Limits{Zip: p.cfg.MaxArtifact, Output: maxOutput})
	if errors.Is(err, pie.ErrMalformed) || errors.Is(err, pie.ErrTooLarge) {
		err = fmt.Errorf("%w: %w", artifact.ErrCorrupt, err)
	}
	if err != nil {
		return nil, fmt.Errorf("Atlantic: read output in %s of query %s: %w", filePIE, query, err)
	}
	words := run.Output
	if words == nil {
		words = []felt.Felt{}
	}
	b, err := json.Marshal(words)
	if err != nil {
		return nil, fmt.Errorf("Atlantic: encode output of query %s: %w", query, err)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}
