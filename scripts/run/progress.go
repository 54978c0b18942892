package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// batched is the first bar: blocks that are in a closed batch.
const batched = "Batching"

// stages are the bars from top to bottom.
func stages(l stage.Layer) []string {
	all := []string{batched}
	for _, t := range job.Types {
		i := slices.IndexFunc(resource.Functions(),
			func(f resource.Function) bool { return f.Name == resource.FunctionOf(t) })
		if slices.Contains(resource.Functions()[i].Layers, l) {
			all = append(all, string(t))
		}
	}
	return all
}

// meter counts, from the events that the functions publish, how many blocks have passed each stage. It is an event.Bus
// that hands on to the real one.
type meter struct {
	event.Bus
	layer stage.Layer
	show  func(stage string, blocks int)

	mu     sync.Mutex
	blocks map[string]int // of a batch, by kind and index
	passed map[string]bool
	counts map[string]int
}

func newMeter(bus event.Bus, l stage.Layer, show func(stage string, blocks int)) *meter {
	return &meter{Bus: bus, layer: l, show: show, blocks: map[string]int{},
		passed: map[string]bool{}, counts: map[string]int{}}
}

// Publish implements event.Bus.
func (m *meter) Publish(ctx context.Context, es ...event.Event) error {
	for _, e := range es {
		m.see(e)
	}
	return m.Bus.Publish(ctx, es...)
}

func (m *meter) see(e event.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case e.Type == event.BatchClosed:
		first, err1 := strconv.Atoi(e.Detail["start_block"])
		last, err2 := strconv.Atoi(e.Detail["end_block"])
		if err1 != nil || err2 != nil {
			return
		}
		kind := e.Detail["kind"]
		m.blocks[kind+strconv.FormatUint(e.Batch, 10)] = last - first + 1
		if kind == "snos" {
			m.pass(batched, e.Batch, last-first+1)
		}
	case e.Type == event.JobChanged && e.Status == string(job.Completed):
		kind := "snos"
		if t := job.Type(e.JobType); m.layer == stage.L2 && (t == job.Aggregator || t == job.StateTransition) {
			kind = "aggregator"
		}
		m.pass(e.JobType, e.Batch, m.blocks[kind+strconv.FormatUint(e.Batch, 10)])
	}
}

// pass counts a batch once: events may come twice.
func (m *meter) pass(stage string, batch uint64, blocks int) {
	key := stage + strconv.FormatUint(batch, 10)
	if m.passed[key] {
		return
	}
	m.passed[key] = true
	m.counts[stage] += blocks
	m.show(stage, m.counts[stage])
}

// display shows progress until closed.
type display interface {
	show(stage string, blocks int)
	note(format string, args ...any)
	close()
}

// bars are for a terminal.
type bars struct {
	p     *mpb.Progress
	bars  map[string]*mpb.Bar
	order []string
}

func newBars(out io.Writer, names []string, total int) *bars {
	b := &bars{p: mpb.New(mpb.WithOutput(out), mpb.WithWidth(44), mpb.WithRefreshRate(120*time.Millisecond)),
		bars: map[string]*mpb.Bar{}, order: names}
	for _, n := range names {
		b.bars[n] = b.p.New(int64(total), mpb.BarStyle().Lbound("").Filler("█").Tip("█").Padding("·").Rbound(""),
			mpb.PrependDecorators(decor.Name(n, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.CountersNoUnit("%4d / %d blocks"),
				decor.Elapsed(decor.ET_STYLE_MMSS, decor.WC{W: 7})))
	}
	return b
}

func (b *bars) show(stage string, blocks int) {
	if bar := b.bars[stage]; bar != nil {
		bar.SetCurrent(int64(blocks))
	}
}

func (b *bars) note(format string, args ...any) { _, _ = fmt.Fprintf(b.p, format+"\n", args...) }

func (b *bars) close() {
	for _, n := range b.order {
		b.bars[n].Abort(false) // keeps what it shows; a full bar has ended already
	}
	b.p.Wait()
}

// lines are for a file or a pipe: one line whenever a stage passes a tenth.
type lines struct {
	out   io.Writer
	total int
	start time.Time

	mu   sync.Mutex
	last map[string]int
}

func newLines(out io.Writer, total int) *lines {
	return &lines{out: out, total: total, start: time.Now(), last: map[string]int{}}
}

func (l *lines) show(stage string, blocks int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tenth := blocks * 10 / max(l.total, 1)
	if tenth == l.last[stage] && blocks != l.total {
		return
	}
	l.last[stage] = tenth
	fmt.Fprintf(l.out, "%6.1fs  %-18s %4d / %d blocks\n", time.Since(l.start).Seconds(), stage, blocks, l.total)
}

func (l *lines) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, format+"\n", args...)
}

func (l *lines) close() {}
