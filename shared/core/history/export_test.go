package history_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/history"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

func export(t testing.TB) []byte {
	t.Helper()
	u := history.Unit{Index: 7, Aggregator: &batch.AggregatorBatch{Index: 7, FirstSnos: 9, Snos: make([]batch.Span, 1)},
		Snos: []batch.SnosBatch{{Index: 9}},
		Jobs: []job.Job{job.New(strings.Repeat("1", 32), 9, &job.SnosRunMeta{}, "t", time.Unix(1, 0).UTC())}}
	b, err := history.Export(u)
	if err != nil {
		t.Fatal(err)
	}
	again, err := history.Export(u)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("a second export differs, %v", err)
	}
	return b
}

// What is cut off, changed, or has something more in it is corrupt, wherever that is.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	whole := export(t)
	if u, err := history.Read(bytes.NewReader(whole)); err != nil || u.Index != 7 || len(u.Jobs) != 1 {
		t.Fatalf("%+v, %v", u, err)
	}
	corrupt := func(what string, b []byte) {
		t.Helper()
		if u, err := history.Read(bytes.NewReader(b)); !errors.Is(err, history.ErrCorrupt) ||
			!strings.Contains(err.Error(), "line ") || u.Index != 0 {
			t.Errorf("%s: %+v, %v", what, u, err)
		}
	}
	for n := range len(whole) - 1 { // the last byte is the end of a line
		corrupt("cut off", whole[:n])
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	for i := range lines {
		if len(lines[i]) == 0 {
			continue
		}
		corrupt("without a line", bytes.Join(append(append([][]byte{}, lines[:i]...), lines[i+1:]...), nil))
		corrupt("a line twice", bytes.Join(append(append([][]byte{}, lines[:i+1]...), lines[i:]...), nil))
	}
	corrupt("other numbers", bytes.Replace(whole, []byte(`"DAWords":0`), []byte(`"DAWords":1`), 1))
	corrupt("another schema", bytes.Replace(whole, []byte(`"schema":1`), []byte(`"schema":2`), 1))
	corrupt("an unknown field", bytes.Replace(whole, []byte(`"index":7`), []byte(`"index":7,"x":1`), 1))
	corrupt("an unknown kind", bytes.Replace(whole, []byte(`"kind":"job"`), []byte(`"kind":"jab"`), 1))
	corrupt("nothing", nil)
	corrupt("a long line", append([]byte(`{"kind":"`), bytes.Repeat([]byte("x"), 5<<20)...))
}

// FuzzRead reads files as somebody may have changed them.
func FuzzRead(f *testing.F) {
	f.Add(export(f))
	f.Add([]byte(`{"kind":"history","schema":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := history.Read(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, history.ErrCorrupt) {
				t.Errorf("%v is not ErrCorrupt", err)
			}
			return
		}
		if _, err := history.Export(u); err != nil {
			t.Errorf("what was read can't be written: %v", err)
		}
	})
}
