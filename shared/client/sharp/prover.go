package sharp

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/httpcall"
	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// Deps are what a Prover needs besides its configuration. Every field may be left unset; the transport of HTTP is
// replaced.
type Deps = httpcall.Deps

// Prover is SHARP as a proof.Prover.
type Prover struct {
	cfg    Config
	facts  proof.FactChecker
	caller *httpcall.Caller
}

var _ proof.Prover = (*Prover)(nil)

// New returns a prover. facts says which facts are registered on the settlement layer. It makes no request; Ping
// reports whether the gateway is there.
func New(c Config, facts proof.FactChecker, d Deps) (*Prover, error) {
	err := c.Validate()
	if facts == nil {
		err = errors.Join(err, errors.New("SHARP: there is no fact checker, without which an aggregation never ends"))
	}
	if err != nil {
		return nil, err
	}
	c = c.withDefaults()
	p := &Prover{cfg: c, facts: facts}
	client := outbound.Client(d.HTTP, 0)
	now := d.Now
	if now == nil {
		now = time.Now
	}
	if client.Transport, err = c.transport(now); err != nil {
		return nil, err
	}
	d.HTTP = client
	p.caller = httpcall.New("SHARP", redact.New(c.ClientKey, c.CustomerID).WithURL(c.URL), c.HTTP, d)
	return p, nil
}

// Capabilities implements proof.Prover.
func (p *Prover) Capabilities() proof.Capabilities {
	return proof.Capabilities{Name: "sharp", Proofs: p.cfg.Proofs}
}

// request is a request to the gateway. query is names and values in turn.
func (p *Prover) request(op, method, route string, query ...string) httpcall.Request {
	q := url.Values{"customer_id": {p.cfg.CustomerID}}
	for i := 0; i+1 < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	return httpcall.Request{Op: op, Method: method, URL: p.cfg.URL + "/" + route + "?" + q.Encode()}
}

// ask asks once for a job's status.
func (p *Prover) ask(ctx context.Context, key string) (status, error) {
	op := "ask for job " + key
	b, err := p.caller.Do(ctx, p.request(op, http.MethodGet, "get_status", "cairo_job_key", key))
	if err != nil {
		return status{}, err
	}
	s, err := decodeStatus(b)
	if err != nil {
		return status{}, p.caller.Malformed(op, "%v", err)
	}
	return s, nil
}

// Submit implements proof.Prover. The job that exists for the dedup id is returned also when it failed: Status reports
// that, and a new attempt takes a new dedup id.
func (p *Prover) Submit(ctx context.Context, r proof.Request) (string, error) {
	if err := p.check(r); err != nil {
		return "", err
	}
	var key string
	err := p.caller.Retry(ctx, func(ctx context.Context) (err error) {
		key, err = p.submitOnce(ctx, r)
		return err
	})
	if err != nil {
		return "", translate(err)
	}
	if r.Kind == proof.Aggregation {
		return applicative + key + "/" + strings.ToLower(r.Fact), nil
	}
	return key, nil
}

// check refuses what the gateway could not take.
func (p *Prover) check(r proof.Request) error {
	switch {
	case r.Kind != proof.Child && r.Kind != proof.Aggregation:
		return errUnsupported("it takes no %.40q", string(r.Kind))
	case r.DedupID == "":
		return errUnsupported("%s of batch %d has no dedup id", r.Kind, r.Batch)
	case r.Input == nil || r.InputSize <= 0:
		return errUnsupported("%s of batch %d has no input", r.Kind, r.Batch)
	case r.Bucket != "":
		return errUnsupported("it has no buckets, %s of batch %d is to go into %.40q", r.Kind, r.Batch, r.Bucket)
	case r.Kind == proof.Aggregation && !factPattern.MatchString(strings.ToLower(r.Fact)):
		return errUnsupported("the fact %.80q of the aggregation of batch %d is none", r.Fact, r.Batch)
	case r.Kind == proof.Aggregation && len(r.Children) == 0:
		return errUnsupported("the aggregation of batch %d has no children", r.Batch)
	}
	if r.Kind == proof.Aggregation {
		for _, c := range r.Children {
			if _, fact, ok := parse(c); !ok || fact != "" {
				return errUnsupported("child %.80q of the aggregation of batch %d is not a child's task", c, r.Batch)
			}
		}
	}
	return nil
}

