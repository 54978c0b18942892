package eventbridge_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/eventbridge"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
)

// The same rule is listed and removed by the same requests each time, whatever order a map has.
func TestSorted(t *testing.T) {
	t.Parallel()
	var removed []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, what, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		answer := "{}"
		switch what {
		case "ListRules":
			answer = `{"Rules":[{"Name":"b","State":"ENABLED"},{"Name":"a","State":"DISABLED"}]}`
		case "ListTargetsByRule":
			answer = `{"Targets":[{"Id":"t3","Arn":"w"},{"Id":"t1","Arn":"z"},{"Id":"t5","Arn":"x"},` +
				`{"Id":"t2","Arn":"v"},{"Id":"t4","Arn":"y"}]}`
		case "RemoveTargets":
			var in struct{ Ids []string }
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				t.Error(err)
			}
			removed = in.Ids
			answer = `{"FailedEntryCount":0,"FailedEntries":[]}`
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(srv.Close)
	rules := eventbridge.NewRules(devcloud.Config(srv.URL), "bus")
	got, err := rules.Rules(t.Context())
	if err != nil || len(got) != 2 || got[0].Name != "a" || got[1].Name != "b" ||
		!slices.Equal(got[0].Targets, []string{"v", "w", "x", "y", "z"}) {
		t.Errorf("%+v, %v", got, err)
	}
	for range 5 {
		if err := rules.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if want := []string{"t1", "t2", "t3", "t4", "t5"}; !slices.Equal(removed, want) {
			t.Errorf("removed %v, want %v", removed, want)
		}
	}
}
