package atlantic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/httpcall"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

// Deps are what a Prover needs besides its configuration. Every field may be left unset.
type Deps = httpcall.Deps

// HTTPSettings bound the requests.
type HTTPSettings = httpcall.Settings

// Prover is Atlantic as a proof.Prover.
type Prover struct {
	cfg    Config
	caller *httpcall.Caller
}

var _ proof.Prover = (*Prover)(nil)

// New returns a prover. It makes no request; Ping reports whether Atlantic answers.
func New(c Config, d Deps) (*Prover, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.WithDefaults()
	return &Prover{cfg: c,
		caller: httpcall.New("Atlantic", redact.New(c.APIKey).WithURL(c.URL).WithURL(c.ArtifactsURL), c.HTTP, d)}, nil
}

// Capabilities implements proof.Prover.
func (p *Prover) Capabilities() proof.Capabilities {
	return proof.Capabilities{Name: "atlantic", Buckets: true, Proofs: p.cfg.Result != TraceGeneration,
		Direct: p.cfg.Settlement == Starknet && p.cfg.Registration == RegisterPIE}
}

// request is a request to the interface; it carries the key.
func (p *Prover) request(op, method, route string, query url.Values) httpcall.Request {
	u := p.cfg.URL + "/" + route
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	h := http.Header{}
	h.Set(p.cfg.APIKeyHeader, p.cfg.APIKey)
	return httpcall.Request{Op: op, Method: method, URL: u, Header: h}
}

// get asks once and decodes the answer.
func get[T any](ctx context.Context, p *Prover, op, route string, q url.Values,
	decode func([]byte) (T, error)) (T, error) {
	var zero T
	b, err := p.caller.Do(ctx, p.request(op, http.MethodGet, route, q))
	if err != nil {
		return zero, err
	}
	v, err := decode(b)
	if err != nil {
		return zero, p.caller.Malformed(op, "%v", err)
	}
	return v, nil
}

// byID asks for a query; ok is false where Atlantic does not know it.
func (p *Prover) byID(ctx context.Context, id string) (q query, ok bool, err error) {
	err = p.caller.Retry(ctx, func(ctx context.Context) error {
		op := "ask for query " + id
		q, err = get(ctx, p, op, p.cfg.Routes.Query+"/"+id, nil, decodeQuery)
		if err == nil && q.ID != id {
			return p.caller.Malformed(op, "its answer is about %s", q.ID)
		}
		return err
	})
	if missing(err) {
		return query{}, false, nil
	}
	return q, err == nil, translate(err)
}

// byDedup asks once for the query of a dedup id; ok is false where there is none. Its error is not translated.
func (p *Prover) byDedup(ctx context.Context, dedup string) (q query, ok bool, err error) {
	op := "look up dedup id " + dedup
	q, err = get(ctx, p, op, p.cfg.Routes.QueryByDedup, url.Values{"dedupId": {dedup}}, decodeQuery)
	switch {
	case missing(err):
		return query{}, false, nil
	case err != nil:
		return query{}, false, err
	case q.DedupID != "" && q.DedupID != dedup:
		return query{}, false, p.caller.Malformed(op, "its answer is about dedup id %s", q.DedupID)
	}
	return q, true, nil
}

// withBucket asks for a bucket and its queries; ok is false where Atlantic does not know it.
func (p *Prover) withBucket(ctx context.Context, id string) (b bucket, qs []query, ok bool, err error) {
	err = p.caller.Retry(ctx, func(ctx context.Context) error {
		b, qs, err = p.bucketOnce(ctx, id)
		return err
	})
	if missing(err) {
		return bucket{}, nil, false, nil
	}
	return b, qs, err == nil, translate(err)
}

func (p *Prover) bucketOnce(ctx context.Context, id string) (b bucket, qs []query, err error) {
	op := "ask for bucket " + id
	b, err = get(ctx, p, op, p.cfg.Routes.Buckets+"/"+id, nil, func(raw []byte) (b bucket, err error) {
		b, qs, err = decodeBucket(raw)
		return b, err
	})
	if err == nil && b.ID != id {
		err = p.caller.Malformed(op, "its answer is about %s", b.ID)
	}
	return b, qs, err
}

// bucketTask is what aggregations' tasks begin with.
const bucketTask = "bucket:"

// Status implements proof.Prover.
func (p *Prover) Status(ctx context.Context, task string) (proof.Progress, error) {
	id, isBucket := strings.CutPrefix(task, bucketTask)
	if !idPattern.MatchString(id) {
		return proof.Progress{State: proof.Lost}, ctx.Err()
	}
	if isBucket {
		return p.aggregation(ctx, id)
	}
	q, ok, err := p.byID(ctx, id)
	if err != nil {
		return proof.Progress{}, err
	}
	if !ok {
		return proof.Progress{State: proof.Lost}, nil
	}
	return p.progress(q.Status, func() string { return p.why(q) }), nil
}

func (p *Prover) aggregation(ctx context.Context, id string) (proof.Progress, error) {
	b, qs, ok, err := p.withBucket(ctx, id)
	if err != nil {
		return proof.Progress{}, err
	}
	if !ok {
		return proof.Progress{State: proof.Lost}, nil
	}
	return p.progress(b.Status, func() string {
		for _, q := range qs {
			if q.Status == failed {
				return p.why(q)
			}
		}
		return "bucket " + id + " failed, and none of its queries says why"
	}), nil
}

// why says why a query failed.
func (p *Prover) why(q query) string {
	reason := q.ErrorReason
	if reason == "" {
		reason = "no reason is given"
	}
	if q.Step != "" {
		reason += " (step " + q.Step + ")"
	}
	return "query " + q.ID + " failed: " + p.caller.Scrub(reason)
}

func (p *Prover) progress(status string, why func() string) proof.Progress {
	switch status {
	case done:
		return proof.Progress{State: proof.Done}
	case failed:
		return proof.Progress{State: proof.Rejected, Detail: why()}
	}
	return proof.Progress{State: proof.InProgress}
}

// Ping implements proof.Prover.
func (p *Prover) Ping(ctx context.Context) error {
	_, err := p.caller.Do(ctx, p.request("ask whether it is alive", http.MethodGet, p.cfg.Routes.Alive, nil))
	return translate(err)
}

// errUnsupported is for requests that Atlantic has no way to take.
func errUnsupported(format string, args ...any) error {
	return fmt.Errorf("Atlantic: %s: %w: %w", fmt.Sprintf(format, args...), proof.ErrRejected, errors.ErrUnsupported)
}
