// Package s3 is Amazon S3: an artifact.Store. Uploads and downloads stream, so memory stays bounded by a few parts
// whatever an object's size.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
)

const (
	partSize    = 8 << 20 // bytes of a multipart upload's part
	concurrency = 2       // parts under way at once
	// maxNew bounds what PutNew takes in bytes: it is held in memory, for it is compared with what is there.
	maxNew = 32 << 20
)

// Store is a bucket: an artifact.Store.
type Store struct {
	api *s3.Client
	//lint:ignore SA1019 its successor, transfermanager, is at version 0
	up     *manager.Uploader
	bucket string
}

var _ artifact.Store = (*Store)(nil)

// New returns the store of a bucket. pathStyle is for emulators, which have no host name a bucket. It makes no request.
func New(cfg aws.Config, bucket string, pathStyle bool) *Store {
	api := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = pathStyle })
	//lint:ignore SA1019 as above
	parts := func(u *manager.Uploader) {
		u.PartSize, u.Concurrency = partSize, concurrency
	}
	//lint:ignore SA1019 as above
	up := manager.NewUploader(api, parts)
	return &Store{api: api, up: up, bucket: bucket}
}

// translate turns S3's errors into the port's.
func translate(what, key string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "NoSuchKey", "NotFound", "404":
			return fmt.Errorf("%s %s: %w", what, key, artifact.ErrNotFound)
		case "PreconditionFailed", "ConditionalRequestConflict":
			return fmt.Errorf("%s %s: %w", what, key, artifact.ErrExists)
		}
	}
	return fmt.Errorf("%s %s: %w", what, key, err)
}

// Put implements artifact.Store. A failed multipart upload is aborted.
func (s *Store) Put(ctx context.Context, key string, r io.Reader) error {
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: r}
	//lint:ignore SA1019 as above
	if _, err := s.up.Upload(ctx, in); err != nil {
		return translate("put", key, err)
	}
	return nil
}

// PutNew implements artifact.Store by a conditional write. It takes at most 32 MB.
func (s *Store) PutNew(ctx context.Context, key string, r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, maxNew+1))
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	if len(b) > maxNew {
		return fmt.Errorf("put new %s: more than %d bytes: %w", key, maxNew, artifact.ErrTooLarge)
	}
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(b), IfNoneMatch: aws.String("*")}
	if _, err = s.api.PutObject(ctx, in); err == nil {
		return nil
	}
	if err = translate("put new", key, err); !errors.Is(err, artifact.ErrExists) {
		return err
	}
	old, rerr := artifact.ReadAll(ctx, s, key, maxNew)
	if rerr == nil && bytes.Equal(old, b) {
		return nil
	}
	if rerr != nil && !errors.Is(rerr, artifact.ErrTooLarge) {
		return fmt.Errorf("compare with what is there: %w", rerr)
	}
	return err
}

// Get implements artifact.Store.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	out, err := s.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return nil, translate("get", key, err)
	}
	return out.Body, nil
}

// Stat implements artifact.Store.
func (s *Store) Stat(ctx context.Context, key string) (artifact.Info, error) {
	out, err := s.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return artifact.Info{}, translate("look for", key, err)
	}
	if out.ContentLength == nil { // 0 would mean an empty object, which a finished run's artifact may not be
		return artifact.Info{}, fmt.Errorf("look for %s: the answer has no Content-Length: something between S3 and "+
			"here takes it away", key)
	}
	return artifact.Info{Key: key, Size: *out.ContentLength, Modified: aws.ToTime(out.LastModified).UTC()}, nil
}

// maxKeys is how many keys S3 lists in one request.
const maxKeys = 1000

// List implements artifact.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]artifact.Info, error) {
	out := []artifact.Info{}
	for len(out) < limit {
		in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix,
			MaxKeys: aws.Int32(int32(min(limit-len(out), maxKeys)))}
		if after != "" {
			in.StartAfter = aws.String(after)
		}
		page, err := s.api.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, translate("list", prefix, err)
		}
		for _, o := range page.Contents {
			out = append(out, artifact.Info{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size),
				Modified: aws.ToTime(o.LastModified).UTC()})
		}
		if !aws.ToBool(page.IsTruncated) || len(page.Contents) == 0 {
			break
		}
		after = out[len(out)-1].Key
	}
	return out, nil
}

// Tag implements artifact.Store.
func (s *Store) Tag(ctx context.Context, key string, tags map[string]string) error {
	set := []types.Tag{}
	for k, v := range tags {
		set = append(set, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	slices.SortFunc(set, func(a, b types.Tag) int { return bytes.Compare([]byte(*a.Key), []byte(*b.Key)) })
	in := &s3.PutObjectTaggingInput{Bucket: &s.bucket, Key: &key, Tagging: &types.Tagging{TagSet: set}}
	if _, err := s.api.PutObjectTagging(ctx, in); err != nil {
		return translate("tag", key, err)
	}
	return nil
}

// Delete implements artifact.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if _, err := s.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key}); err != nil {
		if err = translate("delete", key, err); !errors.Is(err, artifact.ErrNotFound) {
			return err
		}
	}
	return nil
}

// Ping implements artifact.Store.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket}); err != nil {
		return fmt.Errorf("ping bucket %s: %w", s.bucket, err)
	}
	return nil
}
