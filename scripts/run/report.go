package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"text/tabwriter"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// row is one settled batch of the table.
type row struct {
	index  uint64
	span   batch.Span
	snos   int
	status string
	trace  string
	ledger batch.Ledger
}

// rows reads the batches from the store, as an operator would see them.
func rows(ctx context.Context, s batch.Store, l stage.Layer) ([]row, error) {
	var out []row
	if l == stage.L2 {
		last, err := s.LastAggregator(ctx)
		if errors.Is(err, batch.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the last batch: %w", err)
		}
		for i := uint64(1); i <= last.Index; i++ {
			b, err := s.Aggregator(ctx, i)
			if err != nil {
				return nil, fmt.Errorf("read batch %d: %w", i, err)
			}
			out = append(out, row{b.Index, b.Span, len(b.Snos), string(b.Status), b.TraceID, b.Ledger})
		}
		return out, nil
	}
	last, err := s.LastSnos(ctx)
	if errors.Is(err, batch.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the last batch: %w", err)
	}
	for i := uint64(1); i <= last.Index; i++ {
		b, err := s.Snos(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("read batch %d: %w", i, err)
		}
		out = append(out, row{b.Index, b.Span, 1, string(b.Status), b.TraceID, b.Ledger})
	}
	return out, nil
}

// table prints the batches with what each cost and how long each stage took.
func table(w io.Writer, rs []row, l stage.Layer, unit string) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "batch\tblocks\tSNOS\tclosed by\tblobs\tgas\tblob gas\tfee (%s)\t", unit)
	for _, s := range stages(l)[1:] {
		fmt.Fprintf(tw, "%s\t", short(s))
	}
	fmt.Fprintln(tw, "transaction\t")
	var gas, blobGas uint64
	fee := new(big.Int)
	for _, r := range rs {
		fmt.Fprintf(tw, "%d\t%d-%d\t%d\t%s\t%d\t%d\t%d\t%s\t", r.index, r.span.StartBlock, r.span.EndBlock, r.snos, r.span.Reason,
			r.ledger.Blobs, r.ledger.GasUsed, r.ledger.DataGasUsed, gwei(r.ledger.Fee))
		for _, s := range stages(l)[1:] {
			st, ok := r.ledger.Stages[s]
			if !ok {
				fmt.Fprint(tw, "-\t")
				continue
			}
			fmt.Fprintf(tw, "%.1fs\t", st.EndedAt.Sub(st.StartedAt).Seconds())
		}
		fmt.Fprintf(tw, "%s\t\n", ellipsis(r.ledger.Tx))
		gas, blobGas = gas+r.ledger.GasUsed, blobGas+r.ledger.DataGasUsed
		if r.ledger.Fee != nil {
			fee.Add(fee, r.ledger.Fee)
		}
	}
	_ = tw.Flush()
	fmt.Fprintln(w)
	tw = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "batch\ttrace\t")
	for _, s := range stages(l)[1:] {
		fmt.Fprintf(tw, "%s requests\t", short(s))
	}
	fmt.Fprintln(tw, "prover's task\t")
	for _, r := range rs {
		fmt.Fprintf(tw, "%d\t%s\t", r.index, r.trace)
		for _, s := range stages(l)[1:] {
			fmt.Fprintf(tw, "%d\t", r.ledger.Requests[s])
		}
		fmt.Fprintf(tw, "%s\t\n", ellipsis(r.ledger.ProverTask))
	}
	_ = tw.Flush()
	fmt.Fprintf(w, "\n%d batches, gas %d, blob gas %d, fees %s %s\n", len(rs), gas, blobGas, gwei(fee), unit)
}

// short is a job type as a column's head.
func short(s string) string {
	switch job.Type(s) {
	case job.SnosRun:
		return "SNOS"
	case job.ProofCreation:
		return "proof"
	case job.ProofRegistration:
		return "registration"
	case job.DataSubmission:
		return "data"
	case job.StateTransition:
		return "state"
	}
	return s
}

func gwei(wei *big.Int) string {
	if wei == nil {
		return "-"
	}
	return new(big.Int).Div(wei, big.NewInt(1e9)).String()
}

func ellipsis(hash string) string {
	if len(hash) < 16 {
		return hash
	}
	return hash[:10] + "…" + hash[len(hash)-4:]
}

// errNotSettled says that the contract does not hold the chain's head.
var errNotSettled = errors.New("the contract does not hold the chain's head")

// check reads the contract and compares it with the chain's head, as a third party would.
func check(ctx context.Context, w io.Writer, k settlement.Contract, head block.Header) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s, err := k.State(ctx, false)
	if err != nil {
		return fmt.Errorf("read the contract: %w", err)
	}
	fmt.Fprintf(w, "contract   block %d, state root %s\napp chain  block %d, state root %s\n", s.Block, s.Root, head.Number, head.NewRoot)
	if !s.Settled || s.Block != head.Number || s.Root != head.NewRoot || s.BlockHash != head.Hash {
		return errNotSettled
	}
	fmt.Fprintln(w, "settled    block number, state root and block hash are equal")
	return nil
}
