package atlantic

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Statuses of queries and buckets.
const (
	received   = "RECEIVED" // queries
	open       = "OPEN"     // buckets
	inProgress = "IN_PROGRESS"
	done       = "DONE"
	failed     = "FAILED"
)

// Steps of the query that aggregates a bucket.
const (
	stepFact  = "FACT_HASH_REGISTRATION"
	stepProof = "PROOF_GENERATION_AND_VERIFICATION"
)

// query is what we read of a query.
type query struct {
	ID             string `json:"id"`
	DedupID        string `json:"dedupId"`
	Status         string `json:"status"`
	Step           string `json:"step"`
	ErrorReason    string `json:"errorReason"`
	BucketID       string `json:"bucketId"`
	BucketJobIndex *int64 `json:"bucketJobIndex"`
	CompletedAt    string `json:"completedAt"`
}

// bucket is what we read of a bucket.
type bucket struct {
	ID         string `json:"id"`
	ExternalID string `json:"externalId"`
	Status     string `json:"status"`
}

// idPattern is what ids look like. They become part of URLs.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

func (q query) check() error {
	switch q.Status {
	case received, inProgress, done, failed:
	default:
		return fmt.Errorf("query has status %.40q", q.Status)
	}
	if !idPattern.MatchString(q.ID) {
		return fmt.Errorf("query has id %.40q", q.ID)
	}
	return nil
}

func (b bucket) check() error {
	switch b.Status {
	case open, inProgress, done, failed:
	default:
		return fmt.Errorf("bucket has status %.40q", b.Status)
	}
	if !idPattern.MatchString(b.ID) {
		return fmt.Errorf("bucket has id %.40q", b.ID)
	}
	return nil
}

// endedBefore says whether a query ended before t; false where it does not say when.
func (q query) endedBefore(t time.Time) bool {
	at, err := time.Parse(time.RFC3339, q.CompletedAt)
	return err == nil && at.Before(t)
}

// decodeSubmitted reads the id of a query that was submitted.
func decodeSubmitted(b []byte) (string, error) {
	var a struct {
		ID string `json:"atlanticQueryId"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return "", fmt.Errorf("its answer does not decode: %w", err)
	}
	if !idPattern.MatchString(a.ID) {
		return "", fmt.Errorf("its answer has the query id %.40q", a.ID)
	}
	return a.ID, nil
}

// decodeQuery reads a query.
func decodeQuery(b []byte) (query, error) {
	var a struct {
		Query *query `json:"atlanticQuery"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return query{}, fmt.Errorf("its answer does not decode: %w", err)
	}
	if a.Query == nil {
		return query{}, errors.New("its answer has no query")
	}
	return *a.Query, a.Query.check()
}

// decodeBucket reads a bucket and its queries, which are there only where it was asked for by its id.
func decodeBucket(b []byte) (bucket, []query, error) {
	var a struct {
		Created *bucket `json:"atlanticBucket"`
		Bucket  *bucket `json:"bucket"`
		Queries []query `json:"queries"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return bucket{}, nil, fmt.Errorf("its answer does not decode: %w", err)
	}
	if a.Bucket == nil {
		a.Bucket = a.Created
	}
	if a.Bucket == nil {
		return bucket{}, nil, errors.New("its answer has no bucket")
	}
	if err := a.Bucket.check(); err != nil {
		return bucket{}, nil, err
	}
	for _, q := range a.Queries {
		if err := q.check(); err != nil {
			return bucket{}, nil, err
		}
	}
	return *a.Bucket, a.Queries, nil
}

// decodeBuckets reads a list of buckets. As the route is not documented it takes a list or an object with one.
func decodeBuckets(b []byte) ([]bucket, error) {
	var list []bucket
	if json.Unmarshal(b, &list) != nil {
		var a struct {
			Buckets  []bucket `json:"buckets"`
			Atlantic []bucket `json:"atlanticBuckets"`
			Data     []bucket `json:"data"`
		}
		if err := json.Unmarshal(b, &a); err != nil {
			return nil, fmt.Errorf("its answer does not decode: %w", err)
		}
		list = append(append(a.Buckets, a.Atlantic...), a.Data...)
	}
	for _, b := range list {
		if err := b.check(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// aggregator finds the query that aggregates a bucket among its queries: the one in a step that only it has, and not a
// child where there are others.
func aggregator(qs []query) (query, bool) {
	var found query
	for _, q := range qs {
		if q.Step != stepFact && q.Step != stepProof {
			continue
		}
		if q.BucketJobIndex == nil || *q.BucketJobIndex < 0 {
			return q, true
		}
		if found.ID == "" {
			found = q
		}
	}
	return found, found.ID != ""
}
