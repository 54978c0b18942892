package atlantic

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
)

// queryState is a query as the fake knows it.
type queryState struct {
	Proven
	fields    map[string]string
	status    string
	step      string
	reason    string
	created   time.Time
	completed time.Time
	polls     int
	ending    bool
	expired   bool
	forgotten bool
}

func (q *queryState) ended() bool { return q.status == "DONE" || q.status == "FAILED" }

// allowed are the documented values of a form's fields; nil is any text.
var allowed = map[string][]string{
	"externalId": nil, "dedupId": nil, "programHash": nil, "bucketId": nil, "bucketJobIndex": nil,
	"declaredJobSize": {"XS", "S", "M", "L"},
	"result": {"TRACE_GENERATION", "PROOF_GENERATION", "PROOF_VERIFICATION_ON_L1", "PROOF_VERIFICATION_ON_L2",
		"PROOF_VERIFICATION_ON_L2_WITH_TRANSLATION"},
	"network": {"MAINNET", "TESTNET"}, "cairoVersion": {"cairo0", "cairo1"}, "cairoVm": {"rust", "python"},
	"sharpProver": {"stone", "stwo", "stwoHerodotus"}, "mockFactHash": {"true", "false"},
	"layout": {"auto", "plain", "small", "dex", "recursive", "recursive_with_poseidon",
		"starknet", "starknet_with_keccak",
		"all_cairo", "dynamic"},
}

// fileTypes are the file fields with the media types that they take.
var fileTypes = map[string]string{"pieFile": "application/zip", "inputFile": "application/json"}

// required are the fields without which a query is not as we want it; the service itself needs fewer.
var required = []string{"dedupId", "declaredJobSize", "result", "network", "cairoVersion", "cairoVm", "mockFactHash"}

// submit takes a query.
func (s *Server) submit(w http.ResponseWriter, r *http.Request) {
	id := s.newID("Q")
	rec, err := s.readForm(r, id)
	if err != nil { // broken off, or no form
		s.files.Remove(id + ".input")
		s.record(r, http.StatusBadRequest, rec)
		fail(w, http.StatusBadRequest)
		return
	}
	code := s.admit(r, id, rec)
	if code != "" {
		s.files.Remove(id + ".input")
		s.record(r, http.StatusBadRequest, rec)
		reply(w, http.StatusBadRequest, map[string]any{"message": code, "error": "Bad Request", "statusCode": 400})
		return
	}
	s.record(r, http.StatusCreated, rec)
	reply(w, http.StatusCreated, map[string]any{"atlanticQueryId": id})
}

// readForm reads a form; its file goes to disk.
func (s *Server) readForm(r *http.Request, id string) (rec fake.Record, err error) {
	rec.Fields = map[string]string{}
	form, err := r.MultipartReader()
	if err != nil {
		s.Violation(r, "it is not a form: %v", err)
		return rec, err
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return rec, nil
		}
		if err != nil {
			return rec, err
		}
		if part.FileName() != "" {
			err = s.readFile(r, &rec, part, id)
		} else {
			err = s.readField(r, &rec, part)
		}
		if err != nil {
			return rec, err
		}
	}
}

func (s *Server) readField(r *http.Request, rec *fake.Record, part *multipart.Part) error {
	name := part.FormName()
	b, err := io.ReadAll(io.LimitReader(part, 4096))
	if err != nil {
		return err
	}
	values, known := allowed[name]
	if _, twice := rec.Fields[name]; !known || twice || values != nil && !slices.Contains(values, string(b)) {
		s.Violation(r, "field %q has value %q (known %t, twice %t)", name, b, known, twice)
	}
	rec.Fields[name] = string(b)
	return nil
}

func (s *Server) readFile(r *http.Request, rec *fake.Record, part *multipart.Part, id string) (err error) {
	rec.File, rec.FileName, rec.FileType = part.FormName(), part.FileName(), part.Header.Get("Content-Type")
	if want, known := fileTypes[rec.File]; !known || rec.FileType != want {
		s.Violation(r, "file %q has type %q", rec.File, rec.FileType)
	}
	rec.FileSize, rec.FileHash, err = s.files.Save(id+".input", part)
	return err
}

