package admin

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/history"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// History is what was moved out of the database, all of it settled for good.
type History struct {
	Through     uint64              `json:"through"` // index of the last batch that was moved; 0: none was
	Batches     uint64              `json:"batches"` // aggregator batches, or on an L3 SNOS batches
	SnosBatches uint64              `json:"snos_batches"`
	Blocks      uint64              `json:"blocks"`
	Jobs        map[job.Type]uint64 `json:"jobs"` // completed ones, by type
	Unit        string              `json:"unit"` // of fees: wei or fri
	Fee         string              `json:"fee"`  // decimal, in Unit
	FeeSaved    string              `json:"fee_saved"`
	DataFee     string              `json:"data_fee,omitempty"` // in wei, as of a Sum
	GasUsed     uint64              `json:"gas_used"`
	BlobGasUsed uint64              `json:"blob_gas_used"`
	Blobs       uint64              `json:"blobs"`
	ProverSteps uint64              `json:"prover_steps"`
	Requests    uint64              `json:"requests"`
	StoredBytes int64               `json:"stored_bytes"`
	// Files is what the keys of the files begin with, one a batch.
	Files string `json:"files"`
}

// decimal is a number in decimal, of which nil is 0.
func decimal(n *big.Int) string {
	if n == nil {
		return "0"
	}
	return n.String()
}

// totals are those of what was removed.
func (s *Service) totals(ctx context.Context) (history.Totals, error) {
	if s.History == nil {
		return history.Totals{}, nil
	}
	return s.History.Totals(ctx)
}

// HistoryOf returns what was moved out of the database.
func (s *Service) HistoryOf(ctx context.Context) (History, error) {
	t, err := s.totals(ctx)
	if err != nil {
		return History{}, err
	}
	out := History{
		Through: t.Through, Batches: t.Units, SnosBatches: t.Snos, Blocks: t.Blocks, Jobs: map[job.Type]uint64{},
		Unit: s.FeeUnit, Fee: decimal(t.Fee), FeeSaved: decimal(t.FeeSaved), GasUsed: t.GasUsed,
		BlobGasUsed: t.DataGasUsed, Blobs: t.Blobs, ProverSteps: t.ProverSteps, Requests: t.Requests,
		StoredBytes: t.StoredBytes, Files: artifact.History,
	}
	if t.DataFee != nil && t.DataFee.Sign() != 0 {
		out.DataFee = t.DataFee.String()
	}
	for k, n := range t.Jobs {
		out.Jobs[k] = n
	}
	return out, nil
}

// moved says of a batch that is not there whether it was moved to history, and where it is.
func (s *Service) moved(ctx context.Context, kind string, index uint64, err error) error {
	if !errors.Is(err, batch.ErrNotFound) || kind != "" {
		return err
	}
	if t, terr := s.totals(ctx); terr == nil && index > 0 && index <= t.Through {
		return fmt.Errorf("it is settled and was moved out of the database, into the file %s of the bucket: "+
			"download it (`aws s3 cp`), then `make inspect ARGS='history FILE'` reads it: %w",
			artifact.HistoryKey(index), err)
	}
	return err
}