// find looks once for the request's job: its key, and whether there is one. Without one the key is the one to submit
// under.
func (p *Prover) find(ctx context.Context, r proof.Request) (key string, there bool, err error) {
	key = keyOf(r.DedupID)
	s, err := p.ask(ctx, key)
	if err != nil || s.Status != unknown {
		return key, err == nil, err
	}
	if r.Kind != proof.Aggregation || p.cfg.AggregationKey != KeyByFact {
		return key, false, nil
	}
	byFact := strings.ToLower(r.Fact)
	if s, err = p.ask(ctx, byFact); err != nil || !s.rejected() {
		return byFact, err == nil && s.Status != unknown, err
	}
	return key, false, nil // an attempt after one that failed
}

// submitOnce looks for the request's job and submits it where there is none.
func (p *Prover) submitOnce(ctx context.Context, r proof.Request) (string, error) {
	key, there, err := p.find(ctx, r)
	if err != nil || there {
		return key, err
	}
	function, err := p.hashFunction(r.StarknetVersion)
	if err != nil {
		return "", err
	}
	op := fmt.Sprintf("submit %s of batch %d", r.Kind, r.Batch)
	req := p.request(op, http.MethodPost, "add_job", "cairo_job_key", key, "offchain_proof",
		"true", "for_applicative", "true",
		"program_hash_function", function)
	tail := `"}`
	if r.Kind == proof.Aggregation {
		req = p.request(op, http.MethodPost, "add_applicative_job", "cairo_job_key", key, "offchain_proof", "false",
			"program_hash_function", function)
		children, err := json.Marshal(r.Children)
		if err != nil {
			return "", fmt.Errorf("SHARP: encode children: %w", err)
		}
		tail = `","children_cairo_job_keys":` + string(children) + "}"
	}
	const head = `{"cairo_pie_encoded":"`
	req.Type, req.Length = "application/json", int64(len(head)+len(tail))+encodedLen(r.InputSize)
	req.Open = func(ctx context.Context) (io.ReadCloser, error) {
		in, err := r.Input(ctx)
		if err != nil {
			return nil, err
		}
		return httpcall.Frame(head, httpcall.Base64(httpcall.Exactly(in, r.InputSize)), tail, in), nil
	}
	b, err := p.caller.Do(ctx, req)
	if err == nil {
		if err = decodeReceived(b); err != nil {
			err = p.caller.Malformed(op, "%v", err)
		}
		return key, err
	}
	var s *StatusError
	if errors.As(err, &s) && s.API && !s.Passing() { // may be that the job is there already
		if st, again := p.ask(ctx, key); again == nil && st.Status != unknown {
			return key, nil
		}
	}
	return "", err
}

// hashFunction is what the gateway hashes programs of a Starknet version with.
func (p *Prover) hashFunction(starknet string) (string, error) {
	if p.cfg.ProgramHashFunction != "" {
		return p.cfg.ProgramHashFunction, nil
	}
	if starknet == "" {
		return pedersen, nil // a request from before versions were recorded
	}
	f, err := version.HashFunctionOf(starknet)
	if err != nil {
		return "", errUnsupported("%v", err)
	}
	return map[version.HashFunction]string{version.Pedersen: pedersen, version.Blake2s: blake}[f], nil
}

// Names of hash functions at the gateway: those of cairo-lang's HashFunction.
const (
	pedersen = "PEDERSEN"
	blake    = "BLAKE"
)

// encodedLen is the length of n bytes in Base64.
func encodedLen(n int64) int64 {
	return n/3*4 + int64(base64.StdEncoding.EncodedLen(int(n%3)))
}

