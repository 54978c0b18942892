package ops

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
)

// now is the time that ages count from.
func (s *session) now() time.Time { return time.Now() }

// wrap prints text in lines that fit, each indented.
func wrap(w io.Writer, indent, text string) { report.Wrap(w, indent, text) }

// table prints rows in columns, the first row as head.
func table(w io.Writer, rows [][]string) {
	var b bytes.Buffer
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	_ = tw.Flush() // a buffer takes everything
	for line := range strings.Lines(b.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// short is a duration as people say it: 45s, 3m20s, 5h10m, 4d3h.
func short(d time.Duration) string {
	switch s := int(d.Seconds()); {
	case s < 0:
		return "0s"
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%ds", s/60, s%60)
	case s < 86_400:
		return fmt.Sprintf("%dh%dm", s/3600, s/60%60)
	default:
		return fmt.Sprintf("%dd%dh", s/86_400, s/3600%24)
	}
}

func seconds(s float64) string { return short(time.Duration(s * float64(time.Second))) }

func block(n *uint64) string {
	if n == nil {
		return "none known"
	}
	return fmt.Sprintf("block %d", *n)
}

// aged is a value's text with its age, where it was not read now.
func aged(l admin.Lag, name, text string) string {
	if age, ok := l.Ages[name]; ok {
		return fmt.Sprintf("%s (read %s ago; it can't be read now)", text, short(time.Duration(age)*time.Second))
	}
	return text
}

func printLag(w io.Writer, l admin.Lag) {
	fmt.Fprintf(w, "chain      %s (%s)\nhead       %s\nbatched    %s\nsettled    %s\n",
		l.Chain, l.Layer, aged(l, "head", block(l.Head)),
		aged(l, "batched", block(l.Batched)), aged(l, "settled", block(l.Settled)))
	behind := "unknown"
	if l.Blocks != nil {
		behind = fmt.Sprintf("%d blocks", *l.Blocks)
	}
	if l.Seconds != nil {
		behind += ", " + short(time.Duration(*l.Seconds)*time.Second)
	}
	fmt.Fprintf(w, "behind     %s\n", behind)
	if l.Failed != nil && *l.Failed > 0 {
		fmt.Fprintf(w, "failed     %d jobs wait for you\n", *l.Failed)
	}
	for _, u := range l.Unknown {
		wrap(w, "unknown    ", u)
	}
	fmt.Fprintln(w)
	wrap(w, "", strings.ToUpper(string(l.Verdict.Level))+": "+l.Verdict.Text)
	printCommand(w, l.Verdict.Command)
}

func printCommand(w io.Writer, c string) {
	if c != "" {
		fmt.Fprintf(w, "\n  %s\n", c)
	}
}

func printReady(w io.Writer, r admin.Readiness) {
	for _, c := range r.Checks {
		state := "ok"
		if !c.OK {
			state = "NOT OK"
		}
		fmt.Fprintf(w, "%-6s  %-18s %5d ms\n", state, c.Name, c.Millis)
		if c.Detail != "" {
			wrap(w, "        ", c.Detail)
		}
		if c.Reason != "" {
			wrap(w, "        ", c.Reason)
		}
	}
	if r.Ready {
		fmt.Fprintln(w, "\nready")
		return
	}
	fmt.Fprintln(w)
	wrap(w, "", "NOT READY: "+r.Reason)
}

func printContracts(w io.Writer, r contracts.Report) {
	fmt.Fprintf(w, "core contract %s\n\n", r.Contract)
	for _, l := range r.Lines {
		verdict := string(l.Verdict)
		if l.Verdict == contracts.Wrong {
			verdict = strings.ToUpper(verdict)
		}
		fmt.Fprintf(w, "%-8s %s\n", verdict, l.Name)
		wrap(w, "         ", "found "+l.Found)
		if l.Want != "" && l.Verdict != contracts.Right {
			wrap(w, "         ", "want  "+l.Want)
		}
		if l.Do != "" {
			wrap(w, "         ", l.Do)
		}
	}
}

func printAlerts(w io.Writer, l admin.AlertList) {
	if len(l.Alerts) == 0 {
		fmt.Fprintln(w, "no alert is open")
	}
	for i, a := range l.Alerts {
		if i > 0 {
			fmt.Fprintln(w)
		}
		wrap(w, "", fmt.Sprintf("%s: %s", strings.ToUpper(string(a.Severity)), a.Title))
		wrap(w, "  ", a.Detail)
		fmt.Fprintf(w, "  since %s, key %s\n", a.Since.Format(time.RFC3339), a.Key)
		if len(a.Jobs) > 1 {
			var names []string
			for _, j := range a.Jobs {
				names = append(names, j.Type+" of "+j.BatchName)
			}
			wrap(w, "  ", fmt.Sprintf("%d jobs: %s", len(a.Jobs), strings.Join(names, ", ")))
		}
	}
}

// batchState is a batch's status in words.
func batchState(b admin.Batch) string {
	switch b.Status {
	case "Open":
		return "open"
	case "Closed":
		return "closed"
	case "Proven":
		return "proven"
	case "Completed":
		return "settled"
	case "Archived":
		return "settled, final"
	}
	return "in " + b.Status
}

func printBatches(w io.Writer, bs []admin.Batch, now time.Time) {
	if len(bs) == 0 {
		fmt.Fprintln(w, "no batches")
		return
	}
	rows := [][]string{{bs[0].Kind, "blocks", "state", "age", "stages done", "fee", "transaction"}}
	for _, b := range bs {
		done := 0
		mark := ""
		for _, p := range b.Stages {
			switch p.State {
			case admin.StateDone:
				done++
			case admin.StateFailed:
				mark = " FAILED"
			}
		}
		rows = append(rows, []string{
			fmt.Sprint(b.Index), fmt.Sprintf("%d-%d", b.StartBlock, b.EndBlock),
			batchState(b), short(now.Sub(b.OpenedAt)),
			fmt.Sprintf("%d of %d%s", done, len(b.Stages), mark), fee(b.Ledger), ellipsis(b.Ledger.Tx),
		})
	}
	table(w, rows)
}

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
	if n.Cmp(big.NewInt(1e13)) < 0 {
		return n.String() + " " + unit
	}
	return whole.Text('f', 6) + " " + name
}

func ellipsis(hash string) string {
	switch {
	case hash == "":
		return "none yet"
	case len(hash) < 16:
		return hash
	}
	return hash[:6] + "..." + hash[len(hash)-4:]
}

func printBatch(w io.Writer, b admin.BatchDetail, now time.Time) {
	fmt.Fprintf(w, "%s  blocks %d-%d, %s", b.Name, b.StartBlock, b.EndBlock, batchState(b.Batch))
	if b.ClosedBy != "" {
		fmt.Fprintf(w, ", closed by %s", b.ClosedBy)
	}
	fmt.Fprintf(w, "\nopened     %s, %s ago\n", b.OpenedAt.Format(time.RFC3339), short(now.Sub(b.OpenedAt)))
	if b.Settled {
		fmt.Fprintf(w, "settled    %s\n", b.SettledAt.Format(time.RFC3339))
	}
	if l := b.Ledger; l.Tx != "" {
		fmt.Fprintf(w, "cost       %s, %d gas, %d blobs\ntransaction\n  %s\n", fee(l), l.GasUsed, l.Blobs, l.Tx)
		if l.TxURL != "" {
			fmt.Fprintf(w, "  %s\n", l.TxURL)
		}
	}
	rows := [][]string{{"stage", "state", "jobs done", "time"}}
	for _, p := range b.Stages {
		rows = append(rows,
			[]string{p.Stage, string(p.State), fmt.Sprintf("%d of %d", p.Done, p.Jobs), seconds(p.Seconds)})
	}
	fmt.Fprintln(w)
	table(w, rows)
	if len(b.Snos) > 0 {
		rows = [][]string{{"SNOS batch", "blocks", "state", "closed by"}}
		for _, x := range b.Snos {
			rows = append(rows, []string{fmt.Sprint(x.Index), fmt.Sprintf("%d-%d", x.StartBlock, x.EndBlock),
				batchState(x), x.ClosedBy})
		}
		fmt.Fprintln(w)
		table(w, rows)
	}
	fmt.Fprintln(w)
	printJobs(w, b.Jobs, now)
}

func printBlock(w io.Writer, b admin.BlockStatus, now time.Time) {
	state := "is not settled yet"
	if b.Settled {
		state = "is settled since " + b.SettledAt.Format(time.RFC3339)
	}
	fmt.Fprintf(w, "block %d %s\n", b.Block, state)
	fmt.Fprintf(w, "%s (blocks %d-%d) is %s\n", b.Batch.Name, b.Batch.StartBlock, b.Batch.EndBlock, batchState(b.Batch))
	if b.Snos != nil && b.Snos.Kind != b.Batch.Kind {
		fmt.Fprintf(w, "%s (blocks %d-%d) is %s\n",
			b.Snos.Name, b.Snos.StartBlock, b.Snos.EndBlock, batchState(*b.Snos))
	}
	if b.Batch.Ledger.Tx != "" {
		fmt.Fprintf(w, "transaction %s\n", b.Batch.Ledger.Tx)
	}
	fmt.Fprintln(w)
	printJobs(w, b.Jobs, now)
}

// statusText is a job's status in words.
func statusText(s string) string { return admin.StatusWords(job.Status(s)) }

func printJobs(w io.Writer, js []admin.Job, now time.Time) {
	if len(js) == 0 {
		fmt.Fprintln(w, "no jobs")
		return
	}
	rows := [][]string{{"job", "stage", "batch", "age"}}
	for _, j := range js {
		kind := "aggr."
		if j.BatchKind == admin.KindSnos {
			kind = "SNOS"
		}
		rows = append(rows, []string{j.ID, j.Type, fmt.Sprintf("%s %d", kind, j.Batch), short(now.Sub(j.CreatedAt))})
	}
	var b strings.Builder
	table(&b, rows)
	lines := strings.Split(b.String(), "\n")
	fmt.Fprintln(w, lines[0])
	for i, j := range js {
		fmt.Fprintln(w, lines[i+1])
		text := statusText(j.Status)
		if j.Reason != "" && j.Status != string(job.Completed) {
			text += ": " + j.Reason
		}
		wrap(w, "  ", text)
	}
}

func printJob(w io.Writer, j admin.JobDetail, now time.Time) {
	fmt.Fprintf(w, "job        %s\nstage      %s of %s\nstatus     %s\n",
		j.ID, j.Type, j.BatchName, statusText(j.Status))
	fmt.Fprintf(w, "created    %s, %s ago\n", j.CreatedAt.Format(time.RFC3339), short(now.Sub(j.CreatedAt)))
	if j.NextAction != "" {
		fmt.Fprintf(w, "next       %s, due %s\n", j.NextAction, j.DueAt.Format(time.RFC3339))
	}
	if j.ExternalID != "" {
		fmt.Fprintf(w, "outside    %s\n", j.ExternalID)
	}
	fmt.Fprintf(w, "tries      %d processed, %d verified, %d crashes, %d transient failures in a row\n",
		j.Attempts.Process, j.Attempts.Verify, j.Attempts.Crashes, j.Attempts.Transient)
	for _, f := range j.Failures {
		wrap(w, "  ", f.At.Format(time.RFC3339)+"  "+f.Reason)
	}
	if j.Hint != "" {
		fmt.Fprintln(w)
		wrap(w, "", j.Hint)
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, j.Metadata, "  ", "  ") == nil {
		fmt.Fprintf(w, "\nmetadata\n  %s\n", pretty.String())
	}
}

func printStages(w io.Writer, l admin.StageList) {
	for _, s := range l.Stages {
		if !s.Paused {
			fmt.Fprintf(w, "%-18s  runs\n", s.Stage)
			continue
		}
		wrap(w, "", fmt.Sprintf("%s  PAUSED since %s by %s: %s", s.Stage, s.Since.Format(time.RFC3339), s.By, s.Reason))
	}
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
	if !l.Complete {
		wrap(w, "", "There are more batches than are looked at: the oldest day may lack some, "+
			"earlier days are missing.")
	}
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

func printArtifacts(w io.Writer, l admin.ArtifactList) {
	if len(l.Artifacts) == 0 {
		fmt.Fprintln(w, "no files are stored")
		return
	}
	var sum uint64
	rows := [][]string{{"size", "stored at (UTC)", "key"}}
	for _, a := range l.Artifacts {
		sum += uint64(a.Size)
		rows = append(rows, []string{large(uint64(a.Size)) + "B", a.Modified.UTC().Format("01-02 15:04:05"), a.Key})
	}
	table(w, rows)
	fmt.Fprintf(w, "\n%d files, %sB\n", len(l.Artifacts), large(sum))
	if l.More {
		fmt.Fprintln(w, "there are more")
	}
}
