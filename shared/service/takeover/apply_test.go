package takeover_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	core "github.com/madara-orchestrator/orchestrator/shared/core/takeover"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/takeover"
)

// old, contract, chain and headers answer as the facts say.
type old struct{ f takeover.Facts }

func (o old) Read(context.Context, time.Time) (core.Database, error) { return o.f.Old, nil }

type contract struct {
	settlement.Contract
	f takeover.Facts
}

func (c contract) State(_ context.Context, final bool) (settlement.State, error) {
	if final {
		return c.f.Final, nil
	}
	return c.f.Latest, nil
}

type chain struct {
	tx.Chain
	f takeover.Facts
}

func (c chain) Account(context.Context, uint64) (tx.Account, error) { return c.f.Wallet, nil }

func (c chain) Head(context.Context) (tx.Head, error) {
	return tx.Head{Number: 100, Finalized: 90}, nil
}

func (c chain) Lookup(_ context.Context, h string) (tx.Status, error) {
	return tx.Status{Phase: c.f.Transactions[h]}, nil
}

type headers struct {
	block.Source
	f takeover.Facts
}

func (h headers) HeadersNow(_ context.Context, from, _ uint64) ([]block.Header, error) {
	return []block.Header{{Number: from, Hash: h.f.BlockHash}}, nil
}

func taker(f takeover.Facts, s batch.Store) *takeover.Taker {
	return &takeover.Taker{
		Layer: f.Layer, Old: old{f}, Contract: contract{f: f}, Chain: chain{f: f}, Source: headers{f: f}, Batches: s,
		Now: func() time.Time { return now },
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	for _, layer := range []stage.Layer{stage.L2, stage.L3} {
		t.Run(string(layer), func(t *testing.T) {
			t.Parallel()
			f := stopped()
			if f.Layer, f.Old.Layer = layer, layer; layer == stage.L3 {
				f.Old.LastSnos = f.Old.Settled.Index
			}
			store := memory.NewBatches(nil)
			k := taker(f, store)
			for range 2 { // again changes nothing
				p, err := k.Plan(t.Context())
				if err != nil || len(p.Refusals) > 0 {
					t.Fatal(p.Refusals, err)
				}
				if err := k.Apply(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
			s, err := store.LastSnos(t.Context())
			if err != nil || s.Index != f.Old.LastSnos || s.EndBlock != 19 || s.Status != batch.Archived ||
				s.Reason != batch.Adopted {
				t.Errorf("SNOS batch %+v, %v", s, err)
			}
			a, err := store.LastAggregator(t.Context())
			if layer == stage.L3 {
				if !errors.Is(err, batch.ErrNotFound) {
					t.Errorf("an L3 got aggregator batch %+v, %v", a, err)
				}
				return
			}
			if err != nil || a.Index != 2 || a.LastSnos() != 4 || a.EndHash != hash || a.Status != batch.Archived {
				t.Errorf("aggregator batch %+v, %v", a, err)
			}
		})
	}
}

// A crash between the two documents is completed by the next try.
func TestApplyAfterCrash(t *testing.T) {
	t.Parallel()
	store := memory.NewBatches(nil)
	k := taker(stopped(), crashing{Store: store})
	p, err := k.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Apply(t.Context(), p); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	k.Batches = store
	if p, err = k.Plan(t.Context()); err != nil || len(p.Refusals) > 0 {
		t.Fatal(p.Refusals, err)
	}
	if err := k.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if a, err := store.LastAggregator(t.Context()); err != nil || a.Index != 2 {
		t.Errorf("aggregator batch %+v, %v", a, err)
	}
}

var errCrash = errors.New("crash")

type crashing struct{ batch.Store }

func (crashing) CreateAggregator(context.Context, batch.AggregatorBatch) error { return errCrash }

// A refused plan writes nothing, and so does one whose batch another deployment's took.
func TestApplyRefused(t *testing.T) {
	t.Parallel()
	f := stopped()
	f.Wallet.Pending = 9
	store := memory.NewBatches(nil)
	k := taker(f, store)
	p, err := k.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Apply(t.Context(), p); !errors.Is(err, takeover.ErrRefused) {
		t.Errorf("got %v", err)
	}
	if _, err := store.LastSnos(t.Context()); !errors.Is(err, batch.ErrNotFound) {
		t.Errorf("wrote: %v", err)
	}
	other := batch.SnosBatch{Index: 4, Status: batch.Closed, Version: 1, Span: batch.Span{EndBlock: 7}}
	if err := store.CreateSnos(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	k = taker(stopped(), store)
	if p, err = k.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.Apply(t.Context(), p); !errors.Is(err, batch.ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
}
