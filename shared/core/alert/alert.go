// Package alert is the port to the people who operate the chain, and the memory of what was reported to them: one alert
// a cause, a reminder a day while it lasts, an all-clear when it is over.
package alert

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Severity says how soon a person is needed.
type Severity string

const (
	// Warning: look within the day.
	Warning Severity = "warning"
	// Critical: settlement stands still, or will.
	Critical Severity = "critical"
	// Resolved: the all-clear of an earlier alert with the same key. Nobody is needed.
	Resolved Severity = "resolved"
)

// Alert is one message to the operators. It never carries a secret. What others sent is shown redacted and cut off: the
// reason that a service gave, the beginning of a message that nobody can read.
type Alert struct {
	Severity Severity
	// Key names the cause. Alerts with the same key are about the same cause, and a receiver may drop repeats.
	Key    string
	Title  string // one line, at most 100 ASCII characters
	Detail string // what happened, what it blocks, what to do
	Jobs   []Job  // the jobs that the cause touches, at most MaxJobs; none where it is not about jobs
	// Command is what an operator types to act on it, Page what shows the status page; "" for an all-clear.
	Command, Page string
	// Runbook is the section of the runbook that says what to do, Dashboard the dashboard's URL; "" for none.
	Runbook, Dashboard string
	At                 time.Time
}

// Job is a job that a cause touches.
type Job struct {
	ID    string
	Type  string
	Batch uint64
}

// sections are what the keys of all alerts begin with: each has a section in docs/runbook.md.
var sections = []string{
	"waiting/", "failing/", "dead-letter/stage/", "dead-letter/unreadable", "dead-letter/unknown",
	"batching/version/", "batching/block-too-large/",
	"batching/unreadable", "batching/head", "batching/missing", "batching/history",
	"batching/first-block", "awaiting/contract/", "awaiting/prover/",
}

// Sections are what the keys of all alerts begin with.
func Sections() []string { return slices.Clone(sections) }

// RunbookSection is where docs/runbook.md says what to do about a key; the page itself where it has no section.
func RunbookSection(key string) string {
	const page = "docs/runbook.md"
	for _, s := range sections {
		if strings.HasPrefix(key, s) { // none begins with another
			return page + "#alert-" + strings.ReplaceAll(s, "/", "")
		}
	}
	return page
}

// Notifier sends alerts. Safe for concurrent use. An alert may arrive twice.
type Notifier interface {
	// Notify sends an alert. An error means that it may not have arrived; the caller sends it again later.
	Notify(ctx context.Context, a Alert) error
	// Ping returns an error when alerts can't be sent. It sends none.
	Ping(ctx context.Context) error
}
