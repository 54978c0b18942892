package ops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

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
		fmt.Fprintf(w, "cost       %s, %d gas, %d blobs\n", fee(l), l.GasUsed, l.Blobs)
		if l.DataFee != "" {
			fmt.Fprintf(w, "           %s for its data, on a layer of its own\n", amount(l.DataFee, "wei"))
		}
		if l.FeeSaved != "" {
			fmt.Fprintf(w, "           %s\n", saved(l.FeeSaved, l.Unit))
		}
		fmt.Fprintf(w, "transaction\n  %s\n", l.Tx)
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

func printArtifacts(w io.Writer, l admin.ArtifactList, links bool) {
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
	switch {
	case l.LinksEnd.IsZero():
		fmt.Fprintln(w, "this deployment gives out no links to these")
	case !links:
		fmt.Fprintln(w, "-links prints links to them, -into DIR downloads them")
	default:
		printLinks(w, l)
	}
}
