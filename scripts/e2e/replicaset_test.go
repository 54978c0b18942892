package e2e_test

import (
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// The database is a replica set whose primary steps down and is killed, in turn, as long as the chain settles: another
// member is elected each time, and every batch is settled once.
func TestElections(t *testing.T) {
	t.Parallel()
	rs := tools.MongodReplicaSet(t)
	w := newWorld(t, stack.Options{Name: "elections", Blocks: 8, Mongo: rs.URI, Visibility: 5 * time.Second})
	primaries := map[string]bool{}
	step, stepped, killed := 0, 0, 0
	w.settle(t, 6*time.Minute, func() {
		if step++; step%12 != 0 { // the functions get some seconds with each primary
			return
		}
		if stepped <= killed {
			if err := rs.StepDown(t.Context()); err != nil {
				t.Error(err)
			}
			stepped++
		} else {
			if err := rs.Kill(t.Context()); err != nil {
				t.Error(err)
			}
			killed++
		}
		p, err := rs.Primary(t.Context())
		if err != nil {
			t.Error(err)
		}
		primaries[p] = true
	})
	w.check(t)
	if stepped == 0 || killed == 0 || len(primaries) < 2 {
		t.Errorf("%d primaries stepped down, %d were killed, %d different ones: this shows nothing",
			stepped, killed, len(primaries))
	}
	t.Logf("%d primaries stepped down, %d were killed", stepped, killed)
}
