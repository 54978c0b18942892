package e2e_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// The evaluator denies what a policy does not have: with one action or one resource less, the check of the deployment
// fails.
func TestEvaluatorDenies(t *testing.T) {
	t.Parallel()
	call := awsCall{Caller: "c/snosrun", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/snos/0000000001/pie.zip"}
	allow := func(resource string, actions ...any) policy {
		return policy{Version: "2012-10-17",
			Statement: []statement{{Effect: "Allow", Action: actions, Resource: resource}}}
	}
	tls := map[string]any{"arn:aws:s3:::b": policy{Version: "2012-10-17", Statement: []statement{{
		Effect: "Deny", Principal: "*", Action: "s3:*", Resource: "arn:aws:s3:::b/*",
		Condition: map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
	}}}}
	get := allow("arn:aws:s3:::b/snos/*", "s3:GetObject")
	for name, tt := range map[string]struct {
		policy   policy
		resource map[string]any
		insecure bool
		want     string
	}{
		"allowed":            {policy: allow("arn:aws:s3:::b/snos/*", "s3:GetObject", "s3:PutObject"), want: "Allowed"},
		"one action less":    {policy: allow("arn:aws:s3:::b/snos/*", "s3:PutObject"), want: "ImplicitlyDenied"},
		"another prefix":     {policy: allow("arn:aws:s3:::b/tx/*", "s3:GetObject"), want: "ImplicitlyDenied"},
		"tags, not object":   {policy: allow("arn:aws:s3:::b/snos/*", "s3:GetObjectTagging"), want: "ImplicitlyDenied"},
		"bucket wants TLS":   {policy: get, resource: tls, want: "Allowed"},
		"bucket without TLS": {policy: get, resource: tls, insecure: true, want: "ExplicitlyDenied"},
	} {
		q := grants{resources: tt.resource}.ask(call, tt.policy)
		if tt.insecure {
			q.Context["aws:SecureTransport"] = "false"
		}
		if got := evaluate(t, []question{q}); got[0] != tt.want {
			t.Errorf("%s: %q, want %q", name, got[0], tt.want)
		}
	}
}

// Requests are taken for the actions that IAM asks for.
func TestCallsOf(t *testing.T) {
	t.Parallel()
	const who, tags = functionKey + "TRIGGER", "orchestrator:chain=c"
	one := func(action, resource string) []awsCall {
		return []awsCall{{Caller: who, Action: action, Resource: resource}}
	}
	run := `{"jobName":"n","jobQueue":"q","jobDefinition":"d","tags":{"orchestrator:chain":"c"}}`
	for name, tt := range map[string]struct {
		service, method, path, target, body string
		want                                []awsCall
	}{
		"object": {"s3", "GET", "/b/snos/1/pie.zip", "", "", one("s3:GetObject", "arn:aws:s3:::b/snos/1/pie.zip")},
		"head":   {"s3", "HEAD", "/b/k", "", "", one("s3:GetObject", "arn:aws:s3:::b/k")},
		"tags":   {"s3", "GET", "/b/k?tagging", "", "", one("s3:GetObjectTagging", "arn:aws:s3:::b/k")},
		"tag":    {"s3", "PUT", "/b/k?tagging=", "", "", one("s3:PutObjectTagging", "arn:aws:s3:::b/k")},
		"part":   {"s3", "PUT", "/b/k?partNumber=1&uploadId=u", "", "", one("s3:PutObject", "arn:aws:s3:::b/k")},
		"abort":  {"s3", "DELETE", "/b/k?uploadId=u", "", "", one("s3:AbortMultipartUpload", "arn:aws:s3:::b/k")},
		"list":   {"s3", "GET", "/b?list-type=2&prefix=x", "", "", one("s3:ListBucket", "arn:aws:s3:::b")},
		"send": {"sqs", "POST", "/", "AmazonSQS.SendMessageBatch", `{"QueueUrl":"http://x/1/q"}`,
			one("sqs:SendMessage", arn("sqs", "q"))},
		"find": {"sqs", "POST", "/", "AmazonSQS.GetQueueUrl", `{"QueueName":"q"}`,
			one("sqs:GetQueueUrl", arn("sqs", "q"))},
		"invoke": {"lambda", "POST", "/2015-03-31/functions/f/invocations", "", `{}`,
			one("lambda:InvokeFunction", arn("lambda", "function:f"))},
		"look at a schedule": {"scheduler", "GET", "/schedules/c-S?groupName=g", "", "",
			one("scheduler:GetSchedule", arn("scheduler", "schedule/g/c-S"))},
		"pause a schedule": {"scheduler", "PUT", "/schedules/c-S", "", `{"GroupName":"g","Target":{"RoleArn":"r"}}`,
			append(one("scheduler:UpdateSchedule", arn("scheduler", "schedule/g/c-S")), one(passRole, "r")...)},
		"unsubscribe": {"sns", "POST", "/", "", "Action=Unsubscribe&SubscriptionArn=arn:aws:sns:r:a:t:id",
			one("sns:Unsubscribe", "arn:aws:sns:r:a:t")},
		"announce": {"sns", "POST", "/", "", "Action=Publish&TopicArn=t", one("sns:Publish", "t")},
		"look at a bus": {"events", "POST", "/", "AWSEvents.DescribeEventBus", `{"Name":"b"}`,
			one("events:DescribeEventBus", arn("events", "event-bus/b"))},
		"secret": {"secretsmanager", "POST", "/", "secretsmanager.GetSecretValue", `{"SecretId":"c/s"}`,
			one("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:c/s"))},
		"jobs": {"batch", "POST", "/v1/listjobs", "", `{"jobQueue":"q"}`, one("batch:ListJobs", "*")},
		"run": {"batch", "POST", "/v1/submitjob", "", run, []awsCall{
			{who, "batch:SubmitJob", "q", tags}, {who, "batch:TagResource", "q", tags},
			{who, "batch:SubmitJob", "d", tags}, {who, "batch:TagResource", "d", tags},
			{who, "batch:SubmitJob", arn("batch", "job/*"), tags},
			{who, "batch:TagResource", arn("batch", "job/*"), tags},
		}},
	} {
		r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		r.Header.Set("X-Amz-Target", tt.target)
		r.Header.Set("Authorization",
			"AWS4-HMAC-SHA256 Credential="+who+"/20260101/eu-west-1/"+tt.service+"/aws4_request, SignedHeaders=host")
		if got := callsOf(r); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
	other := httptest.NewRequest("GET", "/b/k", nil)
	other.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/s3/aws4_request")
	if got := callsOf(other); len(got) > 0 {
		t.Errorf("%+v is not a function's", got)
	}
}
