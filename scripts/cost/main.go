// Cost shows what a deployment costs a month, before AWS's free tier: what the functions ask of the services is counted
// in the simulation, and priced by AWS's list. `make cost` runs it; the table in infra/README.md is its output.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/release"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devoptions "github.com/madara-orchestrator/orchestrator/shared/dev/options"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program: 0 where the table is printed, 1 where it can't be counted, 2 for wrong usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if release.Asked(args, stdout) {
		return 0
	}
	a := Usual()
	fs := flag.NewFlagSet("cost", flag.ContinueOnError)
	fs.SetOutput(stderr)
	layer := fs.String("layer", string(stage.L2), "l2 or l3")
	fs.Uint64Var(&a.SnosBlocks, "snos-blocks", a.SnosBlocks, "blocks of a SNOS batch")
	fs.Uint64Var(&a.Blocks, "blocks", a.Blocks, "blocks of an aggregator batch (l2)")
	fs.DurationVar(&a.Run, "run", a.Run, "how long a SNOS run takes")
	fs.DurationVar(&a.Proof, "proof", a.Proof, "how long a proof takes")
	fs.Float64Var(&a.PIE, "pie", a.PIE, "MB of a PIE")
	fs.IntVar(&a.WorkDays, "work-days", a.WorkDays,
		"days that PIEs and proofs stay once settled (artifacts.work_days)")
	var asJSON bool
	fs.BoolVar(&asJSON, "json", false, "print the table as JSON")
	if err := devoptions.Parse(fs, "cost", args, os.Environ()); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if l := stage.Layer(*layer); l != stage.L2 && l != stage.L3 {
		fmt.Fprintf(stderr, "-layer %q: want l2 or l3\n", *layer)
		return 2
	}
	print := report
	if asJSON {
		print = reportJSON
	}
	if err := print(ctx, stdout, stage.Layer(*layer), a); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// monthJSON is a month at a rate, as -json prints it.
type monthJSON struct {
	BlocksPerSecond float64 `json:"blocks_per_second"`
	Items           []Item  `json:"items"`
	USD             float64 `json:"usd"`
}

// reportJSON prints the table as JSON.
func reportJSON(ctx context.Context, out io.Writer, layer stage.Layer, a Assumptions) error {
	m, err := Measure(ctx, layer, a)
	if err != nil {
		return err
	}
	months := []monthJSON{}
	for _, r := range rates {
		x := monthJSON{BlocksPerSecond: r, Items: m.Month(r)}
		for _, i := range x.Items {
			x.USD += i.USD
		}
		months = append(months, x)
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(months)
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
