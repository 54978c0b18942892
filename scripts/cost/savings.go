package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/listening"
)

// change is another value of a setting.
type change struct {
	setting, from, to string
	// set makes the change; simulated says that it changes what is done, and not only its price.
	set       func(*Assumptions)
	simulated bool
}

// Saving is what a change saves a month; what it costs is below 0.
type Saving struct {
	Setting string    `json:"setting"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	USD     []float64 `json:"usd"` // at the rates of the months, without the database, whose price comes in steps
	// Database is the part of its operations that are saved at the highest rate.
	Database float64 `json:"database"`
}

// savings are what each change by itself saves, the most first.
func savings(ctx context.Context, m Model) ([]Saving, error) {
	var out []Saving
	all := m.changes()
	models := make([]Model, len(all))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range all {
		g.Go(func() (err error) {
			models[i], err = m.with(ctx, c)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, c := range all {
		s := Saving{Setting: c.setting, From: c.from, To: c.to}
		for _, r := range rates {
			s.USD = append(s.USD, m.beside(r)-models[i].beside(r))
			s.Database = 1 - models[i].hour(r).operations()/m.hour(r).operations()
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b Saving) int { return cmp.Compare(b.USD[1], a.USD[1]) })
	return out, nil
}

// beside is what a month costs beside the database.
func (m Model) beside(rate float64) (usd float64) {
	for _, i := range m.Month(rate) {
		if i.Name != mongoItem {
			usd += i.USD
		}
	}
	return usd
}

// with is the model with a change.
func (m Model) with(ctx context.Context, c change) (Model, error) {
	a := m.Assumptions
	c.set(&a)
	if !c.simulated {
		m.Assumptions = a
		return m, nil
	}
	out, err := Measure(ctx, m.Layer, a)
	if err != nil {
		return out, fmt.Errorf("%s from %s to %s: %w", c.setting, c.from, c.to, err)
	}
	return out, nil
}

// How far changes go.
const (
	larger     = 5 // times, batches
	later      = 5 // times, schedules of batching
	lessOften  = 3 // times, the other schedules
	longerDays = 7 // of PIEs
)

// changes are other values of the settings that the cost depends on.
func (m Model) changes() []change {
	a := m.Assumptions
	most := uint64(measured / 3) // blocks of a batch, of which some must be counted
	if m.Layer == stage.L2 {
		most = min(most, a.Blocks)
	}
	simulated := []change{
		number("BATCH_SNOS_BLOCKS", a.SnosBlocks, min(larger*a.SnosBlocks, most),
			func(a *Assumptions, n uint64) { a.SnosBlocks = n }),
		m.interval("SCHEDULE_EVERY batching", later, listening.Workers(m.Layer)...),
		m.interval("SCHEDULE_EVERY stages", lessOften, m.stages()...),
		toggle("ends reported (hooks)", "no", "yes", a.Reports, func(a *Assumptions) *bool { return &a.Reports }),
		toggle("queue (brokers apart)", config.SQS, config.Kafka, a.Kafka,
			func(a *Assumptions) *bool { return &a.Kafka }),
		toggle("heads", "false", "true", a.Heads, func(a *Assumptions) *bool { return &a.Heads }),
		{setting: "LOG_LEVEL", from: strings.ToLower(a.LogLevel.String()), to: "error",
			set: func(a *Assumptions) { a.LogLevel = slog.LevelError }},
	}
	priced := []change{
		toggle("architecture", "arm64", "x86_64", a.X86, func(a *Assumptions) *bool { return &a.X86 }),
		number("artifacts.work_days", uint64(a.WorkDays), longerDays,
			func(a *Assumptions, n uint64) { a.WorkDays = int(n) }),
	}
	if m.Layer == stage.L2 {
		simulated = append(simulated, number("BATCH_BLOCKS", a.Blocks, min(larger*a.Blocks, measured/3),
			func(a *Assumptions, n uint64) { a.Blocks = n }))
		priced = append(priced, toggle("wallet_kms", "false", "true", a.WalletKMS,
			func(a *Assumptions) *bool { return &a.WalletKMS }))
	}
	for i := range simulated {
		simulated[i].simulated = true
	}
	out := slices.Concat(simulated, priced)
	return slices.DeleteFunc(out, func(c change) bool { return c.from == c.to })
}

// number changes a number.
func number(setting string, from, to uint64, set func(*Assumptions, uint64)) change {
	return change{setting: setting, from: strconv.FormatUint(from, 10), to: strconv.FormatUint(to, 10),
		set: func(a *Assumptions) { set(a, to) }}
}

// toggle changes what is one of two values: to the other one.
func toggle(setting, off, on string, is bool, field func(*Assumptions) *bool) change {
	c := change{setting: setting, from: off, to: on, set: func(a *Assumptions) { *field(a) = !is }}
	if is {
		c.from, c.to = on, off
	}
	return c
}

// interval has trigger workers run less often. Where they differ so far the first one's interval is shown.
func (m Model) interval(setting string, times int, stages ...stage.Name) change {
	now := resource.Intervals(m.Layer, m.Intervals)
	next := schedule.Intervals(maps.Clone(map[stage.Name]time.Duration(m.Intervals)))
	if next == nil {
		next = schedule.Intervals{}
	}
	for _, s := range stages {
		next[s] = min(time.Duration(times)*now[s], 24*time.Hour)
	}
	short := func(d time.Duration) string { return fmt.Sprintf("%.0fm", d.Minutes()) }
	return change{setting: setting, from: short(now[stages[0]]), to: short(next[stages[0]]),
		set: func(a *Assumptions) { a.Intervals = next }}
}

// stages are those with jobs.
func (m Model) stages() (out []stage.Name) {
	for _, s := range stage.All() {
		if s.Jobs && slices.Contains(s.Layers, m.Layer) {
			out = append(out, s.Name)
		}
	}
	return out
}

// printSavings prints a table of at most 80 columns, as Markdown.
func printSavings(out io.Writer, all []Saving) {
	row := func(setting, from, to string, rest ...any) {
		cells := append([]any{setting, from, to}, rest...)
		fmt.Fprintf(out, "| %-23s | %5s | %6s | %5s | %7s | %8s | %4s |\n", cells...)
	}
	var heads, rules []any
	for _, r := range rates {
		heads = append(heads, strings.NewReplacer(" block", "", "s/s", "/s").Replace(title(r)))
		rules = append(rules, "---:")
	}
	row("USD saved a month", "from", "to", append(heads, "db")...)
	row("---", "---", "---", append(rules, "---:")...)
	for _, s := range all {
		var cells []any
		for _, usd := range s.USD {
			cells = append(cells, plain("%.2f", usd))
		}
		row(s.Setting, s.From, s.To, append(cells, plain("%.0f", 100*s.Database)+"%")...)
	}
	fmt.Fprintf(out, "\nEach change by itself, without MongoDB, whose price comes in steps: db is\n"+
		"the part of its operations that is saved at %s.\n", title(rates[len(rates)-1]))
}

// plain is a number without the sign of a zero.
func plain(format string, x float64) string {
	text := fmt.Sprintf(format, x)
	if strings.Trim(text, "-0.") == "" {
		return strings.TrimPrefix(text, "-")
	}
	return text
}
