package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
)

// Bucket is the bucket of a Store: an artifact.Bucket.
type Bucket struct{ s *Store }

var (
	_ artifact.Bucket = Bucket{}
	_ artifact.Linker = (*Store)(nil)
)

// Bucket returns the bucket in which the store keeps its objects.
func (s *Store) Bucket() Bucket { return Bucket{s} }

// noLocation is the region in which S3 takes no location of a bucket (Amazon S3 API Reference, CreateBucket).
const noLocation = "us-east-1"

// code is the error code that S3 gave; "" for none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// onBucket turns S3's errors about a bucket into the port's.
func (s *Store) onBucket(what string, err error) error {
	switch code(err) {
	case "NoSuchBucket", "NotFound", "404":
		return fmt.Errorf("%s bucket %s: %w", what, s.bucket, artifact.ErrNoBucket)
	case "BucketNotEmpty":
		return fmt.Errorf("%s bucket %s: %w", what, s.bucket, artifact.ErrNotEmpty)
	}
	return fmt.Errorf("%s bucket %s: %w", what, s.bucket, err)
}

// Create implements artifact.Bucket. New buckets are private and encrypted by S3's own defaults.
func (b Bucket) Create(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &b.s.bucket}
	if region := b.s.api.Options().Region; region != noLocation {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{
			LocationConstraint: types.BucketLocationConstraint(region)}
	}
	_, err := b.s.api.CreateBucket(ctx, in)
	if err == nil || code(err) == "BucketAlreadyOwnedByYou" {
		return nil
	}
	return b.s.onBucket("create", err)
}

// Exists implements artifact.Bucket. A bucket of somebody else, which answers 403, is an error.
func (b Bucket) Exists(ctx context.Context) (bool, error) {
	_, err := b.s.api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.s.bucket})
	if err == nil {
		return true, nil
	}
	if err = b.s.onBucket("look for", err); errors.Is(err, artifact.ErrNoBucket) {
		return false, nil
	}
	return false, err
}

// SetLifecycle implements artifact.Bucket.
func (b Bucket) SetLifecycle(ctx context.Context, rules []artifact.Lifecycle) error {
	if len(rules) == 0 { // a configuration without rules is refused
		_, err := b.s.api.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: &b.s.bucket})
		if err != nil {
			return b.s.onBucket("remove the lifecycle of", err)
		}
		return nil
	}
	c := &types.BucketLifecycleConfiguration{}
	for _, r := range rules {
		c.Rules = append(c.Rules, rule(r))
	}
	_, err := b.s.api.PutBucketLifecycleConfiguration(ctx,
		&s3.PutBucketLifecycleConfigurationInput{Bucket: &b.s.bucket, LifecycleConfiguration: c})
	if err != nil {
		return b.s.onBucket("set the lifecycle of", err)
	}
	return nil
}

func rule(r artifact.Lifecycle) types.LifecycleRule {
	out := types.LifecycleRule{ID: aws.String(r.ID), Status: types.ExpirationStatusEnabled,
		Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")}}
	if r.Tag != "" {
		out.Filter = &types.LifecycleRuleFilter{Tag: &types.Tag{Key: aws.String(r.Tag), Value: aws.String(r.Value)}}
	}
	if r.Expire > 0 {
		out.Expiration = &types.LifecycleExpiration{Days: aws.Int32(int32(r.Expire))}
	}
	if r.Uploads > 0 {
		out.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{
			DaysAfterInitiation: aws.Int32(int32(r.Uploads))}
	}
	if r.Versions > 0 {
		out.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{
			NoncurrentDays: aws.Int32(int32(r.Versions))}
	}
	return out
}

// Lifecycle implements artifact.Bucket.
func (b Bucket) Lifecycle(ctx context.Context) ([]artifact.Lifecycle, error) {
	out, err := b.s.api.GetBucketLifecycleConfiguration(ctx,
		&s3.GetBucketLifecycleConfigurationInput{Bucket: &b.s.bucket})
	rules := []artifact.Lifecycle{}
	if err != nil {
		if code(err) == "NoSuchLifecycleConfiguration" {
			return rules, nil
		}
		return nil, b.s.onBucket("read the lifecycle of", err)
	}
	for _, r := range out.Rules {
		x := artifact.Lifecycle{ID: aws.ToString(r.ID)}
		if r.Filter != nil && r.Filter.Tag != nil {
			x.Tag, x.Value = aws.ToString(r.Filter.Tag.Key), aws.ToString(r.Filter.Tag.Value)
		}
		if r.Expiration != nil {
			x.Expire = int(aws.ToInt32(r.Expiration.Days))
		}
		if r.AbortIncompleteMultipartUpload != nil {
			x.Uploads = int(aws.ToInt32(r.AbortIncompleteMultipartUpload.DaysAfterInitiation))
		}
		if r.NoncurrentVersionExpiration != nil {
			x.Versions = int(aws.ToInt32(r.NoncurrentVersionExpiration.NoncurrentDays))
		}
		rules = append(rules, x)
	}
	slices.SortFunc(rules, func(a, b artifact.Lifecycle) int { return cmp.Compare(a.ID, b.ID) })
	return rules, nil
}

// Delete implements artifact.Bucket.
func (b Bucket) Delete(ctx context.Context) error {
	_, err := b.s.api.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &b.s.bucket})
	if err != nil {
		if err = b.s.onBucket("delete", err); !errors.Is(err, artifact.ErrNoBucket) {
			return err
		}
	}
	return nil
}

// Link implements artifact.Linker by a presigned URL. It makes no request but what the credentials need.
func (s *Store) Link(ctx context.Context, key string, age time.Duration) (string, error) {
	if err := artifact.CheckAge(age); err != nil {
		return "", fmt.Errorf("link to %s: %w", key, err)
	}
	r, err := s3.NewPresignClient(s.api).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key},
		s3.WithPresignExpires(age))
	if err != nil {
		return "", fmt.Errorf("link to %s: %w", key, err)
	}
	return r.URL, nil
}
