package atlantic

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// Names of results.
const (
	FileProof     = "proof.json"
	FilePIE       = "pie.cairo0.zip"
	FileDASegment = "da_blob.json"
	FileOutput    = "snos_output.json"
)

// after ends a query when its time has come. The caller holds the lock.
func (s *Server) after(q *queryState) {
	if s.cfg.ProofTime <= 0 {
		return
	}
	s.work.Go(func() {
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(s.cfg.ProofTime):
		}
		for !s.end(q, "") { // an aggregator waits for its children
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
}

// poll counts a question, and ends the query that was asked about often enough.
func (s *Server) poll(q *queryState) {
	s.mu.Lock()
	ripe := false
	if !q.ended() && s.cfg.ProofTime <= 0 {
		q.polls++
		q.status = "IN_PROGRESS"
		ripe = s.cfg.Polls >= 0 && q.polls > s.cfg.Polls
	}
	s.mu.Unlock()
	if ripe {
		s.end(q, "")
	}
}

// end ends a query: well, or with a reason. It is false where the query can't end yet.
func (s *Server) end(q *queryState, reason string) bool {
	s.mu.Lock()
	if q.ended() || q.ending {
		defer s.mu.Unlock()
		return q.ended()
	}
	b := s.findBucket(q.Bucket)
	var children []Proven
	if q.Aggregator {
		for _, c := range s.children(b.ID) {
			if !c.ended() {
				s.mu.Unlock()
				return false
			}
			if c.status == "FAILED" && reason == "" {
				reason = "child " + c.ID + " failed"
			}
			children = append(children, c.Proven)
		}
	}
	q.ending = true
	p := q.Proven
	s.mu.Unlock()
	if reason == "" {
		reason = s.prove(&p, b, children)
	}
	s.mu.Lock()
	q.Proven, q.ending, q.completed, q.reason = p, false, s.now(), reason
	switch {
	case reason != "":
		q.status = "FAILED"
	case q.Aggregator:
		q.status, q.step = "DONE", "FACT_HASH_REGISTRATION"
	default:
		q.status, q.step = "DONE", "PROOF_GENERATION"
	}
	if b != nil && (q.Aggregator || q.status == "FAILED" && b.aggregator != nil) {
		b.status = q.status
	}
	s.mu.Unlock()
	s.notify(q.ID, reason)
	return true
}

// prove makes a query's results; it gives the reason why it could not.
func (s *Server) prove(p *Proven, b *bucketState, children []Proven) string {
	verdict := s.cfg.Verdict
	if verdict == nil {
		verdict = readable
	}
	if reason := verdict(*p); reason != "" {
		return reason
	}
	results := map[string][]byte{FileProof: fmt.Appendf(nil, `{"stand_in_proof_of":%q}`, p.ID)}
	if p.Aggregator {
		made, err := s.aggregate(b, children)
		if err != nil {
			return "aggregator: " + err.Error()
		}
		results[FilePIE], results[FileDASegment], results[FileOutput], p.Fact = made.PIE,
			made.DASegment, made.Output, made.Fact
	}
	for name, content := range results {
		if _, _, err := s.files.Save(p.ID+"."+name, bytes.NewReader(content)); err != nil {
			return "store: " + err.Error()
		}
	}
	if p.Aggregator {
		p.PIE = s.files.Path(p.ID + "." + FilePIE)
	}
	if s.cfg.OnProven != nil {
		if err := s.cfg.OnProven(s.ctx, *p); err != nil {
			return "registration: " + err.Error()
		}
	}
	return ""
}

// readable refuses inputs that could not be a PIE or a proof.
func readable(p Proven) string {
	if p.Aggregator {
		return ""
	}
	if p.PIE != "" {
		z, err := zip.OpenReader(p.PIE)
		if err != nil {
			return "CORRUPT_PIE: " + err.Error()
		}
		z.Close()
		return ""
	}
	var v struct{ Proof json.RawMessage }
	b, err := os.ReadFile(p.Input)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err == nil && v.Proof == nil {
		err = errors.New("it has no member proof")
	}
	if err != nil {
		return "INVALID_PROOF: " + err.Error()
	}
	return ""
}

func (s *Server) aggregate(b *bucketState, children []Proven) (Aggregated, error) {
	closed := b.Bucket
	closed.Children = children
	if s.cfg.Aggregate != nil {
		return s.cfg.Aggregate(s.ctx, closed)
	}
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	f, err := w.Create("stand_in.txt")
	if err == nil {
		_, err = io.WriteString(f, "aggregation of "+b.ID)
	}
	if err == nil {
		err = w.Close()
	}
	return Aggregated{PIE: z.Bytes(), DASegment: []byte(`["0x1"]`), Output: []byte(`["0x1","0x2"]`)}, err
}

// artifact serves a result as the public store does, which answers in XML.
func (s *Server) artifact(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("api-key") != "" {
		s.Violation(r, "the key went to the store")
	}
	id, name := r.PathValue("id"), r.PathValue("file")
	q := s.find(func(q *queryState) bool { return q.ID == id })
	var f *os.File
	err := os.ErrNotExist
	if q != nil {
		s.mu.Lock()
		there := q.status == "DONE" && !q.expired
		s.mu.Unlock()
		if there {
			f, err = os.Open(s.files.Path(id + "." + name))
		}
	}
	if err != nil {
		s.record(r, http.StatusNotFound, recordless)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<?xml version='1.0' encoding='UTF-8'?><Error><Code>NoSuchKey</Code></Error>")
		return
	}
	defer f.Close()
	s.record(r, http.StatusOK, recordless)
	w.Header().Set("Content-Type", "application/octet-stream")
	if info, err := f.Stat(); err == nil {
		w.Header().Set("Content-Length", fmt.Sprint(info.Size()))
	}
	_, _ = io.Copy(w, f)
}

// notify sends the webhook.
func (s *Server) notify(id, reason string) {
	if s.cfg.Webhook == "" {
		return
	}
	status := "completed"
	if reason != "" {
		status = "failed"
	}
	body, _ := json.Marshal(
		map[string]any{"type": "ATLANTIC_QUERY_COMPLETED", "atlanticQueryId": id, "status": status, "context": nil})
	s.work.Go(func() {
		req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.cfg.Webhook, bytes.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json")
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	})
}
