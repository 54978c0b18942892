package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// account is the emulator's account.
const account = tools.MinistackAccount

// awsCall is one thing that a function asked of AWS, as IAM sees it: one action on one resource, with the tags that the
// request gives.
type awsCall struct {
	Caller           string // access key, later the function
	Action, Resource string
	Tags             string // key=value, sorted, with commas between
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

// recorder is what all requests of the functions pass on their way to the emulator, as a load balancer that ends TLS:
// it writes down who asked for what. Where there is a fake of AWS Batch, its requests go there.
type recorder struct {
	url           string
	target, batch atomic.Pointer[url.URL]

	mu     sync.Mutex
	calls  map[awsCall]int
	broken []string            // requests that the emulator answered with 5xx
	denied map[string][]string // requests that it denied, by access key
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{calls: map[awsCall]int{}, denied: map[string][]string{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			to := r.target.Load()
			if b := r.batch.Load(); b != nil && strings.HasPrefix(p.In.URL.Path, "/v1/") {
				to = b
			}
			p.SetURL(to)
			p.Out.Host = p.In.Host // it is signed
			p.Out.Header.Set("X-Forwarded-Proto", "https")
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // of callers that were killed
		ModifyResponse: func(a *http.Response) error {
			r.answered(a)
			return nil
		},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.note(q)
		proxy.ServeHTTP(w, q)
	}))
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

func (r *recorder) note(q *http.Request) {
	cs := callsOf(q)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range cs {
		r.calls[c]++
	}
}

func (r *recorder) answered(a *http.Response) {
	line := fmt.Sprintf("%s %s %s: %d", a.Request.Method, a.Request.URL.Path, a.Request.Header.Get("X-Amz-Target"),
		a.StatusCode)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case a.StatusCode >= 500:
		r.broken = append(r.broken, line)
	case a.StatusCode == http.StatusForbidden:
		key := scopeOf(a.Request)[0]
		r.denied[key] = append(r.denied[key], line)
	}
}

// recorded are the calls so far with how often each was made, and what the emulator denied (by access key) or failed
// at.
func (r *recorder) recorded() (calls map[awsCall]int, denied map[string][]string, broken []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.calls), maps.Clone(r.denied), slices.Clone(r.broken)
}

// functionKey begins the access key ids of roles' sessions, which functions have (IAM, "IAM identifiers": unique ID
// prefixes).
const functionKey = "ASIA"

// scopeOf is what a request is signed for: key, date, region, service, aws4_request.
func scopeOf(r *http.Request) []string {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	return strings.Split(strings.SplitN(credential, ",", 2)[0], "/")
}

// callsOf are what a signed request asks of AWS; none for requests of others than the functions.
func callsOf(r *http.Request) []awsCall {
	scope := scopeOf(r)
	if !strings.HasPrefix(scope[0], functionKey) || len(scope) != 5 {
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
		switch service {
		case "batch":
			return batchCalls(scope[0], r.URL.Path, body)
		case "scheduler":
			return scheduleCalls(scope[0], r, body)
		}
		operation, resource = jsonOperation(service, r, body)
	}
	action := service + ":" + operation
	if a, ok := actions[action]; ok {
		action = a
	}
	return []awsCall{{Caller: scope[0], Action: action, Resource: resource}}
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
		Name      string // of a bus
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
		topic := form.Get("TopicArn")
		if of := form.Get("SubscriptionArn"); topic == "" && strings.Contains(of, ":") { // of a topic, and its own id
			topic = of[:strings.LastIndexByte(of, ':')]
		}
		return form.Get("Action"), topic
	case "lambda":
		return "Invoke", arn("lambda",
			"function:"+strings.Split(strings.TrimPrefix(r.URL.Path, "/2015-03-31/functions/"), "/")[0])
	}
	return operation, ""
}

// scheduleCalls are what a request to EventBridge Scheduler needs (its API reference): who updates a schedule passes
// the role of its target on.
func scheduleCalls(caller string, r *http.Request, body []byte) []awsCall {
	var in struct {
		GroupName string
		Target    struct{ RoleArn string }
	}
	_ = json.Unmarshal(body, &in) // a look has none
	group, name := r.URL.Query().Get("groupName")+in.GroupName, strings.TrimPrefix(r.URL.Path, "/schedules/")
	call := awsCall{Caller: caller, Resource: arn("scheduler", "schedule/"+group+"/"+name),
		Action: "scheduler:" + map[string]string{"GET": "Get", "PUT": "Update", "POST": "Create",
			"DELETE": "Delete"}[r.Method] + "Schedule"}
	if in.Target.RoleArn == "" {
		return []awsCall{call}
	}
	return []awsCall{call, {Caller: caller, Action: passRole, Resource: in.Target.RoleArn}}
}

// passRole is what a role is handed over with.
const passRole = "iam:PassRole"

// batchCalls are what a request to AWS Batch needs (service authorization reference of AWS Batch): a submission is
// checked on the queue, the definition and the new job, and with tags needs batch:TagResource on the three as well;
// lists and descriptions name no resource.
func batchCalls(caller, path string, body []byte) (out []awsCall) {
	var in struct {
		Queue      string            `json:"jobQueue"`
		Definition string            `json:"jobDefinition"`
		Job        string            `json:"jobId"`
		Tags       map[string]string `json:"tags"`
	}
	_ = json.Unmarshal(body, &in)
	var tags []string
	for k, v := range in.Tags {
		tags = append(tags, k+"="+v)
	}
	slices.Sort(tags)
	add := func(action, resource string) {
		out = append(out, awsCall{caller, "batch:" + action, resource, strings.Join(tags, ",")})
	}
	switch path {
	case "/v1/submitjob":
		for _, r := range []string{in.Queue, in.Definition, arn("batch", "job/*")} {
			add("SubmitJob", r)
			if len(tags) > 0 {
				add("TagResource", r)
			}
		}
	case "/v1/terminatejob":
		add("TerminateJob", arn("batch", "job/"+in.Job))
	case "/v1/listjobs":
		add("ListJobs", "*")
	case "/v1/describejobs":
		add("DescribeJobs", "*")
	case "/v1/describejobqueues":
		add("DescribeJobQueues", "*")
	case "/v1/describejobdefinitions":
		add("DescribeJobDefinitions", "*")
	}
	return out
}
