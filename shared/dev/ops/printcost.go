package ops

import (
	"cmp"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// fee is a fee in 10^9 of its unit, or in 10^18 where it is large.
func fee(l admin.Ledger) string { return amount(l.Fee, l.Unit) }

// amount is a decimal amount of wei or fri in a unit that people read.
func amount(decimal, unit string) string {
	n, ok := new(big.Int).SetString(decimal, 10)
	if !ok {
		return "none"
	}
	name, whole := "ETH", new(big.Float).Quo(new(big.Float).SetInt(n), big.NewFloat(1e18))
	if unit == "fri" {
		name = "STRK"
	}
	if n.CmpAbs(big.NewInt(1e13)) < 0 {
		return n.String() + " " + unit
	}
	return whole.Text('f', 6) + " " + name
}

func printWallet(w io.Writer, x admin.Wallet) {
	fmt.Fprintf(w, "wallet     %s\nbalance    %s\n", x.Address, amount(x.Balance, x.Unit))
	if x.BatchesLeft == nil {
		fmt.Fprintln(w, "lasts      unknown before the first batch is settled")
		return
	}
	fmt.Fprintf(w, "per batch  %s\nlasts      %d batches", amount(x.FeePerBatch, x.Unit), *x.BatchesLeft)
	if x.DaysLeft != nil {
		fmt.Fprintf(w, ", %.1f days at the rate of the newest batches", *x.DaysLeft)
	}
	fmt.Fprintln(w)
}

// printWallets prints the wallet that settles, and the one that publishes data elsewhere, where there is one.
func printWallets(w io.Writer, x admin.Wallet) {
	printWallet(w, x)
	if x.Data != nil {
		fmt.Fprintln(w, "\nthe wallet that publishes data:")
		printWallet(w, *x.Data)
	}
	if x.DataError != "" {
		fmt.Fprintln(w)
		wrap(w, "", x.DataError)
	}
}

func printLedger(w io.Writer, l admin.Sums) {
	if len(l.Days) == 0 {
		fmt.Fprintln(w, "no batch was settled on these days")
		return
	}
	rows := [][]string{{"day (UTC)", "batches", "blocks", "fee", "gas", "blobs", "steps", "tries", "stored"}}
	for _, d := range append(slices.Clone(l.Days), l.All) {
		rows = append(rows, []string{cmp.Or(d.Day, "all"), fmt.Sprint(d.Batches), fmt.Sprint(d.Blocks),
			amount(d.Fee, l.Unit), large(d.GasUsed), fmt.Sprint(d.Blobs), large(d.ProverSteps), fmt.Sprint(d.Requests),
			large(uint64(d.StoredBytes)) + "B"})
	}
	table(w, rows)
	fmt.Fprintln(w)
	wrap(w, "", "steps: Cairo steps given to the prover, by which provers charge; stored: bytes of artifacts, counted "+
		"once they may expire")
	if l.All.DataFee != "" {
		wrap(w, "", "data was published on a layer of its own for "+amount(l.All.DataFee, "wei"))
	}
	if l.All.FeeSaved != "" {
		wrap(w, "", saved(l.All.FeeSaved, l.Unit))
	}
	if !l.Complete {
		wrap(w, "", "There are more batches than are looked at: the oldest day may lack some, "+
			"earlier days are missing.")
	}
}

// saved says what waiting for lower fees brought.
func saved(decimal, unit string) string {
	if lost, is := strings.CutPrefix(decimal, "-"); is {
		return "waiting for lower fees cost " + amount(lost, unit) + ": they rose"
	}
	return "waiting for lower fees saved " + amount(decimal, unit)
}

// large is a number in at most five characters: 999, 12.3k, 4.56M.
func large(n uint64) string {
	v, unit := float64(n), ""
	for _, u := range []string{"k", "M", "G", "T"} {
		if v < 1000 {
			break
		}
		v, unit = v/1000, u
	}
	if unit == "" {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%.1f%s", v, unit)
}

func printHistory(w io.Writer, h admin.History) {
	if h.Through == 0 {
		fmt.Fprintln(w, "nothing was moved out of the database")
		return
	}
	var jobs uint64
	for _, n := range h.Jobs {
		jobs += n
	}
	table(w, [][]string{
		{"through batch", "batches", "SNOS batches", "blocks", "jobs"},
		{fmt.Sprint(h.Through), large(h.Batches), large(h.SnosBatches), large(h.Blocks), large(jobs)},
	})
	fmt.Fprintln(w)
	wrap(w, "", fmt.Sprintf("They cost %s %s, %s gas and %s blobs. Each batch is a file %s... of the bucket, which "+
		"`make inspect ARGS='history FILE'` reads.", h.Fee, h.Unit, large(h.GasUsed), large(h.Blobs), h.Files))
}
