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

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/release"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
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
	s := words{interval: "", level: "info", queue: config.SQS, architecture: "arm64"}
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
	fs.StringVar(&s.interval, "schedule-every", s.interval, "setting SCHEDULE_EVERY")
	fs.StringVar(&s.level, "log-level", s.level, "setting LOG_LEVEL")
	fs.StringVar(&s.queue, "queue", s.queue, "sqs or kafka (its brokers are not counted)")
	fs.StringVar(&s.architecture, "architecture", s.architecture, "arm64 or x86_64")
	fs.BoolVar(&a.Reports, "reports", a.Reports, "webhooks and AWS Batch's events say when work has ended")
	fs.BoolVar(&a.Heads, "heads", a.Heads, "the function heads wakes batching")
	fs.BoolVar(&a.WalletKMS, "wallet-kms", a.WalletKMS, "a KMS key signs")
	var asJSON, saves bool
	fs.BoolVar(&saves, "savings", true, "show what other settings save, which takes half a minute")
	fs.BoolVar(&asJSON, "json", false, "print the tables as JSON")
	if err := devoptions.Parse(fs, "cost", args, os.Environ()); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if l := stage.Layer(*layer); l != stage.L2 && l != stage.L3 {
		fmt.Fprintf(stderr, "-layer %q: want l2 or l3\n", *layer)
		return 2
	}
	if err := s.set(&a); err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	print := report
	if asJSON {
		print = reportJSON
	}
	m, err := Measure(ctx, stage.Layer(*layer), a)
	if err == nil {
		err = print(ctx, stdout, m, saves)
	}
	if err != nil {
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

// reportJSON prints the tables as JSON.
func reportJSON(ctx context.Context, out io.Writer, m Model, saves bool) error {
	months := []monthJSON{}
	for _, r := range rates {
		x := monthJSON{BlocksPerSecond: r, Items: m.Month(r)}
		for _, i := range x.Items {
			x.USD += i.USD
		}
		months = append(months, x)
	}
	tables := map[string]any{"months": months}
	if saves {
		saved, err := savings(ctx, m)
		if err != nil {
			return err
		}
		tables["savings"] = saved
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(tables)
}

// words are assumptions as the command line has them.
type words struct{ interval, level, queue, architecture string }

// set sets what the words say.
func (s words) set(a *Assumptions) (err error) {
	if a.Intervals, err = schedule.ParseIntervals(s.interval); err != nil {
		return fmt.Errorf("-schedule-every: %w", err)
	}
	if err := a.LogLevel.UnmarshalText([]byte(s.level)); err != nil {
		return fmt.Errorf("-log-level %q: want debug, info, warn or error", s.level)
	}
	if a.Kafka = s.queue == config.Kafka; !a.Kafka && s.queue != config.SQS {
		return fmt.Errorf("-queue %q: want sqs or kafka", s.queue)
	}
	if a.X86 = s.architecture == "x86_64"; !a.X86 && s.architecture != "arm64" {
		return fmt.Errorf("-architecture %q: want arm64 or x86_64", s.architecture)
	}
	return nil
}

// rates are the columns of the table: blocks a second.
var rates = []float64{0, 1, 10}

// report prints the table, as Markdown, and what other settings save.
func report(ctx context.Context, out io.Writer, m Model, saves bool) error {
	head, rule := "| USD a month |", "|---|"
	columns := make([][]Item, len(rates))
	for i, r := range rates {
		columns[i] = m.Month(r)
		head, rule = head+" "+title(r)+" |", rule+"---:|"
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
	if !saves {
		return nil
	}
	saved, err := savings(ctx, m)
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	printSavings(out, saved)
	return nil
}

// title is the head of a rate's column.
func title(rate float64) string {
	switch rate {
	case 0:
		return "idle"
	case 1:
		return "1 block/s"
	}
	return fmt.Sprintf("%v blocks/s", rate)
}
