package snos_test

import (
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

func TestDecodeEnded(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		kind  snos.Kind
		batch uint64
		ok    bool
		fails bool
	}{
		`{"ended_run":"` + snos.RunName(snos.Run, 7, "ab12") + `"}`:       {snos.Run, 7, true, false},
		`{"ended_run":"` + snos.RunName(snos.Aggregate, 3, "ab12") + `"}`: {snos.Aggregate, 3, true, false},
		`{"ended_run":"snos-0-ab"}`:                                       {"", 0, true, true},
		`{"ended_run":"snos-7"}`:                                          {"", 0, true, true},
		`{"ended_run":"other-7-ab"}`:                                      {"", 0, true, true},
		`{"ended_run":"snos--7-ab"}`:                                      {"", 0, true, true},
		`{"job_id":"x"}`:                                                  {},
		``:                                                                {},
		`[`:                                                               {},
	} {
		kind, batch, ok, err := snos.DecodeEnded(body)
		if kind != want.kind || batch != want.batch || ok != want.ok || (err != nil) != want.fails {
			t.Errorf("%s: %q %d %t %v", body, kind, batch, ok, err)
		}
	}
}
