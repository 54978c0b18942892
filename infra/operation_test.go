package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// operation are rules of what AWS does to functions that work, by name. Each returns what is wrong with a stack, and
// each is seen to fail on a stack that is made bad.
var operation = map[string]func(s template) []string{
	"recursion": recursionFaults, "concurrency": concurrencyFaults, "logs": logFaults,
	"secrets": plainSecretFaults, "traces": traceFaults,
}

func TestOperation(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		for _, name := range slices.Sorted(maps.Keys(operation)) {
			for _, x := range operation[name](s) {
				t.Errorf("%s: %s", name, x)
			}
		}
	})
}

// TestBadStacks makes one thing bad in a good stack; the rule must say so.
func TestBadStacks(t *testing.T) {
	all, err := templates()
	if err != nil {
		t.Fatal(err)
	}
	function := func(s template, name string) map[string]any {
		for _, p := range s.of("AWS::Lambda::Function") {
			if p["FunctionName"] == resource.Physical(s.chain.Name, name) {
				return p
			}
		}
		t.Fatalf("no function %s", name)
		return nil
	}
	for name, tt := range map[string]struct {
		rule, stack, want string
		spoil             func(s template)
	}{
		"a poller may not recurse": {"recursion", "l2", "snosrun",
			func(s template) { delete(function(s, "snosrun"), "RecursiveLoop") }},
		"the last to be thought of": {"recursion", "l2", "jobfailure", func(s template) {
			function(s, "jobfailure")["RecursiveLoop"] = "Terminate"
		}},
		"the api may recurse": {"recursion", "l2", "api",
			func(s template) { function(s, "api")["RecursiveLoop"] = "Allow" }},
		"too few reserved": {"concurrency", "l2", "statetransition", func(s template) {
			// its two mappings, without the priority queues
			function(s, "statetransition")["ReservedConcurrentExecutions"] = 4.0
		}},
		"one more mapping": {"concurrency", "l3", "statetransition", func(s template) {
			for _, m := range s.of("AWS::Lambda::EventSourceMapping") {
				if strings.Contains(text(m["FunctionName"]), "Statetransition") {
					m["ScalingConfig"].(map[string]any)["MaximumConcurrency"] = 5.0
				}
			}
		}},
		"text logs": {"logs", "l2", "trigger", func(s template) { delete(function(s, "trigger"), "LoggingConfig") }},
		"a URL with a key": {"secrets", "keys", "ORCHESTRATOR_CHAIN_RPC", func(s template) {
			vars(function(s,
				"trigger"))["ORCHESTRATOR_CHAIN_RPC"] = "https://node.example/v2/0123456789abcdef0123456789abcdef"
		}},
		"a URL with a password": {"secrets", "l2", "ORCHESTRATOR_REDIS_URL", func(s template) {
			vars(function(s, "api"))["ORCHESTRATOR_REDIS_URL"] = "rediss://:hunter2@cache.example:6379"
		}},
		"a role that may not read it": {"secrets", "keys", "statetransition", func(s template) {
			for id, p := range s.of("AWS::IAM::Policy") {
				if strings.HasPrefix(id, "RoleStatetransition") {
					p["PolicyDocument"] = map[string]any{"Statement": []any{}}
				}
			}
		}},
		"a role that may read more": {"secrets", "keys", "jobfailure", func(s template) {
			for id, p := range s.of("AWS::IAM::Policy") {
				if strings.HasPrefix(id, "RoleJobfailure") {
					p["PolicyDocument"].(map[string]any)["Statement"] = append(
						list(p["PolicyDocument"].(map[string]any)["Statement"]),
						map[string]any{"Action": "secretsmanager:GetSecretValue",
							"Resource": map[string]any{"Ref": "SecretNode"}})
				}
			}
		}},
		"no traces": {"traces", "keys", "snosrun",
			func(s template) { delete(function(s, "snosrun"), "TracingConfig") }},
		"traces for none": {"traces", "l2", "snosrun",
			func(s template) { function(s, "snosrun")["TracingConfig"] = map[string]any{"Mode": "Active"} }},
		"a role that can't": {"traces", "keys", "snosrun", func(s template) {
			for id, p := range s.of("AWS::IAM::Policy") {
				if strings.HasPrefix(id, "RoleSnosrun") {
					p["PolicyDocument"] = map[string]any{"Statement": []any{}}
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bad := all[tt.stack].copied(t)
			tt.spoil(bad)
			found := operation[tt.rule](bad)
			if !slices.ContainsFunc(found, func(x string) bool { return strings.Contains(x, tt.want) }) {
				t.Errorf("the rule %q does not name %s, it says %q", tt.rule, tt.want, found)
			}
		})
	}
}

// copied is a template that may be changed.
func (s template) copied(t *testing.T) template {
	t.Helper()
	out := template{chain: s.chain, raw: s.raw}
	if err := json.Unmarshal(s.raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// vars are a function's variables.
func vars(function map[string]any) map[string]any {
	return function["Environment"].(map[string]any)["Variables"].(map[string]any)
}

// ofRole is the function whose role a policy is of; "" for another role's.
func (s template) ofRole(policy string) string {
	for id, p := range s.of("AWS::Lambda::Function") {
		if strings.HasPrefix(policy, strings.Replace(trimHash(id), "Function", "Role", 1)+"DefaultPolicy") {
			return strings.TrimPrefix(fmt.Sprint(p["FunctionName"]), s.chain.Name+"-")
		}
	}
	return ""
}

// trimHash takes the eight characters off that the CDK puts behind a logical id.
func trimHash(id string) string { return id[:max(0, len(id)-8)] }

// grants calls f for each action that a function's role may do, with the resource as text.
func (s template) grants(f func(function, action, on string)) {
	for id, p := range s.of("AWS::IAM::Policy") {
		function := s.ofRole(id)
		if function == "" {
			continue
		}
		for _, raw := range list(p["PolicyDocument"].(map[string]any)["Statement"]) {
			st := raw.(map[string]any)
			for _, a := range list(st["Action"]) {
				for _, r := range list(st["Resource"]) {
					f(function, fmt.Sprint(a), text(r))
				}
			}
		}
	}
}

// consumers are the functions that read queues, by the queue's logical id, with how many invocations the mapping starts
// at a time.
func (s template) consumers() map[string]map[string]int {
	functions := s.of("AWS::Lambda::Function")
	out := map[string]map[string]int{}
	for _, m := range s.of("AWS::Lambda::EventSourceMapping") {
		q := id(m["EventSourceArn"])
		f := strings.TrimPrefix(fmt.Sprint(functions[id(m["FunctionName"])]["FunctionName"]), s.chain.Name+"-")
		if out[q] == nil {
			out[q] = map[string]int{}
		}
		out[q][f] += int(m["ScalingConfig"].(map[string]any)["MaximumConcurrency"].(float64))
	}
	return out
}

// recursionFaults wants RecursiveLoop: Allow on exactly the functions that may start themselves, as roles, mappings and
// dead-letter queues say: Lambda ends a chain of requests through SQS and Lambda after 16 rounds (AWS Lambda, "Use
// Lambda recursive loop detection to prevent infinite loops").
func recursionFaults(s template) (out []string) {
	queues, consumers := s.of("AWS::SQS::Queue"), s.consumers()
	next := map[string][]string{}
	s.grants(func(function, action, on string) {
		switch action {
		case "sqs:SendMessage":
			for q, p := range queues {
				if !strings.Contains(on, `"`+q+`"`) {
					continue
				}
				next[function] = append(next[function], slices.Collect(maps.Keys(consumers[q]))...)
				for dead := range queues {
					if strings.Contains(text(p["RedrivePolicy"]), `"`+dead+`"`) {
						next[function] = append(next[function], slices.Collect(maps.Keys(consumers[dead]))...)
					}
				}
			}
		case "lambda:InvokeFunction":
			for fid, f := range s.of("AWS::Lambda::Function") {
				if strings.Contains(on, `"`+fid+`"`) {
					next[function] = append(next[function],
						strings.TrimPrefix(fmt.Sprint(f["FunctionName"]), s.chain.Name+"-"))
				}
			}
		}
	})
	for _, p := range s.of("AWS::Lambda::Function") {
		name := strings.TrimPrefix(fmt.Sprint(p["FunctionName"]), s.chain.Name+"-")
		reached, todo := map[string]bool{}, next[name]
		for len(todo) > 0 {
			f := todo[0]
			todo = todo[1:]
			if !reached[f] {
				reached[f] = true
				todo = append(todo, next[f]...)
			}
		}
		if allowed := p["RecursiveLoop"] == "Allow"; allowed != reached[name] {
			out = append(out,
				fmt.Sprintf("%s starts itself: %t, RecursiveLoop is %v", name, reached[name], p["RecursiveLoop"]))
		}
	}
	return out
}

// concurrencyFaults wants a reserved concurrency to be at least what mappings may start at a time, and what the
// functions with jobs are passed from the priority queues by trigger.
func concurrencyFaults(s template) (out []string) {
	most := map[string]int{}
	priority := 0
	for q, fs := range s.consumers() {
		for f, n := range fs {
			most[f] += n
			if strings.Contains(fmt.Sprint(s.of("AWS::SQS::Queue")[q]["QueueName"]), "-priority-") {
				priority += n
			}
		}
	}
	invoked := map[string]bool{}
	s.grants(func(_, action, on string) {
		for fid, f := range s.of("AWS::Lambda::Function") {
			if action == "lambda:InvokeFunction" && strings.Contains(on, `"`+fid+`"`) {
				invoked[strings.TrimPrefix(fmt.Sprint(f["FunctionName"]), s.chain.Name+"-")] = true
			}
		}
	})
	if priority == 0 || len(invoked) == 0 {
		out = append(out, "no priority queues were found")
	}
	for _, p := range s.of("AWS::Lambda::Function") {
		name := strings.TrimPrefix(fmt.Sprint(p["FunctionName"]), s.chain.Name+"-")
		if invoked[name] {
			most[name] += priority
		}
		if reserved, ok := p["ReservedConcurrentExecutions"].(float64); ok && int(reserved) < most[name] {
			out = append(out, fmt.Sprintf("%s reserves %v, %d may start at a time", name, reserved, most[name]))
		}
	}
	return out
}

// logFaults wants Lambda's own lines as JSON too: one query reads a whole log.
func logFaults(s template) (out []string) {
	for _, p := range s.of("AWS::Lambda::Function") {
		if c, _ := p["LoggingConfig"].(map[string]any); c["LogFormat"] != "JSON" || c["LogGroup"] == nil {
			out = append(out, fmt.Sprintf("%v logs as %s", p["FunctionName"], text(c)))
		}
	}
	return out
}

// plainSecretFaults wants no key in any variable, and each secret that a setting names readable by exactly the roles
// that resource.AccessOf gives it.
func plainSecretFaults(s template) (out []string) {
	for _, p := range s.of("AWS::Lambda::Function") {
		for k, v := range vars(p) {
			if what := config.KeyIn(fmt.Sprint(v)); what != "" {
				out = append(out, fmt.Sprintf("%v: the variable %s holds %s", p["FunctionName"], k, what))
			}
		}
	}
	may := map[string]map[string]bool{}
	s.grants(func(function, action, on string) {
		if action == "secretsmanager:GetSecretValue" {
			if may[function] == nil {
				may[function] = map[string]bool{}
			}
			may[function][on] = true
		}
	})
	for _, f := range functionsOf(s.chain) {
		want := map[string]bool{}
		for _, kind := range s.chain.accessOf(f.Name).Secrets {
			for _, word := range s.chain.secretsOf(kind) {
				want[word] = true
			}
		}
		if len(want) != len(may[f.Name]) {
			out = append(out, fmt.Sprintf("%s may read %d secrets, want %d", f.Name, len(may[f.Name]), len(want)))
		}
	}
	return out
}

// traceFaults wants traces of every function, and roles that may send them, where the chain asks for them, and nowhere
// else.
func traceFaults(s template) (out []string) {
	may := map[string]bool{}
	s.grants(func(function, action, _ string) { may[function] = may[function] || action == "xray:PutTraceSegments" })
	for _, p := range s.of("AWS::Lambda::Function") {
		name := strings.TrimPrefix(fmt.Sprint(p["FunctionName"]), s.chain.Name+"-")
		active := strings.Contains(text(p["TracingConfig"]), `"Active"`)
		if active != s.chain.Tracing || may[name] != s.chain.Tracing {
			out = append(out,
				fmt.Sprintf("%s: traces %t, may send them %t, want %t", name, active, may[name], s.chain.Tracing))
		}
	}
	return out
}
