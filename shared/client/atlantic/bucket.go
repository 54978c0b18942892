package atlantic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/client/atlantic/settings"
	"github.com/madara-orchestrator/orchestrator/shared/client/internal/httpcall"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// newBucket is the body that creates a bucket.
type newBucket struct {
	ExternalID string              `json:"externalId"`
	NodeWidth  *int                `json:"nodeWidth,omitempty"`
	Version    string              `json:"aggregatorVersion"`
	Params     settings.WireParams `json:"aggregatorParams"`
	MockProof  bool                `json:"mockProof"`
}

// OpenBucket implements proof.Prover.
func (p *Prover) OpenBucket(ctx context.Context, externalID, starknetVersion string) (string, error) {
	if externalID == "" {
		return "", errUnsupported("a bucket needs an external id")
	}
	body, err := p.newBucket(externalID, starknetVersion)
	if err != nil {
		return "", err
	}
	var id string
	err = p.caller.Retry(ctx, func(ctx context.Context) error {
		id, err = p.openOnce(ctx, externalID, body)
		return err
	})
	if err != nil {
		return "", translate(err)
	}
	return id, nil
}

func (p *Prover) newBucket(externalID, starknetVersion string) ([]byte, error) {
	b := newBucket{ExternalID: externalID, Version: p.cfg.AggregatorVersion, MockProof: p.cfg.MockFact}
	var err error
	if b.Version == "" {
		if b.Version, err = aggregatorVersion(starknetVersion); err != nil {
			return nil, err
		}
	}
	if p.cfg.NodeWidth > 0 {
		b.NodeWidth = &p.cfg.NodeWidth
	}
	if b.Params, err = p.cfg.Aggregator.Wire(); err != nil {
		return nil, err
	}
	return json.Marshal(b)
}

// openOnce looks for the bucket and creates it where it isn't found.
func (p *Prover) openOnce(ctx context.Context, externalID string, body []byte) (string, error) {
	if id, err := p.findBucket(ctx, externalID); err != nil || id != "" {
		return id, err
	}
	op := "create bucket " + externalID
	req := p.request(op, http.MethodPost, p.cfg.Routes.Buckets, nil)
	req.Type, req.Length = "application/json", int64(len(body))
	req.Open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	raw, err := p.caller.Do(ctx, req)
	if err != nil {
		return "", err
	}
	b, _, err := decodeBucket(raw)
	if err != nil {
		return "", p.caller.Malformed(op, "%v", err)
	}
	return b.ID, nil
}

// findBucket looks once for a bucket by its external id; "" where there is none, or no way to look.
func (p *Prover) findBucket(ctx context.Context, externalID string) (string, error) {
	if p.cfg.Routes.FindBucket == none {
		return "", nil
	}
	op := "look for bucket " + externalID
	bs, err := get(ctx, p, op, p.cfg.Routes.FindBucket, url.Values{"externalId": {externalID}}, decodeBuckets)
	var s *StatusError
	if errors.As(err, &s) && noRoute(s) {
		p.caller.Log().InfoContext(ctx, "Atlantic does not list buckets; one whose id was lost stays behind empty",
			"external_id", externalID, "answer", s)
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, b := range bs {
		if b.ExternalID == externalID && b.Status != failed {
			return b.ID, nil
		}
	}
	return "", nil
}

// noRoute says whether an answer means that the route is not there: Atlantic documents none.
func noRoute(s *StatusError) bool {
	switch s.Status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed:
		return true
	case http.StatusNotFound:
		return s.API || strings.HasPrefix(s.Text, "Route ")
	}
	return false
}

// CloseBucket implements proof.Prover.
func (p *Prover) CloseBucket(ctx context.Context, bucket string) (string, error) {
	if !idPattern.MatchString(bucket) {
		return "", errUnsupported("%.40q is not a bucket's id", bucket)
	}
	err := p.caller.Retry(ctx, func(ctx context.Context) error { return p.closeOnce(ctx, bucket) })
	if err != nil {
		return "", fmt.Errorf("close bucket %s: %w", bucket, translate(err))
	}
	return bucketTask + bucket, nil
}

// closeOnce closes the bucket unless it is.
func (p *Prover) closeOnce(ctx context.Context, id string) error {
	b, _, err := p.bucketOnce(ctx, id)
	if err != nil || b.Status != open {
		return err
	}
	op := "close bucket " + id
	_, err = p.caller.Do(ctx, p.request(op, http.MethodPost, p.cfg.Routes.CloseBucket, url.Values{"bucketId": {id}}))
	if err == nil || httpcall.Passing(err) {
		return err // the next look shows whether it was closed
	}
	if b, _, again := p.bucketOnce(ctx, id); again == nil && b.Status != open {
		return nil // somebody else closed it between
	}
	return err
}

// aggregators are the aggregator programs that Atlantic documents, in ascending order.
var aggregators = []version.Version{
	version.Must("0.13.2"), version.Must("0.13.3"), version.Must("0.13.4"),
	version.Must("0.14.0"), version.Must("0.14.1"),
}

// fitsUntil is the last Starknet version that the newest of them fits. From 0.14.3 on the aggregator itself computes
// the config hash with Blake2s and compares it with its inputs', so that an older one fails after all SNOS work is paid
// for.
var fitsUntil = version.Must("0.14.2")

// aggregatorVersion is the newest aggregator that is not newer than a Starknet version such as "0.13.5". ErrRejected
// where none fits.
func aggregatorVersion(starknet string) (string, error) {
	v, err := version.Parse(starknet)
	if err != nil {
		return "", fmt.Errorf("Atlantic: %w: %w", err, proof.ErrRejected)
	}
	newest := aggregators[len(aggregators)-1]
	if fitsUntil.Before(v) {
		return "", fmt.Errorf("Atlantic: the newest aggregator that it documents, %s%s, does not fit Starknet %s: "+
			"name one that does in "+
			"PROVER_ATLANTIC_AGGREGATOR_VERSION (ask Atlantic); no bucket is opened: %w",
			aggregatorPrefix, newest, v, proof.ErrRejected)
	}
	for _, a := range slices.Backward(aggregators) {
		if !v.Before(a) {
			return aggregatorPrefix + a.String(), nil
		}
	}
	return "", fmt.Errorf("Atlantic: it has no aggregator for Starknet %s: name one in "+
		"PROVER_ATLANTIC_AGGREGATOR_VERSION: %w", v, proof.ErrRejected)
}

// aggregatorPrefix is what the names of Atlantic's aggregators begin with.
const aggregatorPrefix = "snos_aggregator_"
