package atlantic

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
)

// bucketState is a bucket as the fake knows it.
type bucketState struct {
	Bucket
	status     string
	created    time.Time
	aggregator *queryState
}

// bucketBody is the documented body that creates a bucket; anything else in it is refused, as the schema has it.
type bucketBody struct {
	ExternalID *string        `json:"externalId"`
	NodeWidth  *int           `json:"nodeWidth"`
	Version    string         `json:"aggregatorVersion"`
	Params     map[string]any `json:"aggregatorParams"`
	MockProof  *bool          `json:"mockProof"`
}

// versions are the documented aggregators (provers.md, OpenAPI at /docs/json).
var versions = []string{"snos_aggregator_0.13.2", "snos_aggregator_0.13.3", "snos_aggregator_0.13.4",
	"snos_aggregator_0.14.0", "snos_aggregator_0.14.1"}

// params are the documented parameters of an aggregator.
var params = []string{"use_kzg_da", "full_output", "chain_id_hex", "fee_token_address", "public_keys"}

func (s *Server) createBucket(w http.ResponseWriter, r *http.Request) {
	var body bucketBody
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	d.DisallowUnknownFields()
	err := d.Decode(&body)
	if err != nil || !slices.Contains(versions, body.Version) && !slices.Contains(s.cfg.MoreVersions, body.Version) {
		s.Violation(r, "body: version %q, %v", body.Version, err)
		s.refuse(w, r, http.StatusBadRequest, "INVALID_REQUEST")
		return
	}
	for k := range body.Params {
		if !slices.Contains(params, k) {
			s.Violation(r, "aggregatorParams has %q", k)
		}
	}
	b := &bucketState{Bucket: Bucket{ID: s.newID("B"), Version: body.Version, Params: body.Params},
		status: "OPEN", created: s.now()}
	rec := fake.Record{Fields: map[string]string{"aggregatorVersion": body.Version}}
	if body.ExternalID != nil {
		b.ExternalID = *body.ExternalID
		rec.Fields["externalId"] = b.ExternalID
	}
	s.mu.Lock()
	s.buckets = append(s.buckets, b)
	v := s.bucketView(b)
	s.mu.Unlock()
	s.record(r, http.StatusOK, rec)
	reply(w, http.StatusOK, map[string]any{"atlanticBucket": v})
}

// bucketView is a bucket as the interface has it. The caller holds the lock.
func (s *Server) bucketView(b *bucketState) map[string]any {
	return map[string]any{
		"id": b.ID, "externalId": b.ExternalID, "status": b.status,
		"aggregatorVersion": b.Version, "aggregatorParams": b.Params,
		"nodeWidth": nil, "leaves": len(s.children(b.ID)), "chain": "L1",
		"projectId": "fake", "createdByClient": "fake",
		"createdAt": b.created.UTC().Format(time.RFC3339Nano),
	}
}

// children are the queries in a bucket by index, without those that failed and whose place another took. The caller
// holds the lock.
func (s *Server) children(id string) []*queryState {
	var out []*queryState
	for _, q := range s.queries {
		if q.Bucket != id || q.Aggregator || q.forgotten {
			continue
		}
		if i := slices.IndexFunc(out, func(o *queryState) bool { return o.Index == q.Index }); i >= 0 {
			out[i] = q
			continue
		}
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b *queryState) int { return int(a.Index) - int(b.Index) })
	return out
}

// findBucket is a bucket by its id; nil for none. The caller holds the lock.
func (s *Server) findBucket(id string) *bucketState {
	for _, b := range s.buckets {
		if b.ID == id {
			return b
		}
	}
	return nil
}

func (s *Server) listBuckets(w http.ResponseWriter, r *http.Request) {
	if s.cfg.NoListing {
		s.record(r, http.StatusNotFound, fake.Record{})
		fail404(w, r)
		return
	}
	s.mu.Lock()
	out := []map[string]any{}
	for _, b := range s.buckets {
		if b.ExternalID == r.URL.Query().Get("externalId") {
			out = append(out, s.bucketView(b))
		}
	}
	s.mu.Unlock()
	s.answer(w, r, http.StatusOK, map[string]any{"buckets": out})
}

func (s *Server) bucket(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	b := s.findBucket(r.PathValue("id"))
	var all []*queryState
	if b != nil {
		all = s.children(b.ID)
		if b.aggregator != nil {
			all = append(all, b.aggregator)
		}
	}
	s.mu.Unlock()
	if b == nil {
		s.refuse(w, r, http.StatusNotFound, "BUCKET_NOT_FOUND")
		return
	}
	for _, q := range all {
		s.poll(q)
	}
	s.mu.Lock()
	views := []map[string]any{}
	for _, q := range all {
		views = append(views, s.viewLocked(q))
	}
	v := s.bucketView(b)
	s.mu.Unlock()
	s.answer(w, r, http.StatusOK, map[string]any{"bucket": v, "queries": views})
}

func (s *Server) closeBucket(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("bucketId")
	agg := s.newID("Q")
	s.mu.Lock()
	b := s.findBucket(id)
	code, status := "", http.StatusBadRequest
	switch {
	case b == nil:
		code, status = "BUCKET_NOT_FOUND", http.StatusNotFound
	case b.status != "OPEN":
		code = "BUCKET_IS_NOT_OPEN"
	case len(s.children(id)) == 0:
		code = "BUCKET_IS_EMPTY"
	}
	var v map[string]any
	if code == "" {
		b.status = "IN_PROGRESS"
		for i, q := range s.children(id) {
			if q.Index != uint64(i)+s.cfg.IndexBase {
				b.status, code = "OPEN", "BUCKET_JOB_INDICES_NOT_SEQUENTIAL"
			}
		}
	}
	if code == "" {
		b.aggregator = &queryState{
			Proven: Proven{ID: agg, Bucket: id, Aggregator: true}, fields: map[string]string{}, status: "RECEIVED",
			step: "TRACE_AND_METADATA_GENERATION", created: s.now(),
		}
		s.queries = append(s.queries, b.aggregator)
		s.after(b.aggregator)
		v = s.bucketView(b)
	}
	s.mu.Unlock()
	if code != "" {
		s.refuse(w, r, status, code)
		return
	}
	s.answer(w, r, http.StatusOK, map[string]any{"atlanticBucket": v})
}

// isBucketTask takes the client's name of an aggregation apart.
func isBucketTask(task string) (string, bool) { return strings.CutPrefix(task, "bucket:") }
