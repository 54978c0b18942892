// Cost shows what a deployment costs a month, before AWS's free tier: what the functions ask of the services is counted
// in the simulation, and priced by AWS's list. `make cost` runs it; the table in infra/README.md is its output.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/release"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

func main() {
	if release.Asked(os.Args[1:], os.Stdout) {
		return
	}
	a := Usual()
	layer := flag.String("layer", string(stage.L2), "l2 or l3")
	flag.Uint64Var(&a.SnosBlocks, "snos-blocks", a.SnosBlocks, "blocks of a SNOS batch")
	flag.Uint64Var(&a.Blocks, "blocks", a.Blocks, "blocks of an aggregator batch (l2)")
	flag.DurationVar(&a.Run, "run", a.Run, "how long a SNOS run takes")
	flag.DurationVar(&a.Proof, "proof", a.Proof, "how long a proof takes")
	flag.Float64Var(&a.PIE, "pie", a.PIE, "MB of a PIE")
	flag.Parse()
	if l := stage.Layer(*layer); l != stage.L2 && l != stage.L3 {
		fmt.Fprintf(os.Stderr, "-layer %q: want l2 or l3\n", *layer)
		os.Exit(2)
	}
	if err := report(context.Background(), os.Stdout, stage.Layer(*layer), a); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// rates are the columns of the table: blocks a second.
var rates = []float64{0, 1, 10}

// report prints the table, as Markdown.
func report(ctx context.Context, out io.Writer, layer stage.Layer, a Assumptions) error {
	m, err := Measure(ctx, layer, a)
	if err != nil {
		return err
	}
	head, rule := "| USD a month |", "|---|"
	columns := make([][]Item, len(rates))
	for i, r := range rates {
		columns[i] = m.Month(r)
		title := "idle"
		if r > 0 {
			title = fmt.Sprintf("%v blocks/s", r)
			title = strings.Replace(title, "1 blocks", "1 block", 1)
		}
		head, rule = head+" "+title+" |", rule+"---:|"
	}
	fmt.Fprintf(out, "%s\n%s\n", head, rule)
	totals := make([]float64, len(rates))
	for row, item := range columns[0] {
		line := "| " + item.Name + " |"
		for i := range rates {
			totals[i] += columns[i][row].USD
			line += fmt.Sprintf(" %.2f |", columns[i][row].USD)
		}
		fmt.Fprintln(out, line)
	}
	line := "| **sum** |"
	for _, t := range totals {
		line += fmt.Sprintf(" **%.2f** |", t)
	}
	fmt.Fprintln(out, line)
	fmt.Fprintf(out, "\n%s\n", m.Describe(rates[1]))
	return nil
}
