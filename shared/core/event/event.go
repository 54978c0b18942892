// Package event is what the orchestrator publishes for other systems: that a job changed status, that a batch was
// closed or settled. Nothing in the pipeline depends on an event arriving.
package event

import (
	"context"
	"time"
)

// Source is the source of all events, for rules.
const Source = "orchestrator"

// Type is an event's type; on EventBridge it is the detail-type.
type Type string

// Types of events.
const (
	JobChanged   Type = "JobChanged"
	BatchClosed  Type = "BatchClosed"
	BatchSettled Type = "BatchSettled"
	StagePaused  Type = "StagePaused"
	StageResumed Type = "StageResumed"
	// BatchCloseAsked: an operator asked batching to close the open batch.
	BatchCloseAsked Type = "BatchCloseAsked"
	// RewindAsked: an operator discarded the unsettled batches from one on; BatchesRewound: that is carried out.
	RewindAsked    Type = "RewindAsked"
	BatchesRewound Type = "BatchesRewound"
	// SubscribersChanged: an operator changed who gets the alerts.
	SubscribersChanged Type = "SubscribersChanged"
)

// Event is one fact that happened.
type Event struct {
	Type    Type              `json:"type"`
	At      time.Time         `json:"at"`
	Chain   string            `json:"chain"`
	JobID   string            `json:"job_id,omitempty"`
	JobType string            `json:"job_type,omitempty"`
	Status  string            `json:"status,omitempty"`
	Batch   uint64            `json:"batch,omitempty"`
	TraceID string            `json:"trace_id,omitempty"`
	Detail  map[string]string `json:"detail,omitempty"`
}

// Bus publishes events. Safe for concurrent use. An event may be published twice.
type Bus interface {
	// Publish sends events, in as few requests as the service allows.
	Publish(ctx context.Context, events ...Event) error
	// Ping returns an error when events can't be published. It publishes none.
	Ping(ctx context.Context) error
}
