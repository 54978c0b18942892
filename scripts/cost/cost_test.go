package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// usual is the model of an L2 with usual assumptions.
var usual = sync.OnceValues(func() (Model, error) { return Measure(context.Background(), stage.L2, Usual()) })

// The tables of infra/README.md are what the program prints.
func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m, err := usual()
	if err != nil {
		t.Fatal(err)
	}
	if err := report(t.Context(), &out, m, true); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../infra/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "<!-- make cost -->\n")
	table, _, found := strings.Cut(rest, "<!-- end -->")
	const second = "| USD saved"
	costs, saves, _ := strings.Cut(strings.TrimSpace(table), second)
	nowCosts, nowSaves, _ := strings.Cut(strings.TrimSpace(out.String()), second)
	if !found || !alike(costs, nowCosts, 0.03) || !alike(saves, nowSaves, 0.1) {
		t.Errorf("infra/README.md has\n%s\n`make cost` prints\n%s", table, out.String())
	}
}

// numbers are the numbers of the table.
var numbers = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// alike says whether two texts differ by less than a thousandth, or some cents, in their numbers: lines of the log hold
// times that were measured, of more or fewer digits. A saving is the difference of two sums of such.
func alike(a, b string, least float64) bool {
	as, bs := numbers.FindAllString(a, -1), numbers.FindAllString(b, -1)
	spaces := regexp.MustCompile(` +`)
	a, b = spaces.ReplaceAllString(a, " "), spaces.ReplaceAllString(b, " ")
	if numbers.ReplaceAllString(a, "#") != numbers.ReplaceAllString(b, "#") || len(as) != len(bs) {
		return false
	}
	for i := range as {
		x, xerr := strconv.ParseFloat(as[i], 64)
		y, yerr := strconv.ParseFloat(bs[i], 64)
		if xerr != nil || yerr != nil || math.Abs(x-y) > max(least, x/1000) {
			return false
		}
	}
	return true
}

func TestAlike(t *testing.T) {
	t.Parallel()
	for other, want := range map[string]bool{
		"| logs | 29.01 | 1613 |": true, "| logs | 29.04 | 1614 |": true, "| logs | 29.06 | 1613 |": false,
		"| logs | 29.01 | 1616 |": false, "| log | 29.01 | 1613 |": false, "| logs | 29.01 |": false,
	} {
		if got := alike("| logs | 29.01 | 1613 |", other, 0.03); got != want {
			t.Errorf("%s: %t, want %t", other, got, want)
		}
	}
}

// Twice the blocks cost twice as much beyond what idling costs, and larger batches less.
func TestModel(t *testing.T) {
	t.Parallel()
	for _, layer := range []stage.Layer{stage.L2, stage.L3} {
		m, err := usual()
		if layer == stage.L3 {
			m, err = Measure(t.Context(), layer, Usual())
		}
		if err != nil {
			t.Fatal(err)
		}
		sum := func(m Model, rate float64) float64 {
			for _, i := range m.Month(rate) {
				if i.USD < 0 {
					t.Errorf("%s costs %v", i.Name, i.USD)
				}
			}
			return m.beside(rate)
		}
		idle, one, two := sum(m, 0), sum(m, 1), sum(m, 2)
		if idle < 1 || idle > 20 || one < 2*idle || (two-idle)/(one-idle) < 1.9 || (two-idle)/(one-idle) > 2.1 {
			t.Errorf("%s: %v idle, %v at one block a second, %v at two", layer, idle, one, two)
		}
		larger := Usual()
		larger.SnosBlocks, larger.Blocks = 50, 500
		l, err := Measure(t.Context(), layer, larger)
		if err != nil {
			t.Fatal(err)
		}
		if got := sum(l, 1); got > one/2 {
			t.Errorf("%s: batches of five times the size cost %v, want far less than %v", layer, got, one)
		}
	}
}

// mostOperations are how many operations of the database a SNOS batch of an L2 may take until it is settled, with its
// part of what is done for the aggregator batch.
const mostOperations = 210

// A SNOS batch takes few operations of the database: what is the same for all jobs of an invocation is read once.
func TestDatabaseOperations(t *testing.T) {
	t.Parallel()
	m, err := usual()
	if err != nil {
		t.Fatal(err)
	}
	n := m.PerBlock.operations() * float64(m.SnosBlocks)
	t.Logf("%.1f operations of the database a SNOS batch", n)
	if n < 50 || n > mostOperations {
		t.Errorf("%.1f operations of the database a SNOS batch, at most %d; 50 would be too few to believe", n,
			mostOperations)
	}
}
