package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// statement is one of a policy.
type statement struct {
	Effect    string
	Principal any `json:",omitempty"`
	Action    any
	Resource  any
	Condition map[string]any `json:",omitempty"`
}

func several(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var out []string
	for _, x := range v.([]any) {
		out = append(out, x.(string))
	}
	return out
}

type policy struct {
	Version   string
	Statement []statement
}

// without is a policy in which no statement allows an action.
func (p policy) without(action string) policy {
	out := policy{Version: p.Version}
	for _, s := range p.Statement {
		left := []any{}
		for _, a := range several(s.Action) {
			if a != action {
				left = append(left, a)
			}
		}
		if len(left) > 0 {
			s.Action = left
			out.Statement = append(out.Statement, s)
		}
	}
	return out
}

// grants are what roles may do and what was done with it, over the chains of a test.
type grants struct {
	roles     map[string]policy // by caller: chain and function
	resources map[string]any    // resource policies by the ARN that they are of
	calls     map[awsCall]int   // by caller
}

// functionOf is a caller's function.
func functionOf(caller string) string { return lastOf(caller, '/') }

// question is one call as the evaluator wants it.
type question struct {
	Principal string         `json:"principal"`
	Action    string         `json:"action"`
	Resource  string         `json:"resource"`
	Context   map[string]any `json:"context"`
	Policies  []named        `json:"policies"`
	// ResourcePolicy is the resource's own, if it has one.
	ResourcePolicy any `json:"resourcePolicy,omitempty"`
}

type named struct {
	Name   string `json:"name"`
	Policy policy `json:"policy"`
}

// ask makes the question whether a policy allows a call. Requests to AWS go over TLS 1.2 or later.
func (g grants) ask(c awsCall, p policy) question {
	context := map[string]any{"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
	if c.Action == passRole {
		context["iam:PassedToService"] = "scheduler.amazonaws.com"
	}
	var keys []string
	for _, pair := range strings.FieldsFunc(c.Tags, func(r rune) bool { return r == ',' }) {
		k, v, _ := strings.Cut(pair, "=")
		context["aws:RequestTag/"+k] = v
		keys = append(keys, k)
	}
	if keys != nil {
		context["aws:TagKeys"] = keys
	}
	q := question{
		Principal: "arn:aws:iam::" + account + ":role/" + functionOf(c.Caller), Action: c.Action,
		Resource: c.Resource, Context: context, Policies: []named{{functionOf(c.Caller), p}},
	}
	for of, r := range g.resources {
		if c.Resource == of || strings.HasPrefix(c.Resource, of+"/") {
			q.ResourcePolicy = r
		}
	}
	return q
}

// evaluate lets the evaluator that others wrote decide on questions.
func evaluate(t *testing.T, all []question) []string {
	t.Helper()
	modules := filepath.Dir(filepath.Dir(tools.Program(t, "permissions/node_modules/@cloud-copilot")))
	in, err := json.Marshal(map[string]any{"account": account, "calls": all})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "../../shared/dev/permissions/evaluate.mjs",
		filepath.Join(modules, "node_modules"))
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	raw, err := cmd.Output()
	var out []string
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil || len(out) != len(all) {
		t.Fatalf("the evaluator gave %d results for %d calls: %v\n%s", len(out), len(all), err, stderr.String())
	}
	return out
}

