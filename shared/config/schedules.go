package config

import "github.com/madara-orchestrator/orchestrator/shared/core/schedule"

// Schedules are how often the trigger workers run.
type Schedules struct {
	// Stages whose trigger worker runs at another interval than the default, with commas between them: whole minutes,
	// 1m to 24h, Reconcile at most 4m: alarms look at what it logs. A completed stage wakes the next one at once,
	// whatever the interval.
	Every string `env:"EVERY" example:"ProofCreation=10m,StorageCleanup=2h"`
}

// Intervals are the intervals, of settings without faults.
func (s Schedules) Intervals() schedule.Intervals {
	out, _ := schedule.ParseIntervals(s.Every)
	return out
}

func (s Schedules) faults(f *faultList) {
	_, err := schedule.ParseIntervals(s.Every)
	f.check(err == nil, "SCHEDULE_EVERY", "%v", err)
}
