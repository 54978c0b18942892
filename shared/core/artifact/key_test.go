package artifact_test

import (
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
)

// What audits need stays longer than what only the work needed.
func TestExpireClass(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		artifact.SNOSKey(7, 0, artifact.PIE):                  artifact.TagExpireWork,
		artifact.AggregatorKey(7, 0, artifact.PIE):            artifact.TagExpireWork,
		artifact.SNOSKey(7, 0, artifact.Proof):                artifact.TagExpireWork,
		artifact.SNOSKey(7, 0, artifact.BridgeProof):          artifact.TagExpireWork,
		artifact.AccumulatorKey(7, 0, 1, 70):                  artifact.TagExpireWork,
		artifact.SNOSKey(7, 0, artifact.ProgramOutput):        artifact.TagExpireValue,
		artifact.SNOSKey(7, 0, artifact.OSOutput):             artifact.TagExpireValue,
		artifact.AggregatorKey(7, 0, artifact.DASegment):      artifact.TagExpireValue,
		artifact.SNOSKey(7, 0, artifact.RunResult):            artifact.TagExpireValue,
		artifact.BlobKey(7, 0, 1):                             artifact.TagExpireValue,
		artifact.TransactionKey("0123", "0x1"):                artifact.TagExpireValue,
		artifact.TransactionPrefix("x") + "something that is": artifact.TagExpireValue,
	} {
		if got := artifact.ExpireClass(key); got != want {
			t.Errorf("%s expires as %q, want %q", key, got, want)
		}
	}
}
