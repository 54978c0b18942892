package alert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
)

const (
	// Reminder is how long after an alert the operators are reminded of a cause that lasts.
	Reminder = 24 * time.Hour
	// MaxJobs is how many jobs a report names.
	MaxJobs = 100
	// claim is how long one process may take to send an alert before another may send it.
	claim = time.Minute
	// freshness is how exact Report.SeenAt is: a cause that lasts does not write at every look.
	freshness = time.Hour
)

var (
	// ErrNotFound says that no report of the cause is open.
	ErrNotFound = errors.New("no open report of this cause")
	// ErrConflict says that another process has changed the report: read it again.
	ErrConflict = errors.New("report was changed by another writer")
)

// Cause is something that the operators must know of.
type Cause struct {
	// Key names it: printable ASCII, parts divided by "/". The first part is the reporting service's own.
	Key      string
	Severity Severity // Warning or Critical
	Title    string
	Detail   string
	Job      Job // the job that it touches; zero for none
	// Retry says that its jobs wait for an operator, who retries them once the cause is fixed.
	Retry bool
	// After is how long the cause must last before it is reported; 0: at once.
	After time.Duration
}

// Report is what is kept of a cause while it lasts.
type Report struct {
	Key          string
	Severity     Severity
	Title        string
	Detail       string // as last seen when an alert was due
	Jobs         []Job  // that it touches, the first MaxJobs
	Since        time.Time
	SeenAt       time.Time // when the cause was last seen, an hour too early at the most
	ReportedAt   time.Time // of the last alert; zero while none was sent
	ClaimedUntil time.Time // a process is sending the alert until then; zero for none
	Version      uint64    // grows with every write; 0: not stored yet
}

// Store keeps the open reports. Safe for concurrent use.
type Store interface {
	// Get returns the report of a cause, or ErrNotFound.
	Get(ctx context.Context, key string) (Report, error)
	// Open returns the reports whose keys begin with prefix, by ascending key, at most limit.
	Open(ctx context.Context, prefix string, limit int) ([]Report, error)
	// Save stores a report if its stored version is r.Version (0: if none is stored) and returns it with Version+1.
	// Otherwise ErrConflict.
	Save(ctx context.Context, r Report) (Report, error)
	// Delete removes a report if its stored version is r.Version. Otherwise ErrConflict.
	Delete(ctx context.Context, r Report) error
}

// Sight says what follows from seeing a cause.
type Sight int

// What may follow.
const (
	Known Sight = iota // nothing to write and nothing to send
	Noted              // write the report, send nothing
	Due                // write the report, which claims the alert, then send it
	Busy               // another process is sending the alert
)

// See applies one sight of a cause at now to its report (the zero Report where none is open).
func (r Report) See(c Cause, now time.Time) (Report, Sight) {
	next, sight := r, Known
	if r.Version == 0 {
		next.Key, next.Since, sight = c.Key, now, Noted
	}
	if r.Version == 0 || now.Sub(r.SeenAt) >= freshness {
		next.SeenAt, sight = now, Noted
	}
	if c.Job.ID != "" && len(r.Jobs) < MaxJobs && !r.touches(c.Job.ID) {
		next.Jobs, sight = append(slices.Clone(r.Jobs), c.Job), Noted
	}
	worse := c.Severity == Critical && r.Severity == Warning
	wanted := r.ReportedAt.IsZero() || worse || now.Sub(r.ReportedAt) >= Reminder
	if !wanted || now.Sub(next.Since) < c.After {
		if r.Version == 0 {
			next.Severity, next.Title, next.Detail = c.Severity, c.Title, c.Detail
		}
		return next, sight
	}
	if now.Before(r.ClaimedUntil) {
		return next, Busy
	}
	next.Severity, next.Title, next.Detail, next.ClaimedUntil = c.Severity, c.Title, c.Detail, now.Add(claim)
	return next, Due
}

// Sent notes that the alert was sent at now.
func (r Report) Sent(now time.Time) Report {
	r.ReportedAt, r.ClaimedUntil = now, time.Time{}
	return r
}

// Without takes a job off the report. over says that the cause touches no job any more; changed that the job was on it.
func (r Report) Without(ids ...string) (next Report, changed, over bool) {
	if !slices.ContainsFunc(ids, r.touches) {
		return r, false, false
	}
	r.Jobs = slices.DeleteFunc(slices.Clone(r.Jobs), func(j Job) bool { return slices.Contains(ids, j.ID) })
	return r, true, len(r.Jobs) == 0
}

// Names says whether the report names a job, or as many as it can.
func (r Report) Names(id string) bool { return len(r.Jobs) >= MaxJobs || r.touches(id) }

func (r Report) touches(id string) bool {
	return slices.ContainsFunc(r.Jobs, func(j Job) bool { return j.ID == id })
}

// Fingerprint makes a short name of a reason, the same for reasons that differ in numbers, hashes and ids only.
func Fingerprint(reason string) string {
	var b strings.Builder
	word := func(w string) {
		if strings.ContainsAny(w, "0123456789") || len(w) >= 4 && strings.Trim(w, "abcdefABCDEF") == "" {
			w = "#"
		}
		b.WriteString(w)
	}
	start := -1
	for i := 0; i <= len(reason); i++ {
		inWord := i < len(reason) &&
			(reason[i] >= '0' && reason[i] <= '9' || reason[i]|0x20 >= 'a' && reason[i]|0x20 <= 'z')
		switch {
		case inWord && start < 0:
			start = i
		case !inWord && start >= 0:
			word(reason[start:i])
			start = -1
		}
		if !inWord && i < len(reason) {
			b.WriteByte(reason[i])
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:6])
}
