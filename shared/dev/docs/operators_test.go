package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// asksAWS is what of AWS the operator's program calls: a file, a pattern whose first group is the call, and the calls'
// prefix in IAM. sts:GetCallerIdentity needs no permission.
var asksAWS = []struct{ file, call, prefix string }{
	{"shared/client/deployment/find.go", `cloudformation\.NewFromConfig\(cfg\)\.(\w+)\(`, "cloudformation:"},
	{"shared/client/deployment/find.go", `f\.lambda\.(\w+)\(ctx`, "lambda:"},
	{"shared/client/eventbridge/rules.go", `r\.api\.(\w+)\(ctx`, "events:"},
	{"shared/dev/ops/rules.go", `t\.api\.(\w+)\(ctx`, "sqs:"},
}

// The two policies of operators in infra/README.md allow the calls of `make ops`, no others, and on this chain alone.
func TestPoliciesOfOperators(t *testing.T) {
	t.Parallel()
	want := []string{"execute-api:Invoke"}
	for _, a := range asksAWS {
		found := regexp.MustCompile(a.call).FindAllStringSubmatch(read(t, a.file), -1)
		if len(found) == 0 {
			t.Errorf("%s calls nothing of %s", a.file, a.prefix)
		}
		for _, m := range found {
			name := m[1]
			if a.prefix == "lambda:" {
				name += "Function"
			}
			want = append(want, a.prefix+name)
		}
	}
	_, section, _ := strings.Cut(read(t, "infra/README.md"), "\n### Policies of operators\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var got []string
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(section, -1)
	for _, b := range blocks {
		var policy struct {
			Version   string
			Statement []struct {
				Effect, Resource string
				Action           any
			}
		}
		if err := json.Unmarshal([]byte(b[1]), &policy); err != nil {
			t.Fatalf("a policy does not decode: %v", err)
		}
		for _, s := range policy.Statement {
			actions, several := s.Action.([]any)
			if !several {
				actions = []any{s.Action}
			}
			for _, a := range actions {
				got = append(got, a.(string))
			}
			if s.Resource == "*" && !slices.Equal(actions, []any{"events:ListRules"}) { // which has no resource to name
				t.Errorf("%v on everything", actions)
			}
		}
	}
	for _, l := range []*[]string{&want, &got} {
		slices.Sort(*l)
		*l = slices.Compact(*l)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(blocks) != 2 {
		t.Errorf("%d policies; called (-), allowed (+):\n%s", len(blocks), diff)
	}
	for _, arn := range []string{
		"arn:aws:cloudformation:REGION:ACCOUNT:stack/" + resource.Stack("CHAIN") + "/*",
		"arn:aws:execute-api:REGION:ACCOUNT:API_ID/*/GET/*", "arn:aws:execute-api:REGION:ACCOUNT:API_ID/*/POST/*",
		"arn:aws:events:REGION:ACCOUNT:rule/" + resource.Physical("CHAIN", resource.EventBus) + "/" +
			resource.Physical("CHAIN", "tail-*"),
		"arn:aws:sqs:REGION:ACCOUNT:" + resource.Physical("CHAIN", "tail-*"),
		"arn:aws:lambda:REGION:ACCOUNT:function:" + resource.Physical("CHAIN", resource.FnAPI),
	} {
		if !strings.Contains(section, `"`+arn+`"`) {
			t.Errorf("no policy names %s", arn)
		}
	}
}
