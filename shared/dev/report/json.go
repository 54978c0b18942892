package report

import (
	"encoding/json"
	"fmt"
	"io"
)

// batchJSON is a batch of a finished run for programs.
type batchJSON struct {
	Index      uint64             `json:"index"`
	StartBlock uint64             `json:"start_block"`
	EndBlock   uint64             `json:"end_block"`
	Snos       int                `json:"snos_batches"`
	Status     string             `json:"status"`
	ClosedBy   string             `json:"closed_by"`
	Blobs      int                `json:"blobs"`
	Gas        uint64             `json:"gas_used"`
	DataGas    uint64             `json:"data_gas_used"`
	Fee        string             `json:"fee,omitempty"`      // decimal, in the smallest unit
	DataFee    string             `json:"data_fee,omitempty"` // in wei, of publications on a layer of their own
	Tx         string             `json:"tx,omitempty"`
	Seconds    map[string]float64 `json:"seconds"` // by stage
}

// JSON prints a run's result as one JSON object. unit is that of Table; settled says whether the run did what it
// should.
func JSON(w io.Writer, rs []Row, unit string, settled bool) error {
	out := struct {
		OK      bool        `json:"ok"`
		Unit    string      `json:"unit"`
		Batches []batchJSON `json:"batches"`
	}{settled, unit, []batchJSON{}}
	for _, r := range rs {
		b := batchJSON{
			Index: r.Index, StartBlock: r.Span.StartBlock, EndBlock: r.Span.EndBlock, Snos: r.Snos,
			Status: string(r.Status), ClosedBy: string(r.Span.Reason), Blobs: r.Ledger.Blobs, Gas: r.Ledger.GasUsed,
			DataGas: r.Ledger.DataGasUsed, Tx: r.Ledger.Tx, Seconds: map[string]float64{},
		}
		if r.Ledger.Fee != nil {
			b.Fee = r.Ledger.Fee.String()
		}
		if r.Ledger.DataFee != nil {
			b.DataFee = r.Ledger.DataFee.String()
		}
		for name, s := range r.Ledger.Stages {
			b.Seconds[name] = s.EndedAt.Sub(s.StartedAt).Seconds()
		}
		out.Batches = append(out.Batches, b)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}
