package triggering

import (
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// Case W9: a batch costs what its state update and each publication of its data cost.
func TestLedgerCountsEveryTransaction(t *testing.T) {
	t.Parallel()
	in := func(gas, data uint64, fee string) *job.Inclusion {
		return &job.Inclusion{GasUsed: gas, DataGas: data, Fee: fee}
	}
	var l batch.Ledger
	pay(&l, in(1, 10, "100"))
	payForData(&l, job.Job{Metadata: &job.DataSubmissionMeta{
		Included: in(
			2,
			20,
			"200",
		), More: []job.Publication{{Included: in(3, 30, "300")}, {}, {Included: in(4, 40, "no number")}},
	}})
	payForData(&l, job.Job{Metadata: &job.SnosRunMeta{}})
	if l.DataFee != nil {
		t.Errorf("%s for data on a layer of its own", l.DataFee)
	}
	payForData(&l, job.Job{Metadata: &job.DataSubmissionMeta{Layer: "ethereum/1",
		VersionedHashes: []string{"0x1", "0x2"}, Included: in(9, 90, "900"),
		More: []job.Publication{{Included: in(9, 90, "100")}, {VersionedHashes: []string{"0x3"}}}}})
	if l.DataFee.String() != "1000" || l.Blobs != 3 {
		t.Errorf("paid %s for %d blobs on a layer of its own, want 1000 for 3", l.DataFee, l.Blobs)
	}
	wait := &job.FeeWait{First: "50", Today: "80", Target: "40"}
	for what, m := range map[string]*job.StateTransitionMeta{
		"without a wait": {Included: in(1, 0, "1")}, "on a batch that others settled": {FeeWait: wait},
		"though nothing was compared": {FeeWait: &job.FeeWait{First: "50", Today: "80"}, Included: in(1, 0, "1")},
	} {
		if save(&l, m); l.FeeSaved != nil {
			t.Errorf("saved %s %s", l.FeeSaved, what)
		}
	}
	save(&l, &job.StateTransitionMeta{FeeWait: wait, Included: in(1, 0, "1")})
	if l.FeeSaved.Int64() != -30 {
		t.Errorf("saved %s, want -30", l.FeeSaved)
	}
	if l.GasUsed != 10 || l.DataGasUsed != 100 || l.Fee.String() != "600" {
		t.Errorf("gas %d, data gas %d, fee %s; want 10, 100 and 600", l.GasUsed, l.DataGasUsed, l.Fee)
	}
}
