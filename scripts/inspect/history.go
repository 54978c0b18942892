package main

import (
	"fmt"
	"io"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/history"
)

// historyJSON is what is printed of an exported batch.
type historyJSON struct {
	Index       uint64         `json:"index"`
	Kind        string         `json:"kind"`
	StartBlock  uint64         `json:"start_block"`
	EndBlock    uint64         `json:"end_block"`
	Tx          string         `json:"tx,omitempty"`
	Fee         string         `json:"fee,omitempty"`
	SettledAt   time.Time      `json:"settled_at,omitzero"`
	SnosBatches int            `json:"snos_batches"`
	Jobs        map[string]int `json:"jobs"`
	// Documents are all of them, as they were in the database.
	Documents history.Unit `json:"documents"`
}

func historyShow(c *call) error {
	args, err := c.parse(1)
	if err != nil {
		return err
	}
	f, err := c.open(args[0])
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	u, err := history.Read(io.LimitReader(f, maxFile))
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	out := historyJSON{Index: u.Index, Kind: "SNOS batch", SnosBatches: len(u.Snos), Jobs: map[string]int{},
		Documents: u}
	for _, j := range u.Jobs {
		out.Jobs[string(j.Type)]++
	}
	l := u.Ledger()
	if len(u.Snos) > 0 {
		out.StartBlock, out.EndBlock = u.Snos[0].StartBlock, u.Snos[len(u.Snos)-1].EndBlock
	}
	if u.Aggregator != nil {
		out.Kind, out.StartBlock, out.EndBlock = "aggregator batch", u.Aggregator.StartBlock, u.Aggregator.EndBlock
	}
	if out.Tx = l.Tx; l.Fee != nil {
		out.Fee = l.Fee.String()
	}
	out.SettledAt = l.Stages["StateTransition"].EndedAt
	rows := [][]string{
		{out.Kind, fmt.Sprintf("%d, blocks %d to %d, %d SNOS batches", out.Index, out.StartBlock, out.EndBlock,
			out.SnosBatches)},
		{"settled", out.SettledAt.UTC().Format(time.RFC3339)}, {"transaction", out.Tx}, {"fee", out.Fee},
	}
	for _, j := range u.Jobs {
		rows = append(rows, []string{string(j.Type), fmt.Sprintf("%d: %s, %d attempts, %d failures, ended %s", j.Batch,
			j.Status, j.Attempts.Total, len(j.Failures), j.EndedAt.UTC().Format(time.RFC3339))})
	}
	return c.print(out, rows)
}
