package atlantic

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
)

// Hint is what a webhook says: that a query may have got on. Nothing is to be decided by it but to ask now.
type Hint struct {
	// Task is the query's id: a child's or a registration's task. For other queries see Prover.Tasks.
	Task string
	// Ended says that the query ended, and not just one of its steps.
	Ended bool
}

// maxHook bounds a webhook's body in bytes.
const maxHook = 64 << 10

// ParseHook reads a webhook. Atlantic documents no signature, so the URL that it is given must carry secret; token is
// what came in its place. An empty secret takes nothing. ErrUnauthenticated where the token is not the secret.
func ParseHook(secret, token string, body []byte) (Hint, error) {
	want, got := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(token))
	if secret == "" || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return Hint{}, ErrUnauthenticated
	}
	if len(body) > maxHook {
		return Hint{}, fmt.Errorf("webhook of Atlantic has %d bytes, at most %d are read", len(body), maxHook)
	}
	var h struct {
		Type string `json:"type"`
		ID   string `json:"atlanticQueryId"`
	}
	if err := json.Unmarshal(body, &h); err != nil {
		// err may quote what anybody sent
		return Hint{}, errors.New("webhook of Atlantic is not a JSON object of the documented kind")
	}
	if h.Type != "ATLANTIC_STEP_COMPLETED" && h.Type != "ATLANTIC_QUERY_COMPLETED" {
		return Hint{}, fmt.Errorf("webhook of Atlantic has type %.40q", h.Type)
	}
	if !idPattern.MatchString(h.ID) {
		return Hint{}, fmt.Errorf("webhook of Atlantic has query id %.40q", h.ID)
	}
	return Hint{Task: h.ID, Ended: h.Type == "ATLANTIC_QUERY_COMPLETED"}, nil
}

// Tasks are the tasks that a hint may be about: the query and, where it is in a bucket, the aggregation, whose own
// query has no task. It asks Atlantic; a query that it does not know gives none.
func (p *Prover) Tasks(ctx context.Context, h Hint) ([]string, error) {
	if !idPattern.MatchString(h.Task) {
		return nil, nil
	}
	q, ok, err := p.byID(ctx, h.Task)
	if err != nil || !ok {
		return nil, err
	}
	tasks := []string{q.ID}
	if idPattern.MatchString(q.BucketID) {
		tasks = append(tasks, bucketTask+q.BucketID)
	}
	return tasks, nil
}
