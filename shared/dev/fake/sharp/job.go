package sharp

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
)

// jobState is a job as the fake knows it.
type jobState struct {
	Proven
	status, reason, log string
	validated           bool
	polls               int
	ending              bool
	expired             bool
	forgotten           bool
	proof               []byte
}

func (j *jobState) ended() bool { return j.status != "IN_PROGRESS" }

// hashFunction is the parameter that says how the gateway hashes programs, and functions are its values: the names of
// HashFunction in PyPI cairo-lang 0.14.3a3, bootloaders/hash_program.py, of those that its add_aggregator_prefix takes.
const hashFunction = "program_hash_function"

var functions = []string{"PEDERSEN", "BLAKE"}

// maxBody bounds a request's body in bytes.
const maxBody = 1 << 30

func (s *Server) addJob(w http.ResponseWriter, r *http.Request) {
	s.add(w, r, false, map[string]string{"offchain_proof": "true", "for_applicative": "true"})
}

func (s *Server) addApplicative(w http.ResponseWriter, r *http.Request) {
	s.add(w, r, true, map[string]string{"offchain_proof": "false"})
}

// add takes a job.
func (s *Server) add(w http.ResponseWriter, r *http.Request, isApplicative bool, want map[string]string) {
	key, function := r.URL.Query().Get("cairo_job_key"), r.URL.Query().Get(hashFunction)
	if !slices.Contains(functions, function) {
		s.Violation(r, "parameter %s is %q, want one of %q", hashFunction, function, functions)
	}
	for name := range r.URL.Query() {
		if name != "customer_id" && name != "cairo_job_key" && name != hashFunction &&
			r.URL.Query().Get(name) != want[name] {
			s.Violation(r, "parameter %s is %q, want %q", name, r.URL.Query().Get(name), want[name])
		}
	}
	if key == "" || len(r.URL.Query()) != len(want)+3 {
		s.Violation(r, "parameters are %v", r.URL.Query())
	}
	s.mu.Lock()
	s.ids++
	name := fmt.Sprintf("%06d.pie.zip", s.ids)
	s.mu.Unlock()
	rec, children, err := s.readBody(w, r, name, isApplicative)
	if err != nil {
		s.files.Remove(name)
		s.record(r, http.StatusBadRequest, rec)
		reply(w, http.StatusBadRequest, map[string]any{"code": "MALFORMED_REQUEST", "message": err.Error()})
		return
	}
	proven := Proven{Key: key, Applicative: isApplicative, Children: children,
		PIE: s.files.Path(name), HashFunction: function}
	if code := s.start(proven); code != "" {
		s.files.Remove(name)
		s.record(r, http.StatusBadRequest, rec)
		reply(w, http.StatusBadRequest, map[string]any{"code": code, "message": "job " + key})
		return
	}
	s.record(r, http.StatusOK, rec)
	reply(w, http.StatusOK, map[string]any{"code": "JOB_RECEIVED_SUCCESSFULLY", "message": ""})
}

