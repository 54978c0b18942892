package pace_test

import (
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/pace"
)

// The window is where work of the kind ended, without what is unusual.
func TestExpect(t *testing.T) {
	t.Parallel()
	const s = time.Second
	repeat := func(n int, x ...pace.Sample) (out []pace.Sample) {
		for range n {
			out = append(out, x...)
		}
		return out
	}
	for name, tt := range map[string]struct {
		samples  []pace.Sample
		from, to time.Duration // about
		reported bool
	}{
		"too few": {repeat(pace.Least-1, pace.Sample{After: 1 * s, By: 2 * s}), 0, 0, false},
		"the same each time": {repeat(pace.Kept, pace.Sample{After: 298 * s, By: 302 * s}), 298120 * time.Millisecond,
			301920 * time.Millisecond, false},
		"exactly": {repeat(8, pace.Sample{After: 60 * s, By: 60 * s}), 60 * s, 60 * s, false},
		"one unusual at each end": {append(repeat(60, pace.Sample{After: 299 * s, By: 300 * s}),
			pace.Sample{After: 0, By: 1 * s}, pace.Sample{After: 7000 * s, By: 7200 * s}),
			299 * s, 300 * s, false},
		"two kinds": {repeat(16, pace.Sample{After: 99 * s, By: 100 * s}, pace.Sample{After: 299 * s, By: 300 * s}),
			79 * s, 300 * s, false},
		"reported": {append(repeat(20, pace.Sample{After: 1 * s, By: 100 * s}),
			repeat(9, pace.Sample{After: 99 * s, By: 100 * s, Reported: true})...), 0, 100 * s, true},
		"reported no more": {append(repeat(20, pace.Sample{After: 99 * s, By: 100 * s, Reported: true}),
			repeat(2, pace.Sample{After: 99 * s, By: 100 * s})...), 99 * s, 100 * s, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := pace.Summary{Samples: tt.samples}.Expect()
			near := func(a, b time.Duration) bool { return (a - b).Abs() <= s }
			if !near(got.From, tt.from) || !near(got.To, tt.to) || got.Reported != tt.reported ||
				got.Known() != (len(tt.samples) >= pace.Least) {
				t.Errorf("expects %+v, want about %s to %s, reported %t", got, tt.from, tt.to, tt.reported)
			}
		})
	}
}

func TestClass(t *testing.T) {
	t.Parallel()
	for size, want := range map[uint64]int{0: 0, 1: 1, 2: 2, 3: 2, 10: 4, 15: 4, 16: 5, 1 << 40: 41} {
		if got := pace.Class(size); got != want {
			t.Errorf("class of %d is %d, want %d", size, got, want)
		}
	}
}