// admit starts a query, or gives the code of what is wrong with it.
func (s *Server) admit(r *http.Request, id string, rec fake.Record) string {
	f := rec.Fields
	for _, name := range required {
		if f[name] == "" {
			s.Violation(r, "field %s is missing", name)
			return "INVALID_REQUEST"
		}
	}
	switch {
	case rec.File == "":
		s.Violation(r, "there is no file")
		return "PIE_FILE_REQUIRED"
	case fileTypes[rec.File] == "" || rec.FileType != fileTypes[rec.File]:
		return "INVALID_FILE_MIME_TYPE"
	case rec.File == "pieFile" && !strings.HasSuffix(rec.FileName, ".zip") ||
		rec.File == "pieFile" && !s.files.StartsWith(id+".input", "PK"):
		return "PIE_FILE_SHOULD_BE_ZIP"
	case rec.File == "inputFile" && f["programHash"] == "":
		return "PROGRAM_NOT_FOUND"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queries {
		if q.DedupID == f["dedupId"] && !q.forgotten {
			return "ATLANTIC_QUERY_WITH_DEDUP_ID_ALREADY_EXISTS"
		}
	}
	q := &queryState{
		Proven: Proven{ID: id, DedupID: f["dedupId"], Result: f["result"], Input: s.files.Path(id + ".input")},
		fields: f, status: "RECEIVED", step: "TRACE_GENERATION", created: s.now(),
	}
	if rec.File == "pieFile" {
		q.PIE = q.Input
	}
	if f["bucketId"] != "" || f["bucketJobIndex"] != "" {
		if code := s.intoBucket(q, f); code != "" {
			return code
		}
	}
	s.queries = append(s.queries, q)
	s.after(q)
	return ""
}

// intoBucket puts a child into its bucket. The caller holds the lock.
func (s *Server) intoBucket(q *queryState, f map[string]string) string {
	b := s.findBucket(f["bucketId"])
	n, err := strconv.ParseUint(f["bucketJobIndex"], 10, 32)
	switch {
	case b == nil:
		return "BUCKET_NOT_FOUND"
	case b.status != "OPEN":
		return "BUCKET_IS_NOT_OPEN"
	case err != nil || n < s.cfg.IndexBase:
		return "INVALID_BUCKET_JOB_INDEX"
	}
	q.Bucket, q.Index = b.ID, n
	for _, other := range s.queries {
		if other.Bucket == b.ID && other.Index == n && other.status != "FAILED" && !other.forgotten {
			return "BUCKET_JOB_INDEX_ALREADY_EXISTS"
		}
	}
	return ""
}

// query answers how a query stands.
func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	q := s.find(func(q *queryState) bool { return q.ID == r.PathValue("id") })
	if q == nil {
		s.refuse(w, r, http.StatusNotFound, "ATLANTIC_QUERY_NOT_FOUND")
		return
	}
	s.poll(q)
	s.answer(w, r, http.StatusOK, map[string]any{"atlanticQuery": s.view(q), "metadataUrls": []string{}})
}

// byDedup answers which query has a dedup id.
func (s *Server) byDedup(w http.ResponseWriter, r *http.Request) {
	dedup := r.URL.Query().Get("dedupId")
	if dedup == "" {
		s.Violation(r, "dedupId is missing")
	}
	q := s.find(func(q *queryState) bool { return q.DedupID == dedup && dedup != "" })
	if q == nil {
		s.refuse(w, r, http.StatusNotFound, "ATLANTIC_QUERY_NOT_FOUND")
		return
	}
	s.answer(w, r, http.StatusOK, map[string]any{"atlanticQuery": s.view(q)})
}

// find is the first query that is what is asked for; nil for none.
func (s *Server) find(is func(*queryState) bool) *queryState {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queries {
		if !q.forgotten && is(q) {
			return q
		}
	}
	return nil
}

// view is a query as the interface has it.
func (s *Server) view(q *queryState) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewLocked(q)
}

func (s *Server) viewLocked(q *queryState) map[string]any {
	orNull := func(v string) any {
		if v == "" {
			return nil
		}
		return v
	}
	v := map[string]any{
		"id": q.ID, "externalId": orNull(q.fields["externalId"]), "dedupId": orNull(q.DedupID),
		"transactionId": nil, "status": q.status,
		"step": orNull(q.step), "steps": []string{"TRACE_GENERATION", "PROOF_GENERATION"},
		"programHash":       orNull(q.fields["programHash"]),
		"integrityFactHash": nil, "sharpFactHash": orNull(q.Fact), "layout": orNull(q.fields["layout"]),
		"isFactMocked": q.fields["mockFactHash"] == "true", "chain": "L1",
		"jobSize":         orNull(q.fields["declaredJobSize"]),
		"declaredJobSize": orNull(q.fields["declaredJobSize"]), "cairoVm": orNull(q.fields["cairoVm"]),
		"cairoVersion": orNull(q.fields["cairoVersion"]), "result": orNull(q.Result),
		"network": orNull(q.fields["network"]), "hints": nil,
		"sharpProver": orNull(q.fields["sharpProver"]), "errorReason": orNull(q.reason), "submittedByClient": "fake",
		"projectId": "fake", "bucketId": orNull(q.Bucket), "bucketJobIndex": nil,
		"isJobSizeValid": true, "customerName": nil,
		"createdAt": q.created.UTC().Format(time.RFC3339Nano), "completedAt": nil,
	}
	if q.Bucket != "" && !q.Aggregator {
		v["bucketJobIndex"] = q.Index
	}
	if !q.completed.IsZero() {
		v["completedAt"] = q.completed.UTC().Format(time.RFC3339Nano)
	}
	return v
}

func (s *Server) newID(kind string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids++
	return fmt.Sprintf("01STANDIN%s%014d", kind, s.ids)
}
