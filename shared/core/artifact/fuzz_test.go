package artifact_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
)

// FuzzReadFelts feeds stored lists of words, as runners and provers write them.
func FuzzReadFelts(f *testing.F) {
	f.Add([]byte(`["0x1","2"]`))
	f.Add([]byte(`["0x800000000000011000000000000000000000000000000000000000000000001"]`))
	f.Add([]byte(`[1,2`))
	f.Add([]byte(`{"a":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := memory.NewArtifacts(nil)
		if err := s.Put(t.Context(), "k", bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		const most = 100
		words, err := artifact.ReadFelts(t.Context(), s, "k", most)
		if err != nil {
			if !errors.Is(err, artifact.ErrCorrupt) && !errors.Is(err, artifact.ErrTooLarge) {
				t.Errorf("%v is neither ErrCorrupt nor ErrTooLarge", err)
			}
			return
		}
		if len(words) > most {
			t.Errorf("%d words, at most %d were asked for", len(words), most)
		}
		if err := artifact.WriteFelts(t.Context(), s, "again", words); err != nil {
			t.Fatal(err)
		}
		if again, err := artifact.ReadFelts(t.Context(), s, "again", most); err != nil || !slices.Equal(words, again) {
			t.Errorf("%v written and read: %v, %v", words, again, err)
		}
	})
}

// FuzzReadFirstFelts reads the beginning of stored lists: where the whole list is read too, it begins with these.
func FuzzReadFirstFelts(f *testing.F) {
	f.Add([]byte(`["0x1","0x2","0x3"]`))
	f.Add([]byte(`["0x1"]`))
	f.Add([]byte(`["0x1","0x2" x`))
	f.Add([]byte(`{"a":[]}`))
	f.Add([]byte(`[[],"0x1"]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := memory.NewArtifacts(nil)
		if err := s.Put(t.Context(), "k", bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		const n = 2
		first, err := artifact.ReadFirstFelts(t.Context(), s, "k", n)
		if err != nil && !errors.Is(err, artifact.ErrCorrupt) || err == nil && len(first) != n {
			t.Errorf("%v, %v", first, err)
		}
		whole, werr := artifact.ReadFelts(t.Context(), s, "k", 100)
		if err == nil && werr == nil && !slices.Equal(whole[:n], first) {
			t.Errorf("%v begins with %v", whole, first)
		}
	})
}
