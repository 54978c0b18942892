package atlantic

import (
	"strings"
	"testing"
	"time"
)

func TestDecode_Refuses(t *testing.T) {
	t.Parallel()
	submitted := func(b []byte) error { _, err := decodeSubmitted(b); return err }
	queryOf := func(b []byte) error { _, err := decodeQuery(b); return err }
	bucketOf := func(b []byte) error { _, _, err := decodeBucket(b); return err }
	bucketsOf := func(b []byte) error { _, err := decodeBuckets(b); return err }
	for name, c := range map[string]struct {
		decode func([]byte) error
		body   string
	}{
		"NoJSON":          {submitted, "ok"},
		"NoID":            {submitted, `{}`},
		"NullID":          {submitted, `{"atlanticQueryId":null}`},
		"PathInID":        {submitted, `{"atlanticQueryId":"../secret"}`},
		"LongID":          {submitted, `{"atlanticQueryId":"` + strings.Repeat("a", 129) + `"}`},
		"NumberID":        {submitted, `{"atlanticQueryId":7}`},
		"NoQuery":         {queryOf, `{"metadataUrls":[]}`},
		"NullQuery":       {queryOf, `{"atlanticQuery":null}`},
		"QueryStatus":     {queryOf, `{"atlanticQuery":{"id":"a","status":"CANCELLED"}}`},
		"QueryID":         {queryOf, `{"atlanticQuery":{"id":"a b","status":"DONE"}}`},
		"QueryIndex":      {queryOf, `{"atlanticQuery":{"id":"a","status":"DONE","bucketJobIndex":"1"}}`},
		"Characters":      {queryOf, `{"0":"4","1":"0","2":"4"}`},
		"NoBucket":        {bucketOf, `{"queries":[]}`},
		"BucketStatus":    {bucketOf, `{"bucket":{"id":"a","status":"RECEIVED"}}`},
		"BucketID":        {bucketOf, `{"atlanticBucket":{"id":"","status":"OPEN"}}`},
		"BucketsQuery":    {bucketOf, `{"bucket":{"id":"a","status":"OPEN"},"queries":[{"id":"q","status":"?"}]}`},
		"ListOfNoBuckets": {bucketsOf, `[{"id":"a","status":"OPEN"},{}]`},
		"TrailingGarbage": {bucketsOf, `[] []`},
	} {
		if err := c.decode([]byte(c.body)); err == nil {
			t.Errorf("%s: %s is accepted", name, c.body)
		}
	}
}

func TestDecode_ToleratesWhatIsNew(t *testing.T) {
	t.Parallel()
	q, err := decodeQuery([]byte(`{"atlanticQuery":{"id":"01A","dedupId":null,"status":"DONE","step":null,
"bucketId":null,"bucketJobIndex":null,
		"retryCount":-1,"client":{"name":"x"},"completedAt":"2025-06-13T14:17:48.204Z"},"metadataUrls":["https://x"]}`))
	if err != nil || q.ID != "01A" || q.BucketJobIndex != nil {
		t.Errorf("decodeQuery = %+v, %v", q, err)
	}
	at := time.Date(2025, 6, 13, 14, 17, 48, 0, time.UTC)
	if q.endedBefore(at) || !q.endedBefore(at.Add(time.Second)) || (query{CompletedAt: "yesterday"}).endedBefore(at) {
		t.Error("endedBefore is wrong")
	}
	for _, body := range []string{`[{"id":"a","externalId":"e","status":"OPEN"}]`,
		`{"buckets":[{"id":"a","externalId":"e","status":"OPEN"}],"total":1}`,
		`{"atlanticBuckets":[{"id":"a","externalId":"e","status":"OPEN"}]}`,
		`{"data":[{"id":"a","externalId":"e","status":"OPEN"}]}`} {
		if bs, err := decodeBuckets([]byte(body)); err != nil || len(bs) != 1 || bs[0] != (bucket{"a", "e", "OPEN"}) {
			t.Errorf("decodeBuckets of %s = %v, %v", body, bs, err)
		}
	}
}

