package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/madara-orchestrator/orchestrator/shared/client/s3"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// prefixes are those of artifacts' keys.
var prefixes = []string{resource.SnosArtifacts, resource.AggregatorArtifacts, resource.SignedTransactions}

// there is an object below every prefix, and gone one that is not there.
const there, gone = "1/there", "1/gone"

// attempt is a use of the store of artifacts below a prefix.
type attempt struct {
	name   string
	may    func(a resource.Access, prefix string) bool
	do     func(ctx context.Context, s *s3.Store, prefix string) error
	absent bool // it is of an object that is not there, which is not the same as denied
}

// attempts are what functions do with artifacts. Ping is not among them: moto asks for s3:HeadBucket, which AWS does
// not have (Amazon S3 API Reference, HeadBucket: s3:ListBucket).
var attempts = []attempt{
	{name: "get", may: reads, do: func(ctx context.Context, s *s3.Store, prefix string) error {
		_, err := artifact.ReadAll(ctx, s, prefix+there, 100)
		return err
	}},
	{name: "get what is not there", may: reads, absent: true,
		do: func(ctx context.Context, s *s3.Store, prefix string) error {
			_, err := s.Get(ctx, prefix+gone)
			return err
		}},
	{name: "stat", may: reads, do: func(ctx context.Context, s *s3.Store, prefix string) error {
		_, err := s.Stat(ctx, prefix+there)
		return err
	}},
	{name: "stat what is not there", may: reads, absent: true,
		do: func(ctx context.Context, s *s3.Store, prefix string) error {
			_, err := s.Stat(ctx, prefix+gone)
			return err
		}},
	{name: "put", may: writes, do: func(ctx context.Context, s *s3.Store, prefix string) error {
		return s.Put(ctx, prefix+"1/put", strings.NewReader("x"))
	}},
	{name: "put new", may: writes, do: func(ctx context.Context, s *s3.Store, prefix string) error {
		return s.PutNew(ctx, prefix+"1/new", strings.NewReader("x"))
	}},
	{name: "tag", may: tags, do: func(ctx context.Context, s *s3.Store, prefix string) error {
		return s.Tag(ctx, prefix+there, map[string]string{"expire": "true"})
	}},
	{name: "delete", may: tags, do: func(ctx context.Context, s *s3.Store, prefix string) error {
		return s.Delete(ctx, prefix+gone)
	}},
	{name: "list", may: func(a resource.Access, _ string) bool { return a.Lists || len(a.Reads) > 0 },
		do: func(ctx context.Context, s *s3.Store, prefix string) error {
			_, err := s.List(ctx, prefix, "", 10)
			return err
		}},
}

func reads(a resource.Access, prefix string) bool {
	return slices.Contains(a.Reads, prefix) || slices.Contains(a.Links, prefix) // a link does what its signer may
}
func writes(a resource.Access, prefix string) bool { return slices.Contains(a.Writes, prefix) }
func tags(a resource.Access, _ string) bool        { return a.Tags }

// enforcedOnS3 lets a third implementation of IAM, moto's, enforce the policies of a chain's roles on the product's own
// client of S3: each function may do with artifacts what resource.AccessOf says, and nothing else.
func (d *deployment) enforcedOnS3(g grants) {
	d.t.Helper()
	endpoint := tools.MotoAlone(d.t)
	root := devcloud.Config(endpoint)
	bucket := awss3.NewFromConfig(root, func(o *awss3.Options) { o.UsePathStyle = true })
	_, err := bucket.CreateBucket(d.t.Context(), &awss3.CreateBucketInput{
		Bucket: &d.made.Bucket, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{
			LocationConstraint: s3types.BucketLocationConstraint(root.Region)},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	store := s3.New(root, d.made.Bucket, true)
	for _, p := range prefixes {
		if err := store.Put(d.t.Context(), p+there, strings.NewReader("x")); err != nil {
			d.t.Fatal(err)
		}
	}
	stores := map[string]*s3.Store{}
	for function := range d.is.functions {
		cfg := root
		cfg.Credentials = user(d.t, root, function, g.roles[d.options.Name+"/"+function])
		stores[function] = s3.New(cfg, d.made.Bucket, true)
	}
	// From now on moto checks each request.
	answer, err := http.Post(endpoint+"/moto-api/reset-auth", "text/plain", strings.NewReader("0"))
	if err != nil || answer.StatusCode != http.StatusOK {
		d.t.Fatalf("let moto check requests: %+v, %v", answer, err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	allowed, denied := 0, 0
	for function, s := range stores {
		for _, a := range attempts {
			for _, p := range prefixes {
				if a.may(resource.AccessOf(function), p) {
					allowed++
				} else {
					denied++
				}
				if fault := a.fault(d.t.Context(), function, s, p); fault != "" {
					d.t.Errorf("%s: %s %s%s", function, a.name, p, fault)
				}
			}
		}
	}
	d.t.Logf("%s: moto allowed %d uses of artifacts and denied %d", d.options.Name, allowed, denied)
}

// fault is what is wrong with how an attempt of a function ended, or "".
func (a attempt) fault(ctx context.Context, function string, s *s3.Store, prefix string) string {
	err := a.do(ctx, s, prefix)
	var response *awshttp.ResponseError
	denied := errors.As(err, &response) && response.HTTPStatusCode() == http.StatusForbidden
	switch may := a.may(resource.AccessOf(function), prefix); {
	case !may && !denied:
		return ": want it denied"
	case may && a.absent && !errors.Is(err, artifact.ErrNotFound):
		return ": want it not found, not " + errorText(err)
	case may && !a.absent && err != nil:
		return ": " + errorText(err)
	}
	return ""
}

func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// user makes a user who may do what a policy says.
func user(t *testing.T, cfg aws.Config, name string, p policy) aws.CredentialsProvider {
	t.Helper()
	api := iam.NewFromConfig(cfg)
	text, err := json.Marshal(p)
	if err == nil {
		_, err = api.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name})
	}
	if err == nil {
		_, err = api.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{
			UserName: &name, PolicyName: aws.String("role"), PolicyDocument: aws.String(string(text)),
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := api.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return credentials.NewStaticCredentialsProvider(
		aws.ToString(key.AccessKey.AccessKeyId), aws.ToString(key.AccessKey.SecretAccessKey), "")
}
