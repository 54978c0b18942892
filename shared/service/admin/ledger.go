package admin

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// Sum is what the batches that were settled on one day cost, or those of all days.
type Sum struct {
	Day         string `json:"day,omitempty"` // such as 2026-01-31, in UTC; "" for all days
	Batches     int    `json:"batches"`
	Blocks      uint64 `json:"blocks"`
	Fee         string `json:"fee"`                 // decimal, in the unit of the ledger
	FeeSaved    string `json:"fee_saved,omitempty"` // likewise, by waiting for lower fees; "" where no batch could wait
	DataFee     string `json:"data_fee,omitempty"`  // in wei, of publications on a layer of their own; "": none
	GasUsed     uint64 `json:"gas_used"`
	BlobGasUsed uint64 `json:"blob_gas_used"`
	Blobs       int    `json:"blobs"`
	ProverSteps uint64 `json:"prover_steps"`
	Requests    int    `json:"requests"`
	StoredBytes int64  `json:"stored_bytes"`

	fee, saved, data *big.Int
}

func (s *Sum) add(d document) {
	l := d.ledger
	s.Batches++
	s.Blocks += d.span.Blocks()
	s.GasUsed += l.GasUsed
	s.BlobGasUsed += l.DataGasUsed
	s.Blobs += l.Blobs
	s.ProverSteps += l.ProverSteps
	s.StoredBytes += l.StoredBytes
	for _, n := range l.Requests {
		s.Requests += n
	}
	if s.fee == nil {
		s.fee = new(big.Int)
	}
	if l.Fee != nil {
		s.fee.Add(s.fee, l.Fee)
	}
	s.Fee = s.fee.String()
	if l.DataFee != nil {
		if s.data == nil {
			s.data = new(big.Int)
		}
		s.DataFee = s.data.Add(s.data, l.DataFee).String()
	}
	if l.FeeSaved == nil {
		return
	}
	if s.saved == nil {
		s.saved = new(big.Int)
	}
	s.FeeSaved = s.saved.Add(s.saved, l.FeeSaved).String()
}

// Sums are what settlement cost, by day.
type Sums struct {
	Unit string `json:"unit"` // of fees: wei or fri
	Days []Sum  `json:"days"` // those with a settled batch, the newest first
	All  Sum    `json:"all"`
	// Complete is false where there are more batches than are looked at, or than could be read in time: the oldest day
	// may lack some then, and days before it are missing.
	Complete bool `json:"complete"`
}

// Bounds of the sums.
const (
	MaxDays        = 31   // that can be asked for
	DefaultDays    = 7    // where nothing is asked for
	maxSummed      = 5000 // batches that are looked at
	summedAtOnce   = 100
	sumTime        = 10 * time.Second // for all reads
	settledByStage = string(job.StateTransition)
)

// Ledger returns what settlement cost on the last days, today included: 1..MaxDays; 0: DefaultDays.
func (s *Service) Ledger(ctx context.Context, days int) (Sums, error) {
	out := Sums{Unit: s.FeeUnit, Days: []Sum{}, All: Sum{Fee: "0"}, Complete: true}
	if days == 0 {
		days = DefaultDays
	}
	if days < 1 || days > MaxDays {
		return out, invalid("days: want a number from 1 to %d", MaxDays)
	}
	store, err := s.store("")
	if err != nil {
		return out, err
	}
	today := s.Now().UTC().Truncate(24 * time.Hour)
	err = out.read(ctx, store, today.AddDate(0, 0, 1-days))
	return out, err
}

// read adds the batches that were settled since then, from the newest on, as far as there is time for.
func (s *Sums) read(ctx context.Context, store batches, since time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, sumTime)
	defer cancel()
	last, err := store.last(ctx)
	if errors.Is(err, batch.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for high, seen := last.index, 0; high > 0; {
		low := high - min(high-1, summedAtOnce-1)
		ds, err := within(ctx, sumTime, func(ctx context.Context) ([]document, error) {
			return store.span(ctx, low, high)
		})
		if errors.Is(err, errLate) && len(s.Days) > 0 {
			s.Complete = false
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the batches %d to %d: %w", low, high, err)
		}
		if over := s.take(ds, since); over || len(ds) == 0 {
			return nil
		}
		if seen += len(ds); seen >= maxSummed {
			s.Complete = false
			return nil
		}
		high = low - 1
	}
	return nil
}

// take adds settled batches, which come ascending; over says that one was settled before since. Batches settle in
// their order.
func (s *Sums) take(ds []document, since time.Time) (over bool) {
	for _, d := range slices.Backward(ds) {
		at := d.ledger.Stages[settledByStage].EndedAt
		if !d.settled || at.IsZero() { // an adopted batch was settled by another deployment
			continue
		}
		if at.Before(since) {
			return true
		}
		day := at.UTC().Format(time.DateOnly)
		if n := len(s.Days); n == 0 || s.Days[n-1].Day != day {
			s.Days = append(s.Days, Sum{Day: day, Fee: "0"})
		}
		s.Days[len(s.Days)-1].add(d)
		s.All.add(d)
	}
	return false
}