// Status implements proof.Prover.
func (p *Prover) Status(ctx context.Context, task string) (proof.Progress, error) {
	key, fact, ok := parse(task)
	if !ok {
		return proof.Progress{State: proof.Lost}, ctx.Err()
	}
	var s status
	err := p.caller.Retry(ctx, func(ctx context.Context) (err error) {
		s, err = p.ask(ctx, key)
		return err
	})
	if err != nil {
		return proof.Progress{}, translate(err)
	}
	switch {
	case s.Status == unknown:
		return proof.Progress{State: proof.Lost}, nil
	case s.rejected():
		return proof.Progress{State: proof.Rejected, Detail: p.why(key, s)}, nil
	case fact != "":
		return p.registered(ctx, s, fact)
	case s.Status == processed, s.Status == onchain, s.Status == inProgress && s.ValidationDone:
		return proof.Progress{State: proof.Done}, nil
	}
	return proof.Progress{State: proof.InProgress}, nil
}

// why says why a job did not work out.
func (p *Prover) why(key string, s status) string {
	reason := strings.TrimSpace(s.InvalidReason + " " + s.ErrorLog)
	if reason == "" {
		reason = "no reason is given"
	}
	return fmt.Sprintf("job %s is %s: %s", key, s.Status, p.caller.Scrub(reason))
}

// registered says whether an aggregation is done: its proof is verified by the contract that the settlement asks.
func (p *Prover) registered(ctx context.Context, s status, fact string) (proof.Progress, error) {
	if s.Status != processed && s.Status != onchain {
		return proof.Progress{State: proof.InProgress}, nil
	}
	valid, err := p.facts.Valid(ctx, []string{fact})
	if err == nil && len(valid) != 1 {
		err = fmt.Errorf("it answers %d of 1 facts", len(valid))
	}
	if err != nil {
		return proof.Progress{}, fmt.Errorf("ask whether fact %s is registered: %w", fact, err)
	}
	if !valid[0] {
		return proof.Progress{State: proof.InProgress}, nil
	}
	return proof.Progress{State: proof.Done}, nil
}

// Fetch implements proof.Prover: children's proofs.
func (p *Prover) Fetch(ctx context.Context, task string, a proof.Artifact) (io.ReadCloser, error) {
	key, fact, ok := parse(task)
	if !ok || a != proof.ProofFile || !p.cfg.Proofs {
		return nil, fmt.Errorf("SHARP: it gives no %.40q of task %.120q: %w", string(a), task, errors.ErrUnsupported)
	}
	op := "fetch proof of job " + key
	var body io.ReadCloser
	err := p.caller.Retry(ctx, func(ctx context.Context) error {
		s, err := p.ask(ctx, key)
		if err != nil {
			return err
		}
		if s.Status != processed && s.Status != onchain {
			return fmt.Errorf("SHARP: %s, which is %s: %w", op, s.Status, proof.ErrNotReady)
		}
		body, err = p.caller.Stream(ctx, p.request(op, http.MethodGet, "get_proof", "cairo_job_key", key),
			p.cfg.MaxArtifact)
		var status *StatusError
		switch {
		case errors.As(err, &status) && status.Status == http.StatusGone:
			return fmt.Errorf("%w: %w", ErrExpired, err)
		case errors.As(err, &status) && status.Status == http.StatusNotFound && status.API && fact == "":
			return fmt.Errorf("%w: %w", proof.ErrNotReady, err)
		}
		return err
	})
	if errors.Is(err, ErrExpired) || errors.Is(err, proof.ErrNotReady) {
		return nil, err
	}
	if err != nil {
		return nil, translate(err)
	}
	r := bufio.NewReader(body)
	if b, err := r.Peek(1); err != nil || b[0] == '<' {
		body.Close()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, fmt.Errorf("SHARP: %s: it is empty or HTML: %w", op, artifact.ErrCorrupt)
	}
	return struct {
		io.Reader
		io.Closer
	}{r, body}, nil
}

// OpenBucket implements proof.Prover: there are none.
func (p *Prover) OpenBucket(context.Context, string, string) (string, error) {
	return "", errUnsupported("it has no buckets")
}

// CloseBucket implements proof.Prover: there are none.
func (p *Prover) CloseBucket(context.Context, string) (string, error) {
	return "", errUnsupported("it has no buckets")
}

// Ping implements proof.Prover.
func (p *Prover) Ping(ctx context.Context) error {
	_, err := p.caller.Do(ctx, p.request("ask whether it is alive", http.MethodGet, "is_alive"))
	return translate(err)
}
