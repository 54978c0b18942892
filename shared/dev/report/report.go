// Package report prints the batches of a finished run for people, at most 80 columns wide, and compares the core
// contract with the app chain. `make run` and `make cloud` use it.
package report

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

// Row is one settled batch: an aggregator batch of an L2, a SNOS batch of an L3.
type Row struct {
	Index  uint64
	Span   batch.Span
	Snos   int // SNOS batches in it
	Status batch.Status
	Trace  string
	Ledger batch.Ledger
}

// Rows reads the batches from the store, as an operator would see them.
func Rows(ctx context.Context, s batch.Store, l stage.Layer) ([]Row, error) {
	var out []Row
	if l == stage.L2 {
		last, err := s.LastAggregator(ctx)
		if errors.Is(err, batch.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the last aggregator batch: %w", err)
		}
		for i := uint64(1); i <= last.Index; i++ {
			b, err := s.Aggregator(ctx, i)
			if err != nil {
				return nil, fmt.Errorf("read aggregator batch %d: %w", i, err)
			}
			out = append(out, Row{b.Index, b.Span, len(b.Snos), b.Status, b.TraceID, b.Ledger})
		}
		return out, nil
	}
	last, err := s.LastSnos(ctx)
	if errors.Is(err, batch.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the last SNOS batch: %w", err)
	}
	for i := uint64(1); i <= last.Index; i++ {
		b, err := s.Snos(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("read SNOS batch %d: %w", i, err)
		}
		out = append(out, Row{b.Index, b.Span, 1, b.Status, b.TraceID, b.Ledger})
	}
	return out, nil
}

// dataFees are what publications on a layer of their own cost, and how many blobs they carried.
func dataFees(rs []Row) (fee *big.Int, blobs int) {
	fee = new(big.Int)
	for _, r := range rs {
		if r.Ledger.DataFee != nil {
			fee.Add(fee, r.Ledger.DataFee)
			blobs += r.Ledger.Blobs
		}
	}
	return fee, blobs
}

// Table prints the batches: what each holds and cost, then how long each stage took and how often it was invoked. unit
// is the smallest of the fees, wei or fri; they are shown in 10^9 of it.
func Table(w io.Writer, rs []Row, l stage.Layer, unit string) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	data := "blobs"
	if l == stage.L3 {
		data = "data gas"
	}
	fmt.Fprintf(tw, "batch\tblocks\tSNOS\tclosed by\t%s\tgas\tfee, %s\ttransaction\t\n", data, "g"+unit)
	var gas, dataGas uint64
	fee := new(big.Int)
	for _, r := range rs {
		carried := uint64(r.Ledger.Blobs)
		if l == stage.L3 {
			carried = r.Ledger.DataGasUsed
		}
		fmt.Fprintf(tw, "%d\t%d-%d\t%d\t%s\t%d\t%d\t%s\t%s\t\n", r.Index, r.Span.StartBlock, r.Span.EndBlock, r.Snos,
			closedBy(r.Span.Reason), carried, r.Ledger.GasUsed, Giga(r.Ledger.Fee), ellipsis(r.Ledger.Tx))
		gas, dataGas = gas+r.Ledger.GasUsed, dataGas+r.Ledger.DataGasUsed
		if r.Ledger.Fee != nil {
			fee.Add(fee, r.Ledger.Fee)
		}
	}
	_ = tw.Flush()
	fmt.Fprintln(w)
	stages := jobStages(l)
	tw = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "batch\t")
	for _, n := range stages {
		fmt.Fprintf(tw, "%s\t", Short(n))
	}
	fmt.Fprintln(tw, "  seconds, invocations")
	for _, r := range rs {
		fmt.Fprintf(tw, "%d\t", r.Index)
		for _, n := range stages {
			fmt.Fprintf(tw, "%s\t", passage(r.Ledger, n))
		}
		fmt.Fprintln(tw)
	}
	_ = tw.Flush()
	fmt.Fprintf(w, "\n%d batches, gas %d, data gas %d, fees %s %s\n", len(rs), gas, dataGas, Giga(fee), "g"+unit)
	if data, blobs := dataFees(rs); data.Sign() > 0 {
		fmt.Fprintf(w, "data %d blobs on a layer of its own, fees %s gwei\n", blobs, Giga(data))
	}
}

// jobStages are the stages of a layer that have jobs.
func jobStages(l stage.Layer) []stage.Name {
	var out []stage.Name
	for _, n := range job.Types {
		if l.Has(n) {
			out = append(out, n)
		}
	}
	return out
}

// passage is how long a stage took and how many invocations it needed.
func passage(l batch.Ledger, n stage.Name) string {
	st, ok := l.Stages[string(n)]
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.1fs/%d", st.EndedAt.Sub(st.StartedAt).Seconds(), l.Requests[string(n)])
}

// closedBy is a closing rule in few words, so that the table is narrow.
func closedBy(r batch.Reason) string {
	switch r {
	case batch.BlockCount:
		return "blocks"
	case batch.EndOfRecording:
		return "end"
	case batch.InputSize:
		return "input size"
	case batch.SnosCount:
		return "SNOS count"
	case batch.VersionChange:
		return "version"
	case batch.ProverChange:
		return "prover"
	case batch.Adopted:
		return "adopted"
	case "":
		return "(open)"
	}
	return string(r)
}

// Short is a stage as a column's head.
func Short(n stage.Name) string {
	switch n {
	case stage.SnosRun:
		return "SNOS"
	case stage.ProofCreation:
		return "proof"
	case stage.ProofRegistration:
		return "registration"
	case stage.DataSubmission:
		return "data"
	case stage.StateTransition:
		return "state"
	}
	return string(n)
}

// Giga is an amount of wei or fri in 10^9; "-" where it is unknown.
func Giga(n *big.Int) string {
	if n == nil {
		return "-"
	}
	return new(big.Int).Div(n, big.NewInt(1e9)).String()
}

func ellipsis(hash string) string {
	if len(hash) < 16 {
		return hash
	}
	return hash[:6] + "…" + hash[len(hash)-4:]
}

// ErrNotSettled says that the contract does not hold the chain's head.
var ErrNotSettled = errors.New("the contract does not hold the chain's head")

// Check reads the contract and compares it with the chain's head, as a third party would. ErrNotSettled where they
// differ.
func Check(ctx context.Context, w io.Writer, k settlement.Contract, head block.Header) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s, err := k.State(ctx, false)
	if err != nil {
		return fmt.Errorf("read the contract: %w", err)
	}
	Wrap(w, "contract   ", fmt.Sprintf("block %d, state root %s", s.Block, s.Root))
	Wrap(w, "app chain  ", fmt.Sprintf("block %d, state root %s", head.Number, head.NewRoot))
	if !s.Settled || s.Block != head.Number || s.Root != head.NewRoot || s.BlockHash != head.Hash {
		return ErrNotSettled
	}
	fmt.Fprintln(w, "settled    block number, state root and block hash are equal")
	return nil
}
