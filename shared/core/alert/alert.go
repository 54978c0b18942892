// Package alert is the port to the people who operate the chain: told only when a person is needed.
package alert

import (
	"context"
	"time"
)

// Severity says how soon a person is needed.
type Severity string

const (
	// Warning: look within the day.
	Warning Severity = "warning"
	// Critical: settlement stands still, or will.
	Critical Severity = "critical"
)

// Alert is one message to the operators. It never carries a secret or a payload.
type Alert struct {
	Severity Severity
	// Key names the trouble: alerts with the same key are about the same thing, and a receiver may drop repeats.
	Key     string
	Title   string // one line, at most 100 ASCII characters
	Detail  string // what happened, what it holds back, what to do
	JobID   string
	JobType string
	Batch   uint64
	At      time.Time
}

// Notifier sends alerts. Safe for concurrent use. An alert may arrive twice.
type Notifier interface {
	// Notify sends an alert; an error means that it may not have arrived, and the caller tells of the trouble again later.
	Notify(ctx context.Context, a Alert) error
}
