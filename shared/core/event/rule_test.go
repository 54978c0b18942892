package event_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/event"
)

func TestRuleCheck(t *testing.T) {
	t.Parallel()
	const queue = "arn:aws:sqs:eu-west-1:123456789012:settled"
	good := event.Rule{Name: "settled", Types: []event.Type{event.BatchSettled}, Targets: []string{queue}}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*event.Rule){
		"no name":         func(r *event.Rule) { r.Name = "" },
		"long name":       func(r *event.Rule) { r.Name = strings.Repeat("x", 65) },
		"space in name":   func(r *event.Rule) { r.Name = "my rule" },
		"unknown event":   func(r *event.Rule) { r.Types = append(r.Types, "BatchSold") },
		"no target":       func(r *event.Rule) { r.Targets = nil },
		"six targets":     func(r *event.Rule) { r.Targets = slices.Repeat([]string{queue}, 6) },
		"no ARN":          func(r *event.Rule) { r.Targets = []string{"settled"} },
		"no account":      func(r *event.Rule) { r.Targets = []string{"arn:aws:sqs:eu-west-1::settled"} },
		"space in an ARN": func(r *event.Rule) { r.Targets = []string{queue + " 2"} },
	} {
		bad := good
		change(&bad)
		if err := bad.Check(); !errors.Is(err, event.ErrRule) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
