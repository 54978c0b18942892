package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// outward are the functions that answer requests from outside. Whoever takes one over has its role and nothing else.
var outward = []string{"api", "hooks"}

// attempts are what a holder of such a role would try, by action. Each must be denied: the role does not have it at
// all.
var attempts = map[string]string{
	"kms:Sign":                   "sign with the wallet's key",
	"kms:CreateGrant":            "let another sign",
	"lambda:InvokeFunction":      "start what signs",
	"lambda:UpdateFunctionCode":  "put other code into what signs",
	"batch:SubmitJob":            "run a container",
	"s3:GetObject":               "read signed transactions",
	"s3:PutObject":               "put another state update in the place of ours",
	"s3:DeleteObject":            "take a proof away",
	"sqs:ReceiveMessage":         "take wake-ups away",
	"sqs:DeleteMessage":          "take wake-ups away",
	"sqs:PurgeQueue":             "empty a queue",
	"secretsmanager:ListSecrets": "look for other chains' secrets",
	"sts:AssumeRole":             "become another role",
	"iam:PassRole":               "give a role away",
}

// attackFaults are the attempts that would succeed, and the secrets that the role reads beyond those it needs.
func attackFaults(s template) (out []string) {
	s.grants(func(function, action, on string) {
		if !slices.Contains(outward, function) {
			return
		}
		if function == resource.FnAPI && action == "lambda:InvokeFunction" && checked(on) {
			return // for /ready; a test of shared/resource holds that none of them signs
		}
		if function == resource.FnAPI && action == "s3:GetObject" && s.chain.links() && linked(on) {
			return // for links; signed transactions have none
		}
		if what, ok := attempts[action]; ok || strings.Contains(action, "*") {
			out = append(out, fmt.Sprintf("%s may %s on %s: %s", function, action, on, what))
		}
		if action == "secretsmanager:GetSecretValue" {
			for k, word := range s.chain.Settings {
				forbidden := strings.HasPrefix(k, "SETTLEMENT_KEY") || strings.HasPrefix(k, "SNOS_") ||
					function == "api" && strings.HasPrefix(k, "PROVER_")
				if forbidden && strings.HasSuffix(k, "_SECRET") && strings.Contains(on, `"Secret`+title(word)+`"`) {
					out = append(out, fmt.Sprintf("%s reads the secret of %s", function, k))
				}
			}
		}
	})
	return out
}

// checked says whether a resource is one of the functions that the API may ask whether services can be used.
func checked(on string) bool {
	return slices.ContainsFunc(resource.Asks(), func(x resource.Asked) bool {
		return strings.Contains(on, `"Function`+title(x.Function))
	})
}

// Who gets the alerts is changed by the API alone, on the chain's own topic, and only where commands are on.
func TestWhoSubscribes(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		changes := 0
		s.grants(func(function, action, on string) {
			switch action {
			case "sns:Subscribe", "sns:Unsubscribe", "sns:ConfirmSubscription":
				changes++
				if function != resource.FnAPI ||
					!strings.Contains(on, `"Alerts`) && (action != "sns:Unsubscribe" || !strings.Contains(on, "*")) {
					t.Errorf("%s may %s on %s", function, action, on)
				}
			}
		})
		if want := map[bool]int{true: 3}[s.chain.API.Admin]; changes != want {
			t.Errorf("%d actions change who gets the alerts, want %d", changes, want)
		}
	})
}

// The schedules are changed by the trigger function alone, and the role under which they fire is handed to nobody else.
func TestWhoSchedules(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		changes := 0
		s.grants(func(function, action, on string) {
			switch {
			case action == "scheduler:UpdateSchedule":
				changes++
				if !strings.Contains(on, ":schedule/"+resource.Physical(s.chain.Name, resource.ScheduleGroup)+"/") {
					t.Errorf("%s may change %s, which is not of the chain's group", function, on)
				}
			case action == "iam:PassRole" && function == resource.FnTrigger && !strings.Contains(on, "RoleScheduler"):
				t.Errorf("%s hands over %s", function, on)
			case action != "iam:PassRole":
				return
			}
			if function != resource.FnTrigger {
				t.Errorf("%s may %s on %s", function, action, on)
			}
		})
		if want := len(schedulesOf(s.chain)); changes != want {
			t.Errorf("%d schedules can be changed, want %d", changes, want)
		}
	})
	c := Chain{Layer: "l2", Settings: map[string]string{"SCHEDULE_EVERY": "ProofCreation=10m"}}
	all := resource.Intervals("l2", map[stage.Name]time.Duration{stage.ProofCreation: 10 * time.Minute})
	for _, x := range schedulesOf(c) {
		if want := all[x.Stage]; x.Every != want {
			t.Errorf("%s every %s, want %s", x.Stage, x.Every, want)
		}
	}
}

