package lambda_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/madara-orchestrator/orchestrator/shared/client/lambda"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// code answers as its message says.
const code = `
def handler(event, context):
    record = event["Records"][0]
    what = record["body"]
    if what == "raise":
        raise ValueError("no such job")
    if what == "text":
        return "done"
    failed = [{"itemIdentifier": record["messageId"]}] if what == "again" else []
    return {"batchItemFailures": failed}
`

// A function that runs is invoked, and each kind of answer has an error of its own. On ministack alone: moto runs
// functions in Docker only, and without it answers every invocation with an error.
func TestInvokeMessage(t *testing.T) {
	t.Parallel()
	cfg := devcloud.Config(tools.Ministack(t))
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	w, err := z.Create("index.py")
	if err == nil {
		_, err = w.Write([]byte(code))
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = awslambda.NewFromConfig(cfg).CreateFunction(t.Context(), &awslambda.CreateFunctionInput{
		FunctionName: aws.String("answers"), Runtime: types.RuntimePython311, Handler: aws.String("index.handler"),
		Role: aws.String("arn:aws:iam::123456789012:role/r"), Code: &types.FunctionCode{ZipFile: archive.Bytes()},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := lambda.New(cfg)
	if err := c.InvokeMessage(t.Context(), "answers", "well"); err != nil {
		t.Errorf("a function that took the message: %v", err)
	}
	if err := c.InvokeMessage(t.Context(), "answers", "again"); !errors.Is(err, lambda.ErrWanted) {
		t.Errorf("a function that wants the message again: %v", err)
	}
	for what, says := range map[string]string{"raise": "no such job", "text": "not a batch response"} {
		if err := c.InvokeMessage(t.Context(), "answers", what); err == nil || errors.Is(err, lambda.ErrWanted) ||
			!strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want an error with %q", what, err, says)
		}
	}
	var missing *types.ResourceNotFoundException
	if err := c.InvokeMessage(t.Context(), "none", "x"); !errors.As(err, &missing) {
		t.Errorf("a function that is not there: %v", err)
	}
}
