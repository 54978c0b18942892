package main

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// shownData is how much of the calldata is shown, in hex digits: the selector and the first word.
const shownData = 2 + 8 + 64

// wouldSend prints what a dry run would have sent for its first batch.
func wouldSend(ctx context.Context, core setup.App, unit string, w io.Writer) error {
	js, err := core.Jobs.List(ctx, job.Filter{Type: job.StateTransition, Limit: 1})
	if err != nil || len(js) == 0 {
		return err
	}
	m, ok := js[0].Metadata.(*job.StateTransitionMeta)
	if !ok || len(m.LastChecks) == 0 {
		return nil
	}
	c := m.LastChecks
	fmt.Fprintf(w, "to         %s\n", strings.TrimSpace(c["to"]+" "+c["entrypoint"]))
	fmt.Fprintf(w, "gas        %s estimated, limit %s\n", c["gas"], c["gas_limit"])
	if c["data_gas"] != "" {
		fmt.Fprintf(w, "data gas   %s estimated, limit %s\n", c["data_gas"], c["data_gas_limit"])
	}
	limit := "no cap"
	if c["fee_cap"] != "" {
		limit = "the cap is " + giga(c["fee_cap"]) + " g" + unit
	}
	fmt.Fprintf(w, "fee        at most %s g%s; %s\n", giga(c["fee_at_most"]), unit, limit)
	for i, h := range strings.Fields(c["blob_hashes"]) {
		fmt.Fprintf(w, "blob %-5d %s\n", i+1, h)
	}
	data := c["calldata"]
	kept := "all of it is"
	if n := c["calldata_kept"]; n != "" {
		kept = "the first " + n + " of them are"
	}
	fmt.Fprintf(w, "calldata   %s bytes, %s in job %s\n", c["calldata_bytes"], kept, js[0].ID)
	if len(data) > shownData {
		data = data[:shownData] + "..."
	}
	report.Wrap(w, "           ", data)
	return nil
}

// giga is a decimal amount in 10^9 of its unit.
func giga(decimal string) string {
	n, _ := new(big.Int).SetString(decimal, 10) // nil where it is none
	return report.Giga(n)
}
