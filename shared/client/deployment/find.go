package deployment

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// ErrNotDeployed says that the account and region have no stack of the chain.
var ErrNotDeployed = errors.New("no such deployment")

// Outputs returns the outputs of a chain's stack, by name. ErrNotDeployed where there is no such stack.
func Outputs(ctx context.Context, cfg aws.Config, chain string) (map[string]string, error) {
	name := resource.Stack(chain)
	found, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx,
		&cloudformation.DescribeStacksInput{StackName: &name})
	if absent(err) || err == nil && len(found.Stacks) == 0 {
		return nil, fmt.Errorf("%w: region %s has no stack %s; is it the right name, region (-region) and account "+
			"(AWS_PROFILE)?",
			ErrNotDeployed, cfg.Region, name)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: describe stack %s: %w", ErrNoAnswer, name, err)
	}
	out := map[string]string{}
	for _, o := range found.Stacks[0].Outputs {
		out[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return out, nil
}

// absent says whether CloudFormation knows no stack of the name: a ValidationError, whose text alone says it.
func absent(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationError" &&
		strings.Contains(api.ErrorMessage(), "does not exist")
}

// Find returns the API of a chain's deployment, whose requests the configuration's credentials sign. Errors:
// ErrNotDeployed, ErrNoAnswer.
func Find(ctx context.Context, cfg aws.Config, chain string) (*HTTP, error) {
	outputs, err := Outputs(ctx, cfg, chain)
	if err != nil {
		return nil, err
	}
	url, ok := outputs["ApiUrl"]
	if !ok {
		return nil, fmt.Errorf("%w: stack %s has no output ApiUrl; use -invoke", ErrNotDeployed, resource.Stack(chain))
	}
	return Signed(cfg, url)
}

// Function is the API behind the api function itself, past API Gateway. What the caller may do is for IAM to say
// (lambda:InvokeFunction on that function).
type Function struct {
	lambda *lambda.Client
	name   string
	caller string // ARN, for the audit of commands
}

// FindFunction returns the api function of a chain's deployment. Errors: ErrNoAnswer.
func FindFunction(ctx context.Context, cfg aws.Config, chain string) (*Function, error) {
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, fmt.Errorf("%w: ask AWS who you are: %w", ErrNoAnswer, err)
	}
	return &Function{lambda: lambda.NewFromConfig(cfg), name: resource.Physical(chain, resource.FnAPI),
		caller: aws.ToString(who.Arn)}, nil
}

// About implements API.
func (f *Function) About() string { return "function " + f.name + " (invoked as " + f.caller + ")" }

// Do implements API: the function gets the event that API Gateway would make of the request.
func (f *Function) Do(ctx context.Context, r Request) (Answer, error) {
	event, err := f.event(r)
	if err != nil {
		return Answer{}, err
	}
	out, err := f.lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: &f.name, Payload: event})
	if err != nil {
		return Answer{}, fmt.Errorf("%w: invoke %s: %w", ErrNoAnswer, f.name, err)
	}
	if out.FunctionError != nil {
		return Answer{}, fmt.Errorf("%w: function %s failed: %s: %.300s",
			ErrNoAnswer, f.name, *out.FunctionError, out.Payload)
	}
	return answer(out.Payload)
}

// event is an HTTP API's event, payload version 2.0.
func (f *Function) event(r Request) ([]byte, error) {
	path, query, _ := strings.Cut(r.Path, "?")
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: r.Method + " " + path, RawPath: path, RawQueryString: query, Body: string(r.Body),
		Headers: map[string]string{"content-type": "application/json"},
	}
	e.RequestContext.Stage = "$default"
	e.RequestContext.HTTP.Method, e.RequestContext.HTTP.Path = r.Method, path
	e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: f.caller},
	}
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("%w: encode the event: %w", ErrNoAnswer, err)
	}
	return b, nil
}

// answer reads what the function answered.
func answer(payload []byte) (Answer, error) {
	var out events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(payload, &out); err != nil || out.StatusCode == 0 {
		return Answer{}, fmt.Errorf("%w as API Gateway needs it: %.300q", ErrNoAnswer, payload)
	}
	a := Answer{Status: out.StatusCode, Body: []byte(out.Body)}
	for k, v := range out.Headers {
		if http.CanonicalHeaderKey(k) == "Content-Type" {
			a.Type = v
		}
	}
	if out.IsBase64Encoded {
		b, err := base64.StdEncoding.DecodeString(out.Body)
		if err != nil {
			return Answer{}, fmt.Errorf("%w: its body does not decode: %w", ErrNoAnswer, err)
		}
		a.Body = b
	}
	return a, nil
}