// readBody reads a submission; its PIE goes to disk.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, name string,
	isApplicative bool) (fake.Record, []string, error) {
	rec := fake.Record{Fields: map[string]string{}, File: "cairo_pie_encoded", FileType: r.Header.Get("Content-Type")}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return rec, nil, err
	}
	var body struct {
		PIE      *string  `json:"cairo_pie_encoded"`
		Children []string `json:"children_cairo_job_keys"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		s.Violation(r, "body: %v", err)
		return rec, nil, err
	}
	if body.PIE == nil || (body.Children != nil) != isApplicative || rec.FileType != "application/json" {
		s.Violation(r, "a body of %s has PIE %t, children %v", rec.FileType, body.PIE != nil, body.Children)
		return rec, nil, fmt.Errorf("a member is missing")
	}
	raw, err := base64.StdEncoding.DecodeString(*body.PIE)
	if err != nil {
		s.Violation(r, "PIE: %v", err)
		return rec, nil, err
	}
	rec.FileSize, rec.FileHash, err = s.files.Save(name, bytes.NewReader(raw))
	return rec, body.Children, err
}

// start starts a job, or gives the code of what is wrong with it.
func (s *Server) start(p Proven) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job(p.Key) != nil {
		s.duplicates++
		return "JOB_ALREADY_EXISTS"
	}
	j := &jobState{Proven: p, status: "IN_PROGRESS"}
	for _, c := range p.Children {
		if child := s.job(c); child == nil || child.Applicative {
			j.status, j.reason, j.log = "INVALID", "CHILD_JOB_NOT_APPLICATIVE_LEAF", "child job "+
				c+" is not an applicative leaf"
		}
	}
	s.jobs = append(s.jobs, j)
	if s.cfg.ProofTime > 0 && j.status == "IN_PROGRESS" {
		s.work.Go(func() { s.run(j) })
	}
	return ""
}

// run ends a job when its time has come.
func (s *Server) run(j *jobState) {
	for wait := s.cfg.ProofTime; ; wait = 20 * time.Millisecond {
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(wait):
		}
		if s.end(j, "") {
			return
		}
	}
}

// job is a job by its key; nil for none. The caller holds the lock.
func (s *Server) job(key string) *jobState {
	i := slices.IndexFunc(s.jobs, func(j *jobState) bool { return j.Key == key && !j.forgotten })
	if i < 0 {
		return nil
	}
	return s.jobs[i]
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	j := s.job(r.URL.Query().Get("cairo_job_key"))
	ripe := false
	if j != nil && !j.ended() && s.cfg.ProofTime <= 0 {
		j.polls++
		ripe = s.cfg.Polls >= 0 && j.polls > s.cfg.Polls
	}
	s.mu.Unlock()
	if j == nil {
		s.answer(w, r, http.StatusOK,
			map[string]any{"status": "UNKNOWN", "invalid_reason": nil, "error_log": nil, "validation_done": nil})
		return
	}
	if ripe {
		s.end(j, "")
	}
	s.mu.Lock()
	v := map[string]any{"status": j.status, "invalid_reason": nil, "error_log": nil,
		"validation_done": j.validated || j.status == "PROCESSED"}
	if j.reason != "" {
		v["invalid_reason"] = j.reason
	}
	if j.log != "" {
		v["error_log"] = j.log
	}
	if s.cfg.Validate {
		j.validated = true
	}
	s.mu.Unlock()
	s.answer(w, r, http.StatusOK, v)
}

// end ends a job: well, or with what went wrong. It is false where the job can't end yet.
func (s *Server) end(j *jobState, fault string) bool {
	s.mu.Lock()
	if j.ended() || j.ending {
		defer s.mu.Unlock()
		return j.ended()
	}
	for _, c := range j.Children {
		if child := s.job(c); child != nil && !child.ended() && fault == "" {
			s.mu.Unlock()
			return false
		}
	}
	j.ending = true
	p := j.Proven
	s.mu.Unlock()
	verdict := s.cfg.Verdict
	if verdict == nil {
		verdict = readable
	}
	reason := verdict(p)
	if reason == "" && fault == "" && s.cfg.OnProven != nil {
		if err := s.cfg.OnProven(s.ctx, p); err != nil {
			fault = "registration: " + err.Error()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j.ending = false
	switch {
	case fault != "":
		j.status, j.log = "FAILED", fault
	case reason != "":
		j.status, j.reason, j.log = "INVALID", "INVALID_CAIRO_PIE_FILE_FORMAT", reason
	default:
		j.status, j.proof = "PROCESSED", fmt.Appendf(nil, `{"stand_in_proof_of":%q}`, j.Key)
	}
	return true
}

// readable refuses what is not a zip.
func readable(p Proven) string {
	z, err := zip.OpenReader(p.PIE)
	if err != nil {
		return err.Error()
	}
	z.Close()
	return ""
}

func (s *Server) proof(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	j := s.job(r.URL.Query().Get("cairo_job_key"))
	var proof []byte
	expired := false
	if j != nil && j.status == "PROCESSED" && !j.Applicative {
		proof, expired = j.proof, j.expired
	}
	s.mu.Unlock()
	switch {
	case expired:
		s.answer(w, r, http.StatusGone, map[string]any{"code": "PROOF_EXPIRED", "message": "the proof is kept no more"})
	case proof == nil:
		s.answer(w, r, http.StatusNotFound, map[string]any{"code": "PROOF_NOT_FOUND", "message": "there is no proof"})
	default:
		s.record(r, http.StatusOK, fake.Record{})
		_, _ = w.Write(proof)
	}
}

// Finish ends a job well at once.
func (s *Server) Finish(key string) { s.with(key, func(j *jobState) { s.end(j, "") }) }

// Fail ends a job as FAILED.
func (s *Server) Fail(key, why string) { s.with(key, func(j *jobState) { s.end(j, why) }) }

// Forget makes the fake not know a job any more.
func (s *Server) Forget(key string) { s.with(key, s.locked(func(j *jobState) { j.forgotten = true })) }

// Expire lets a job's proof be gone.
func (s *Server) Expire(key string) { s.with(key, s.locked(func(j *jobState) { j.expired = true })) }

// Corrupt replaces a job's proof.
func (s *Server) Corrupt(key string, content []byte) {
	s.with(key, s.locked(func(j *jobState) { j.proof = content }))
}

func (s *Server) locked(do func(*jobState)) func(*jobState) {
	return func(j *jobState) {
		s.mu.Lock()
		defer s.mu.Unlock()
		do(j)
	}
}

func (s *Server) with(key string, do func(*jobState)) {
	s.mu.Lock()
	j := s.job(key)
	s.mu.Unlock()
	if j != nil {
		do(j)
	}
}

// Started is how many jobs were taken.
func (s *Server) Started() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.jobs)
}

// Duplicates is how many submissions named a key that was taken.
func (s *Server) Duplicates() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.duplicates
}

// Children are the children that a job was submitted with.
func (s *Server) Children(key string) (children []string) {
	s.with(key, s.locked(func(j *jobState) { children = slices.Clone(j.Proven.Children) }))
	return children
}
