package job_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// FuzzDecodeMessage feeds bodies that anybody who can write to a queue may send: what is taken is whole, and encodes to
// a body that means the same.
func FuzzDecodeMessage(f *testing.F) {
	f.Add(`{"job_id":"0123456789abcdef0123456789abcdef","job_type":"SnosRun","action":"process","generation":1}`)
	f.Add(`{"job_id":"0123456789abcdef0123456789abcdef","job_type":"SnosRun","action":"process","generation":1}{}`)
	f.Add(`{"job_id":1}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		m, err := job.DecodeMessage(body)
		if err != nil {
			if !errors.Is(err, job.ErrBadMessage) {
				t.Errorf("%v is not an ErrBadMessage", err)
			}
			return
		}
		if again, err := job.DecodeMessage(m.Encode()); err != nil || again != m {
			t.Errorf("%+v encodes to %+v, %v", m, again, err)
		}
		if !job.ValidID(m.JobID) || m.Generation == 0 {
			t.Errorf("taken: %+v", m)
		}
	})
}

// FuzzDecodeMetadata feeds what a database may hold.
func FuzzDecodeMetadata(f *testing.F) {
	for i, t := range job.Types {
		f.Add(i, []byte(`{}`))
		f.Add(i, []byte(`{"schema":99,"task":"x"}`))
		_ = t
	}
	f.Add(0, []byte(`{"start_block":-1}`))
	f.Fuzz(func(t *testing.T, i int, b []byte) {
		if i < 0 || i >= len(job.Types) {
			return
		}
		m, err := job.DecodeMetadata(job.Types[i], b)
		if err != nil {
			return
		}
		first, err := job.EncodeMetadata(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := job.DecodeMetadata(job.Types[i], first)
		if err != nil {
			t.Fatalf("what we wrote is not read: %v", err)
		}
		if second, err := job.EncodeMetadata(again); err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s and %s, %v", first, second, err)
		}
	})
}
