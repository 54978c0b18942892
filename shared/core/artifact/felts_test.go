package artifact_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// The first felts of a list are read without the rest of it, which may be anything.
func TestReadFirstFelts(t *testing.T) {
	t.Parallel()
	first := []felt.Felt{felt.FromUint64(1), felt.FromUint64(2)}
	for text, want := range map[string]error{
		`["0x1","0x2"]`: nil, `["0x1", "0x2", "0x3" nonsense`: nil, "[\n\"0x1\",\n\"0x02\"\n]": nil,
		`["0x1","0x2",` + strings.Repeat(`"0x3",`, 1000) + `"x"]`: nil,
		`["0x1"]`: artifact.ErrCorrupt, `[]`: artifact.ErrCorrupt, ``: artifact.ErrCorrupt,
		`{"0x1":"0x2"}`: artifact.ErrCorrupt,
		`["0x1","zz"]`:  artifact.ErrCorrupt, `[1,2]`: artifact.ErrCorrupt,
		`["0x1",` + strings.Repeat(" ", 1000) + `"0x2"]`: artifact.ErrCorrupt,
	} {
		s := memory.NewArtifacts(nil)
		if err := s.Put(t.Context(), "k", strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		got, err := artifact.ReadFirstFelts(t.Context(), s, "k", 2)
		if !errors.Is(err, want) || want == nil && !slices.Equal(got, first) {
			t.Errorf("%.60s: %v, %v; want %v", text, got, err, want)
		}
	}
	if _, err := artifact.ReadFirstFelts(t.Context(), memory.NewArtifacts(nil), "k",
		2); !errors.Is(err, artifact.ErrNotFound) {
		t.Error(err)
	}
}
