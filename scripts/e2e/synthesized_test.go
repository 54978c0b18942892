package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// synthesized are the policies of a chain's functions as its template has them, with the ARNs that the resources have
// in a world of that name; what is of another type stands as its id in the template.
func synthesized(t *testing.T, chain, path string) map[string]policy {
	t.Helper()
	tpl := readTemplate(t, path)
	arns := map[string]string{}
	for id, r := range tpl.Resources {
		name := func(property string) string { return fmt.Sprint(r.Properties[property]) }
		switch r.Type {
		case "AWS::Batch::JobQueue":
			arns[id] = arn("batch", "job-queue/"+name("JobQueueName"))
		case "AWS::Batch::JobDefinition":
			arns[id] = arn("batch", "job-definition/"+name("JobDefinitionName")+":1")
		case "AWS::Events::EventBus":
			arns[id] = arn("events", "event-bus/"+name("Name"))
		case "AWS::Lambda::Function":
			arns[id] = arn("lambda", "function:"+name("FunctionName"))
		case "AWS::S3::Bucket":
			arns[id] = "arn:aws:s3:::" + resource.Physical(chain, "artifacts") // whose name the template leaves open
		case "AWS::SecretsManager::Secret":
			arns[id] = arn("secretsmanager", "secret:"+name("Name"))
		case "AWS::SNS::Topic":
			arns[id] = arn("sns", name("TopicName"))
		case "AWS::SQS::Queue":
			arns[id] = arn("sqs", name("QueueName"))
		default:
			arns[id] = id
		}
	}
	byRole := map[any]policy{}
	for id, r := range tpl.Resources {
		if r.Type != "AWS::IAM::Policy" {
			continue
		}
		var one policy
		raw, err := json.Marshal(resolve(r.Properties["PolicyDocument"], arns))
		if err == nil {
			err = json.Unmarshal(raw, &one)
		}
		if err != nil {
			t.Fatalf("policy %s: %v", id, err)
		}
		for _, role := range r.Properties["Roles"].([]any) {
			role := resolve(role, arns)
			all := byRole[role]
			all.Version, all.Statement = one.Version, append(all.Statement, one.Statement...)
			byRole[role] = all
		}
	}
	out := map[string]policy{}
	for _, r := range tpl.Resources {
		if r.Type != "AWS::Lambda::Function" {
			continue
		}
		if name, ok := strings.CutPrefix(fmt.Sprint(r.Properties["FunctionName"]), resource.Physical(chain, "")); ok {
			out[name] = byRole[resolve(r.Properties["Role"], arns)]
		}
	}
	return out
}

// resolve puts values in the place of references.
func resolve(v any, values map[string]string) any {
	switch v := v.(type) {
	case map[string]any:
		if id, ok := v["Ref"].(string); ok {
			return values[id]
		}
		if of, ok := v["Fn::GetAtt"].([]any); ok {
			return values[of[0].(string)]
		}
		if join, ok := v["Fn::Join"].([]any); ok {
			var parts []string
			for _, x := range join[1].([]any) {
				part, _ := resolve(x, values).(string)
				parts = append(parts, part)
			}
			return strings.Join(parts, join[0].(string))
		}
		out := map[string]any{}
		for k, x := range v {
			out[k] = resolve(x, values)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = resolve(x, values)
		}
		return out
	}
	return v
}
