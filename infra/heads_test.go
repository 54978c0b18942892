package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// A schedule starts the function each minute, it outlives that minute, and it may wake the trigger and read URLs of
// nodes: nothing else.
func TestHeads(t *testing.T) {
	s := kafkaTemplate(t, "own")
	var found bool
	for fid, p := range s.of("AWS::Lambda::Function") {
		if p["FunctionName"] != "own-heads" {
			continue
		}
		found = true
		if timeout := p["Timeout"].(float64); timeout <= resource.HeadsEvery.Seconds() ||
			p["ReservedConcurrentExecutions"].(float64) < 2 {
			t.Errorf("it runs %v seconds, %v at a time", timeout, p["ReservedConcurrentExecutions"])
		}
		for _, c := range s.of("AWS::Lambda::EventInvokeConfig") {
			if id(c["FunctionName"]) == fid && c["MaximumRetryAttempts"].(float64) != 0 {
				t.Errorf("a start that failed is repeated: %s", text(c))
			}
		}
	}
	starts := 0
	for _, p := range s.of("AWS::Scheduler::Schedule") {
		if strings.Contains(text(p["Target"]), `listen`) {
			starts++
			if p["ScheduleExpression"] != "rate(1 minute)" {
				t.Errorf("schedule %s", text(p))
			}
		}
	}
	if !found || starts != 1 {
		t.Errorf("the function is there: %t; %d schedules", found, starts)
	}
	if got := s.may(resource.FnHeads, "secretsmanager:GetSecretValue"); len(got) != 3 {
		t.Errorf("it may read %q, want the websocket's URL, the brokers' password and their authority", got)
	}
	for _, action := range []string{"s3:GetObject", "sns:Publish", "events:PutEvents", "kms:Sign",
		"lambda:InvokeFunction"} {
		if got := s.may(resource.FnHeads, action); len(got) != 0 {
			t.Errorf("it may %s on %q", action, got)
		}
	}
	alarms := map[string]bool{}
	for _, p := range s.of("AWS::CloudWatch::Alarm") {
		alarms[fmt.Sprint(p["AlarmName"])] = true
	}
	for name, want := range map[string]bool{"own-SlowHeads": false, "own-ErrorsHeads": true, "own-SlowApi": true} {
		if alarms[name] != want { // it listens until its time is nearly over, so it is never fast
			t.Errorf("alarm %s: %t, want %t", name, alarms[name], want)
		}
	}
	for _, f := range functionsOf(kafkaTemplate(t, "msk").chain) {
		if f.Name == resource.FnHeads {
			t.Error("a chain that does not ask for it has the function heads")
		}
	}
}

// The function and its node belong together.
func TestHeadsFaults(t *testing.T) {
	const id = "CHAIN_ID: GAME"
	node := func(url string) string { return id + "\n      CHAIN_WEBSOCKET: " + url }
	for name, tt := range map[string]struct{ old, new, want string }{
		"no node": {"layer: l3", "layer: l3\n    heads: true",
			"own: heads: true: heads: true and settings.CHAIN_WEBSOCKET"},
		"no function":    {id, node("wss://rpc.example"), "own: heads: false"},
		"not encrypted":  {id, node("ws://rpc.example"), "in prod want wss://"},
		"no websocket":   {id, node("https://rpc.example"), "not a ws or wss URL"},
		"misspelt field": {"layer: l3", "layer: l3\n    head: true", "did you mean heads?"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(strings.NewReader(strings.Replace(brokers, tt.old, tt.new, 1)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if !slices.ContainsFunc(resource.Functions(), func(f resource.Function) bool { return f.Optional }) {
		t.Error("no function is optional")
	}
}
