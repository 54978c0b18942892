package ops

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
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

func printStages(w io.Writer, l admin.StageList) {
	for _, s := range l.Stages {
		if !s.Paused {
			fmt.Fprintf(w, "%-18s  runs\n", s.Stage)
			continue
		}
		wrap(w, "", fmt.Sprintf("%s  PAUSED since %s by %s: %s", s.Stage, s.Since.Format(time.RFC3339), s.By, s.Reason))
	}
}
