package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// maxAlerts is the most open alerts that are shown.
const maxAlerts = 100

// Alert is a cause that lasts.
type Alert struct {
	Key        string         `json:"key"`
	Severity   alert.Severity `json:"severity"`
	Title      string         `json:"title"`
	Detail     string         `json:"detail"`
	Jobs       []AlertJob     `json:"jobs"` // that it touches, the first 100
	Since      time.Time      `json:"since"`
	ReportedAt time.Time      `json:"reported_at,omitzero"` // of the last alert; missing while none was sent
}

// AlertJob is a job that a cause touches.
type AlertJob struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Batch     uint64 `json:"batch"`
	BatchName string `json:"batch_name"`
}

// AlertList are the causes that last now.
type AlertList struct {
	Alerts []Alert `json:"alerts"`
}

// Alerts returns the causes that last now, by key, at most 100.
func (s *Service) Alerts(ctx context.Context) (AlertList, error) {
	l := AlertList{Alerts: []Alert{}}
	if s.Reports == nil {
		return l, nil
	}
	open, err := s.Reports.Open(ctx, "", maxAlerts)
	if err != nil {
		return l, fmt.Errorf("read the open alerts: %w", err)
	}
	for _, r := range open {
		a := Alert{
			Key: Redact(r.Key), Severity: r.Severity, Title: Redact(r.Title), Detail: Redact(r.Detail),
			Jobs: []AlertJob{}, Since: utc(r.Since),
			ReportedAt: utc(r.ReportedAt),
		}
		for _, j := range r.Jobs {
			a.Jobs = append(a.Jobs, AlertJob{
				ID: j.ID, Type: j.Type, Batch: j.Batch, BatchName: s.Layer.BatchName(job.Type(j.Type), j.Batch),
			})
		}
		l.Alerts = append(l.Alerts, a)
	}
	return l, nil
}