func TestAggregatorOf(t *testing.T) {
	t.Parallel()
	at := func(n int64) *int64 { return &n }
	child, agg := query{ID: "c", Step: stepProof, BucketJobIndex: at(0)}, query{ID: "a", Step: stepFact}
	for name, c := range map[string]struct {
		qs   []query
		want string
	}{
		"Fact":               {[]query{child, agg}, "a"},
		"ChildrenInSameStep": {[]query{child, {ID: "a", Step: stepProof, BucketJobIndex: at(-1)}}, "a"},
		"IndexedAggregator":  {[]query{{ID: "x", Step: "PROOF_GENERATION"}, child}, "c"},
		"None":               {[]query{{ID: "x", Step: "TRACE_GENERATION"}}, ""},
	} {
		if q, ok := aggregator(c.qs); q.ID != c.want || ok != (c.want != "") {
			t.Errorf("%s: aggregator = %q, %t; want %q", name, q.ID, ok, c.want)
		}
	}
}

func TestAggregatorVersion(t *testing.T) {
	t.Parallel()
	for starknet, want := range map[string]string{
		"0.13.2": "0.13.2", "0.13.2.1": "0.13.2", "0.13.3": "0.13.3", "0.13.5": "0.13.4", "0.13.6": "0.13.4",
		"0.14.0": "0.14.0", "0.14.1": "0.14.1",
		"0.14.2": "0.14.1", "0.14.3": "", "0.14.4": "", "0.15.0": "", "1.0.0": "", "0.13.1": "", "0.9.9": "", "": "",
		"0.13": "", "0.13.x": "", "0.13.5.1.1": "", "0.-1.3": "",
	} {
		got, err := aggregatorVersion(starknet)
		if (err == nil) != (want != "") || want != "" && got != "snos_aggregator_"+want {
			t.Errorf("aggregatorVersion(%q) = %q, %v; want %q", starknet, got, err, want)
		}
	}
}

func TestJobSize(t *testing.T) {
	t.Parallel()
	for steps, want := range map[uint64]string{0: "L", 1: "S", 12_999_999: "S", 13_000_000: "M",
		29_999_999: "M", 30_000_000: "L"} {
		if got := jobSize(steps); got != want {
			t.Errorf("jobSize(%d) = %s, want %s", steps, got, want)
		}
	}
}

// FuzzDecode feeds answers to every decoder. What is accepted has ids that may be part of a URL, and a known status.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"atlanticQueryId":"01A"}`, `{"atlanticQuery":{"id":"01A","status":"DONE","bucketJobIndex":1}}`,
		`{"bucket":{"id":"b","status":"OPEN"},"queries":[{"id":"q","status":"FAILED","errorReason":"x"}]}`,
		`{"atlanticBucket":{"id":"b","status":"IN_PROGRESS"}}`, `[{"id":"b","status":"OPEN"}]`,
		`{"0":"4"}`, `null`, `<html>`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ids := func(ids ...string) {
			for _, id := range ids {
				if id == "" || len(id) > 128 || strings.ContainsAny(id, "/.%?#: \n\\") {
					t.Errorf("id %q is accepted", id)
				}
			}
		}
		if id, err := decodeSubmitted(b); err == nil {
			ids(id)
		}
		if q, err := decodeQuery(b); err == nil {
			ids(q.ID)
		}
		if bk, qs, err := decodeBucket(b); err == nil {
			ids(bk.ID)
			for _, q := range qs {
				ids(q.ID)
			}
			aggregator(qs)
		}
		if bs, err := decodeBuckets(b); err == nil {
			for _, b := range bs {
				ids(b.ID)
			}
		}
	})
}

// FuzzParseHook feeds webhooks, which anybody may send.
func FuzzParseHook(f *testing.F) {
	f.Add("hunter2",
		[]byte(`{"type":"ATLANTIC_QUERY_COMPLETED","atlanticQueryId":"01A","status":"completed","context":null}`))
	f.Add("hunter3", []byte(`{}`))
	f.Fuzz(func(t *testing.T, token string, b []byte) {
		h, err := ParseHook("hunter2", token, b)
		if err == nil && (token != "hunter2" || !idPattern.MatchString(h.Task)) {
			t.Errorf("token %q: %+v is accepted", token, h)
		}
	})
}