// sorted are the calls in order.
func (g grants) sorted() []awsCall {
	return slices.SortedFunc(maps.Keys(g.calls),
		func(a, b awsCall) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
}

// refused are the calls that the roles do not allow.
func (g grants) refused(t *testing.T) (faults []string) {
	t.Helper()
	calls := g.sorted()
	var all []question
	for _, c := range calls {
		all = append(all, g.ask(c, g.roles[c.Caller]))
	}
	for i, result := range evaluate(t, all) {
		if c := calls[i]; result != "Allowed" {
			faults = append(faults, fmt.Sprintf("%s may not %s on %s: %s", c.Caller, c.Action, c.Resource, result))
		}
	}
	return faults
}

// of are the calls of one service, and what the roles may do with it.
func (g grants) of(service string) grants {
	out := grants{roles: map[string]policy{}, resources: g.resources, calls: map[awsCall]int{}}
	for caller, p := range g.roles {
		p.Statement = slices.DeleteFunc(slices.Clone(p.Statement), func(s statement) bool {
			return !strings.HasPrefix(several(s.Action)[0], service+":")
		})
		if len(p.Statement) > 0 {
			out.roles[caller] = p
		}
	}
	for c, n := range g.calls {
		if strings.HasPrefix(c.Action, service+":") {
			out.calls[c] = n
		}
	}
	return out
}

// faults are the differences between what was asked of AWS and what the roles allow, in both directions: each call is
// allowed, each allowed action was called or has a reason.
func (g grants) faults(t *testing.T) (faults []string, used, reasons int) {
	t.Helper()
	faults = g.refused(t)
	called := map[string]bool{}
	for c := range g.calls {
		called[functionOf(c.Caller)+" "+c.Action] = true
	}
	allowed := map[string]bool{}
	for caller, p := range g.roles {
		for _, s := range p.Statement {
			for _, a := range several(s.Action) {
				allowed[functionOf(caller)+" "+a] = true
			}
		}
	}
	for _, fa := range slices.Sorted(maps.Keys(allowed)) {
		_, action, _ := strings.Cut(fa, " ")
		switch {
		case called[fa]:
			used++
		case unused[fa] != "" || unused["* "+action] != "" || sometimes[fa] != "":
			reasons++
		default:
			faults = append(faults, fa+" is allowed, was not called in the run and has no reason")
		}
	}
	for fa := range unused {
		if called[fa] {
			faults = append(faults, fa+" has a reason for not being called, and was called")
		}
	}
	return faults, used, reasons
}

// check wants no faults, and each fault to be found that is put into the policies: any used action taken away, and an
// action added.
func (g grants) check(t *testing.T) {
	t.Helper()
	faults, used, reasons := g.faults(t)
	for _, f := range faults {
		t.Error(f)
	}
	total := 0
	for _, n := range g.calls {
		total += n
	}
	t.Logf("%d calls of AWS by %d functions, %d different ones evaluated; %d actions are allowed and used, "+
		"%d allowed with a reason", total, len(g.roles), len(g.calls), used, reasons)
	var less []question
	calls := g.sorted()
	for _, c := range calls {
		less = append(less, g.ask(c, g.roles[c.Caller].without(c.Action)))
	}
	for i, result := range evaluate(t, less) {
		if result == "Allowed" {
			t.Errorf("%s may %s on %s even without the action in its policy",
				calls[i].Caller, calls[i].Action, calls[i].Resource)
		}
	}
	more := grants{roles: maps.Clone(g.roles), resources: g.resources, calls: g.calls}
	functions := map[string]bool{}
	for caller, p := range g.roles {
		p.Statement = append(slices.Clone(p.Statement),
			statement{Effect: "Allow", Action: "s3:GetObjectTagging", Resource: "*"})
		more.roles[caller], functions[functionOf(caller)] = p, true
	}
	if found, _, _ := more.faults(t); len(found) != len(faults)+len(functions) {
		t.Errorf("an action more in the policies of %d functions shows as %q", len(functions), found)
	}
}

// unused are actions that functions may do and did not in the runs, with why they may. "*" is every function that has
// the action and did not use it.
var unused = map[string]string{
	"* logs:CreateLogStream": "by Lambda itself for a function's log",
	"* logs:PutLogEvents":    "by Lambda itself for a function's log",
	"* sqs:ReceiveMessage": "by Lambda itself for the event source mapping (AWS Lambda, \"Using Lambda with " +
		"Amazon SQS\")",
	"* sqs:DeleteMessage":       "by Lambda itself for the event source mapping",
	"* sqs:GetQueueAttributes":  "by Lambda itself for the event source mapping",
	"* s3:AbortMultipartUpload": "of an upload in parts that fails; artifacts of the run are smaller than a part",
	"* s3:ListBucket": "without it S3 says of a missing object that access is denied (Amazon S3 API " +
		"Reference, GetObject)",
	"* sns:Publish": "alerts, which a function gives when something goes wrong; jobfailure's is called",
	"* batch:TerminateJob": "two runs of one task, of which all but the first are ended: a race that the " +
		"client's own test makes",
	"api s3:GetObject": "by whoever opens a link that the function signed; the store's own test " +
		"downloads by links",
	"jobfailure events:PutEvents": "a dead letter of a job that then fails or is tried again; no job of the run dies",
	"jobfailure sqs:GetQueueUrl":  "likewise",
	"jobfailure sqs:SendMessage":  "likewise",
}

// sometimes are actions that functions do or don't in the runs, with why.
var sometimes = map[string]string{
	"hooks events:PutEvents": "a webhook of a job that waits at the prover; whether one does when it comes is a " +
		"matter of moments",
	"hooks sqs:GetQueueUrl": "likewise",
	"trigger scheduler:UpdateSchedule": "a stage is paused or resumed; whether Reconcile runs in between is a matter " +
		"of moments",
	"trigger iam:PassRole":  "likewise",
	"hooks sqs:SendMessage": "likewise",
}

// Reasons are of functions that there are.
func TestUnusedActionsAreOfFunctions(t *testing.T) {
	t.Parallel()
	reasons := maps.Clone(unused)
	maps.Copy(reasons, sometimes)
	for fa := range reasons {
		function, _, _ := strings.Cut(fa, " ")
		is := func(f resource.Function) bool { return f.Name == function }
		if function != "*" && !slices.ContainsFunc(resource.Functions(), is) {
			t.Errorf("%q: there is no such function", fa)
		}
	}
}