// Each route is a rule of the chain's own bus that sends what it names, and its target lets that rule alone send.
func TestRoutes(t *testing.T) {
	routes := 0
	each(t, func(t *testing.T, s template) {
		rules := map[string]map[string]any{}
		for _, p := range s.of("AWS::Events::Rule") {
			if !strings.Contains(text(p["EventBusName"]), `"Events`) {
				continue
			}
			rules[strings.TrimPrefix(fmt.Sprint(p["Name"]), s.chain.Name+"-")] = p
		}
		if len(rules) != len(s.chain.Events) {
			t.Errorf("%d rules for %d routes", len(rules), len(s.chain.Events))
		}
		for _, r := range s.chain.Events {
			routes++
			p := rules[r.Name]
			if got := text(p["EventPattern"]); !strings.Contains(got, `"orchestrator"`) ||
				strings.Contains(got, "detail-type") != (len(r.Types) > 0) {
				t.Errorf("%s has the pattern %s", r.Name, got)
			}
			id := "Route" + title(r.Name)
			switch target := text(p["Targets"]); {
			case r.URL == "" && !strings.Contains(target, r.Queue+r.Lambda):
				t.Errorf("%s has the target %s", r.Name, target)
			case r.URL != "":
				if all := text(s.of("AWS::SNS::TopicPolicy")); !strings.Contains(target, id+"Topic") ||
					!strings.Contains(all, "events.amazonaws.com") || !strings.Contains(all, `"`+id+`"`) {
					t.Errorf("%s has the target %s, policies %s", r.Name, target, all)
				}
			case r.Lambda != "":
				if all := text(s.of("AWS::Lambda::Permission")); !strings.Contains(all, r.Lambda) ||
					!strings.Contains(all, "events.amazonaws.com") {
					t.Errorf("%s: permissions %s", r.Name, all)
				}
			}
		}
	})
	if routes != 3 {
		t.Errorf("%d routes were looked at, want 3", routes)
	}
	for name, r := range map[string]Route{
		"nothing":        {Name: "a"},
		"two":            {Name: "a", Queue: "arn:aws:sqs:eu-west-1:123456789012:q", URL: "https://x.example"},
		"not a queue":    {Name: "a", Queue: "arn:aws:sns:eu-west-1:123456789012:q"},
		"not a function": {Name: "a", Lambda: "arn:aws:sqs:eu-west-1:123456789012:q"},
		"plain":          {Name: "a", URL: "http://x.example"}, "no name": {URL: "https://x.example"},
		"no event": {Name: "a", URL: "https://x.example", Types: []string{"Dance"}},
	} {
		var cs checks
		Chain{Events: []Route{r}}.routeFaults(&cs)
		if len(cs) == 0 {
			t.Errorf("%s: no fault", name)
		}
	}
}

// linked says whether a resource is the artifacts of SNOS or of aggregator batches, and nothing else.
func linked(on string) bool {
	return !strings.Contains(on, resource.SignedTransactions) &&
		(strings.Contains(on, `"/`+resource.SnosArtifacts+`*"`) ||
			strings.Contains(on, `"/`+resource.AggregatorArtifacts+`*"`))
}

// Without links the API may read no artifact; with them it may read those of batches.
func TestLinksNeedTheSetting(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		reads := 0
		s.grants(func(function, action, on string) {
			if function == resource.FnAPI && action == "s3:GetObject" {
				reads++
				if !linked(on) {
					t.Errorf("api reads %s", on)
				}
			}
		})
		if want := map[bool]int{true: 2, false: 0}[s.chain.links()]; reads != want {
			t.Errorf("api reads %d prefixes of artifacts, want %d", reads, want)
		}
	})
	for age, want := range map[string]bool{"": true, "0s": false, "1h": true} {
		c := Chain{Settings: map[string]string{"LINK_AGE": age}}
		if got := c.links(); got != want {
			t.Errorf("LINK_AGE=%q: links %t, want %t", age, got, want)
		}
	}
}

// Whoever holds the credentials of what answers requests can't sign, run, read or write artifacts, take messages away,
// or become anybody else.
func TestAttackOnTheAPI(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		for _, x := range attackFaults(s) {
			t.Error(x)
		}
		for action, what := range attempts { // each attempt is found where it would succeed
			bad := s.copied(t)
			grant(t, bad, "RoleApi", action, "*")
			if found := attackFaults(bad); len(found) == 0 || !strings.Contains(found[0], what) {
				t.Errorf("a role that may %s is not found: %q", action, found)
			}
		}
		if word := s.chain.Settings["SETTLEMENT_KEY_SECRET"]; word != "" {
			bad := s.copied(t)
			grant(t, bad, "RoleHooks", "secretsmanager:GetSecretValue", map[string]any{"Ref": "Secret" + title(word)})
			if found := attackFaults(bad); len(found) != 1 {
				t.Errorf("a role that reads the wallet's key is not found: %q", found)
			}
		}
	})
}

// grant adds a statement to a role's policy.
func grant(t *testing.T, s template, role, action string, on any) {
	t.Helper()
	for id, p := range s.of("AWS::IAM::Policy") {
		if strings.HasPrefix(id, role+"DefaultPolicy") {
			document := p["PolicyDocument"].(map[string]any)
			document["Statement"] = append(list(document["Statement"]), map[string]any{
				"Action": action, "Resource": on, "Effect": "Allow",
			})
			return
		}
	}
	b, _ := json.Marshal(s.of("AWS::IAM::Policy"))
	t.Fatalf("no policy of %s in %.200s", role, b)
}
