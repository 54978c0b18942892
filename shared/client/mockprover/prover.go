// Package mockprover is a prover that proves nothing: it registers the facts that a proof would establish on a
// development registry, or answers at once where there is none. It keeps no state: a task's name says what it is for,
// and the registry knows how far it is.
package mockprover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
)

// Options say what the prover claims.
type Options struct {
	// Registry gets the facts of aggregations and registrations; nil answers at once.
	Registry proof.Registry
	// Children registers the facts of children too: for chains that settle without an aggregator.
	Children bool
	// Proofs says that finished proofs can be fetched (a text that says what they stand for).
	Proofs bool
}

// Prover is the mock prover: a proof.Prover.
type Prover struct{ o Options }

var _ proof.Prover = (*Prover)(nil)

// New returns a prover.
func New(o Options) *Prover { return &Prover{o: o} }

// Capabilities implements proof.Prover.
func (p *Prover) Capabilities() proof.Capabilities {
	return proof.Capabilities{Name: "mock", Proofs: p.o.Proofs}
}

const prefix = "mock"

var factPattern = regexp.MustCompile(`^0x[0-9a-f]{64}$`)

// taskOf names a request's task: mock/KIND/DEDUP/FACT, with "-" for no fact.
func taskOf(r proof.Request) string {
	fact := strings.ToLower(r.Fact)
	if fact == "" {
		fact = "-"
	}
	return strings.Join([]string{prefix, string(r.Kind), r.DedupID, fact}, "/")
}

// parse takes a task's name apart; ok is false for a name that is none of ours.
func parse(task string) (kind proof.Kind, fact string, ok bool) {
	parts := strings.Split(task, "/")
	if len(parts) != 4 || parts[0] != prefix || parts[2] == "" {
		return "", "", false
	}
	kind, fact = proof.Kind(parts[1]), parts[3]
	switch kind {
	case proof.Child, proof.Aggregation, proof.Registration:
	default:
		return "", "", false
	}
	return kind, fact, fact == "-" || factPattern.MatchString(fact)
}

// registers says whether a task's fact is to be on chain.
func (p *Prover) registers(kind proof.Kind, fact string) bool {
	return p.o.Registry != nil && (p.o.Children || kind != proof.Child) && fact != "-"
}

// Submit implements proof.Prover. It reads the input to its end, as a service would, and does not look at it.
func (p *Prover) Submit(ctx context.Context, r proof.Request) (string, error) {
	task := taskOf(r)
	kind, fact, ok := parse(task)
	if !ok {
		return "", fmt.Errorf("request %q of kind %q with fact %q: %w", r.DedupID, r.Kind, r.Fact, proof.ErrRejected)
	}
	if r.Input != nil {
		if err := drain(ctx, r); err != nil {
			return "", err
		}
	}
	if !p.registers(kind, fact) {
		return task, ctx.Err()
	}
	return task, p.register(ctx, fact)
}

func drain(ctx context.Context, r proof.Request) error {
	in, err := r.Input(ctx)
	if err != nil {
		return fmt.Errorf("open the input of %s: %w", r.DedupID, err)
	}
	defer in.Close()
	n, err := io.Copy(io.Discard, in)
	if err != nil {
		return fmt.Errorf("read the input of %s: %w", r.DedupID, err)
	}
	if n == 0 {
		return fmt.Errorf("the input of %s is empty: %w", r.DedupID, proof.ErrRejected)
	}
	return nil
}

// register registers a fact unless it is.
func (p *Prover) register(ctx context.Context, fact string) error {
	valid, err := p.o.Registry.Valid(ctx, []string{fact})
	if err != nil {
		return fmt.Errorf("ask the registry for fact %s: %w", fact, err)
	}
	if valid[0] {
		return nil
	}
	if err := p.o.Registry.Register(ctx, fact); err != nil {
		return fmt.Errorf("register fact %s: %w", fact, err)
	}
	return nil
}

// Status implements proof.Prover. For a fact that is not registered yet the registration is started again, which the
// registry takes for nothing while one is on its way: it may have been lost, or another process may have taken its
// nonce.
func (p *Prover) Status(ctx context.Context, task string) (proof.Progress, error) {
	kind, fact, ok := parse(task)
	if !ok {
		return proof.Progress{State: proof.Lost}, ctx.Err()
	}
	if !p.registers(kind, fact) {
		return proof.Progress{State: proof.Done}, ctx.Err()
	}
	valid, err := p.o.Registry.Valid(ctx, []string{fact})
	if err != nil {
		return proof.Progress{}, fmt.Errorf("ask the registry for fact %s: %w", fact, err)
	}
	if valid[0] {
		return proof.Progress{State: proof.Done}, nil
	}
	if err := p.o.Registry.Register(ctx, fact); err != nil {
		return proof.Progress{}, fmt.Errorf("register fact %s: %w", fact, err)
	}
	return proof.Progress{State: proof.InProgress}, nil
}

// Fetch implements proof.Prover.
func (p *Prover) Fetch(ctx context.Context, task string, a proof.Artifact) (io.ReadCloser, error) {
	s, err := p.Status(ctx, task)
	if err != nil {
		return nil, err
	}
	if a != proof.ProofFile || !p.o.Proofs || s.State != proof.Done {
		return nil, fmt.Errorf("%s of %s: %w", a, task, proof.ErrNotReady)
	}
	return io.NopCloser(strings.NewReader(fmt.Sprintf(`{"mock_proof":%q}`, task))), nil
}

// errNoBuckets is for calls that Capabilities rules out.
var errNoBuckets = errors.New("the mock prover has no buckets")

// OpenBucket implements proof.Prover.
func (p *Prover) OpenBucket(context.Context, string, string) (string, error) {
	return "", errNoBuckets
}

// CloseBucket implements proof.Prover.
func (p *Prover) CloseBucket(context.Context, string) (string, error) { return "", errNoBuckets }

// Ping implements proof.Prover.
func (p *Prover) Ping(ctx context.Context) error {
	if p.o.Registry == nil {
		return ctx.Err()
	}
	_, err := p.o.Registry.Valid(ctx, []string{"0x" + strings.Repeat("0", 64)})
	return err
}
