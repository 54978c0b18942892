package e2e_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
)

// declared is one resource of a CloudFormation template.
type declared struct {
	Type       string
	Properties map[string]any
}

// template is a CloudFormation template.
type template struct {
	Resources map[string]declared
}

// skipped are the types that the emulator does not make of a template: infra's template tests hold these.
var skipped = []string{
	"AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route",
	"AWS::ApiGatewayV2::Stage", "AWS::CDK::Metadata",
	"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::Lambda::Permission", "AWS::S3::BucketPolicy",
	"AWS::SNS::Subscription", "AWS::SNS::TopicPolicy",
	"AWS::SQS::QueuePolicy", "AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup", "AWS::SecretsManager::Secret",
}

// adapt changes a synthesized template to what the emulator can do, and returns it: secrets and bus by name (the
// emulator makes no secrets and gives a bus no ARN), mappings off (else the emulator receives messages itself), no rule
// on the bootstrap's version.
func adapt(t *testing.T, path string) template {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	delete(doc, "Rules")
	delete(doc["Parameters"].(map[string]any), "BootstrapVersion")
	delete(doc["Outputs"].(map[string]any), "ApiUrl")
	refs, arns := map[string]string{}, map[string]string{}
	for id, r := range doc["Resources"].(map[string]any) {
		r := r.(map[string]any)
		p, _ := r["Properties"].(map[string]any)
		prefix := "arn:aws:events:" + devcloud.Region + ":" + account + ":event-bus/"
		switch r["Type"] {
		case "AWS::Lambda::EventSourceMapping":
			p["Enabled"] = false
		case "AWS::Events::EventBus":
			refs[id], arns[id] = p["Name"].(string), prefix+p["Name"].(string)
		case "AWS::SecretsManager::Secret":
			arns[id] = strings.Replace(strings.Replace(prefix, "events", "secretsmanager", 1), "event-bus/",
				"secret:", 1) + p["Name"].(string)
			refs[id] = arns[id]
		}
	}
	doc = substitute(doc, refs, arns).(map[string]any)
	raw, err = json.Marshal(doc)
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	var out template
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// substitute puts values in the place of references.
func substitute(v any, refs, arns map[string]string) any {
	switch v := v.(type) {
	case map[string]any:
		if id, ok := v["Ref"].(string); ok && refs[id] != "" {
			return refs[id]
		}
		if get, ok := v["Fn::GetAtt"].([]any); ok && arns[get[0].(string)] != "" {
			return arns[get[0].(string)]
		}
		for k, x := range v {
			v[k] = substitute(x, refs, arns)
		}
	case []any:
		for i, x := range v {
			v[i] = substitute(x, refs, arns)
		}
	}
	return v
}

// of returns the resources of a type, sorted by id.
func (t template) of(kind string) []declared {
	var out []declared
	for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
		if t.Resources[id].Type == kind {
			out = append(out, t.Resources[id])
		}
	}
	return out
}

// secrets are the names of the template's secrets.
func (t template) secrets() []string {
	var out []string
	for _, s := range t.of("AWS::SecretsManager::Secret") {
		out = append(out, s.Properties["Name"].(string))
	}
	return out
}
