package atlantic

import (
	"bytes"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/dev/fake"
)

var recordless = fake.Record{}

// states are the queries of a task: the query, or for an aggregation the aggregator's.
func (s *Server) states(task string) []*queryState {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, ok := isBucketTask(task); ok {
		if b := s.findBucket(id); b != nil && b.aggregator != nil {
			return append(s.children(id), b.aggregator)
		}
		return nil
	}
	for _, q := range s.queries {
		if q.ID == task && !q.forgotten {
			return []*queryState{q}
		}
	}
	return nil
}

// Finish ends a task well at once, an aggregation after its children.
func (s *Server) Finish(task string) {
	for _, q := range s.states(task) {
		s.end(q, "")
	}
}

// Fail ends a task with a reason.
func (s *Server) Fail(task, reason string) {
	if qs := s.states(task); len(qs) > 0 {
		s.end(qs[len(qs)-1], reason)
	}
}

// Forget makes the fake not know a query any more.
func (s *Server) Forget(task string) {
	for _, q := range s.states(task) {
		s.mu.Lock()
		q.forgotten = true
		s.mu.Unlock()
	}
}

// Expire removes a task's results and lets it have ended two days ago.
func (s *Server) Expire(task string) {
	for _, q := range s.states(task) {
		s.mu.Lock()
		q.expired, q.completed = true, s.now().Add(-48*time.Hour)
		s.mu.Unlock()
	}
}

// Corrupt replaces a task's result.
func (s *Server) Corrupt(task, file string, content []byte) error {
	qs := s.states(task)
	if len(qs) == 0 {
		return nil
	}
	_, _, err := s.files.Save(qs[len(qs)-1].ID+"."+file, bytes.NewReader(content))
	return err
}

// Started is how many queries were submitted and taken.
func (s *Server) Started() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, q := range s.queries {
		if !q.Aggregator {
			n++
		}
	}
	return n
}

// Aggregations is how many buckets were closed.
func (s *Server) Aggregations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, q := range s.queries {
		if q.Aggregator {
			n++
		}
	}
	return n
}

// Buckets is how many buckets were created.
func (s *Server) Buckets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.buckets)
}

// Opened is a bucket as it was created, without children.
func (s *Server) Opened(id string) Bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.findBucket(id); b != nil {
		return b.Bucket
	}
	return Bucket{}
}
