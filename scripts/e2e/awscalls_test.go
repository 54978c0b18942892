package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
)

// callerKey begins the access key ids by which a test distinguishes its functions.
const callerKey = "fn-"

// awsCall is one thing that a function asked of AWS, as IAM sees it: one action on one resource.
type awsCall struct {
	Function, Action, Resource string
}

// actions are what IAM asks for where an operation's permission has another name. Sources: Amazon S3, "Required
// permissions for Amazon S3 API operations"; Amazon SQS, "Amazon SQS API permissions: actions and resource reference";
// AWS Lambda, service authorization reference. Operations that are not here need the action of their own name.
var actions = map[string]string{
	"sqs:SendMessageBatch": "sqs:SendMessage", "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
	"lambda:Invoke": "lambda:InvokeFunction",
	"s3:HeadObject": "s3:GetObject", "s3:ListObjectsV2": "s3:ListBucket", "s3:HeadBucket": "s3:ListBucket",
	"s3:CreateMultipartUpload": "s3:PutObject",
	"s3:UploadPart":            "s3:PutObject", "s3:CompleteMultipartUpload": "s3:PutObject",
}

func arn(service, rest string) string {
	return "arn:aws:" + service + ":" + devcloud.Region + ":" + account + ":" + rest
}

// callsOf are what a signed request asks of AWS; none for requests of others than the functions.
func callsOf(r *http.Request) []awsCall {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	scope := strings.Split(strings.SplitN(credential, ",", 2)[0], "/") // key, date, region, service, aws4_request
	function, ok := strings.CutPrefix(scope[0], callerKey)
	if !ok || len(scope) != 5 {
		return nil
	}
	service, operation, resource := scope[3], "", ""
	if service == "s3" {
		operation, resource = s3Operation(r)
	} else {
		body, err := io.ReadAll(r.Body) // a few kB
		if err != nil {
			return nil
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		operation, resource = jsonOperation(service, r, body)
	}
	action := service + ":" + operation
	if a, ok := actions[action]; ok {
		action = a
	}
	return []awsCall{{function, action, resource}}
}

// s3Operation is the operation of a request with the bucket in its path (Amazon S3 API Reference).
func s3Operation(r *http.Request) (operation, resource string) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q, has := r.URL.Query(), r.URL.Query().Has
	resource = "arn:aws:s3:::" + bucket
	if key == "" {
		switch {
		case r.Method == http.MethodHead:
			return "HeadBucket", resource
		case q.Get("list-type") == "2":
			return "ListObjectsV2", resource
		}
		return r.Method + "Bucket?" + r.URL.RawQuery, resource
	}
	resource += "/" + key
	switch {
	case has("tagging"):
		return map[string]string{"GET": "GetObjectTagging", "PUT": "PutObjectTagging",
			"DELETE": "DeleteObjectTagging"}[r.Method], resource
	case r.Method == http.MethodPost && has("uploads"):
		return "CreateMultipartUpload", resource
	case r.Method == http.MethodPost && has("uploadId"):
		return "CompleteMultipartUpload", resource
	case r.Method == http.MethodPut && has("uploadId"):
		return "UploadPart", resource
	case r.Method == http.MethodDelete && has("uploadId"):
		return "AbortMultipartUpload", resource
	}
	return map[string]string{"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject",
		"DELETE": "DeleteObject"}[r.Method], resource
}

// jsonOperation is the operation of a request of the other services: its name in a header, in a form or in the path.
func jsonOperation(service string, r *http.Request, body []byte) (operation, resource string) {
	if _, name, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		operation = name
	}
	var in struct {
		QueueURL  string `json:"QueueUrl"`
		QueueName string
		SecretID  string `json:"SecretId"`
		KeyID     string `json:"KeyId"`
		Name      string
		Entries   []struct{ EventBusName string }
	}
	_ = json.Unmarshal(body, &in) // forms and Lambda's events are others
	switch service {
	case "sqs":
		return operation, arn("sqs", in.QueueName+in.QueueURL[strings.LastIndexByte(in.QueueURL, '/')+1:])
	case "secretsmanager":
		return operation, arn("secretsmanager", "secret:"+in.SecretID)
	case "kms":
		return operation, in.KeyID
	case "events":
		bus := in.Name
		if len(in.Entries) > 0 {
			bus = in.Entries[0].EventBusName
		}
		return operation, arn("events", "event-bus/"+bus)
	case "sns":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return "", ""
		}
		return form.Get("Action"), form.Get("TopicArn")
	case "lambda":
		return "Invoke", arn("lambda",
			"function:"+strings.Split(strings.TrimPrefix(r.URL.Path, "/2015-03-31/functions/"), "/")[0])
	}
	return operation, ""
}
