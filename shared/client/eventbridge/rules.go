package eventbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/madara-orchestrator/orchestrator/shared/core/event"
)

// Rules are the rules of a bus: an event.Router.
type Rules struct {
	api *eventbridge.Client
	bus string
}

var _ event.Router = (*Rules)(nil)

// NewRules returns the rules of the bus with a name or ARN. It makes no request.
func NewRules(cfg aws.Config, bus string) *Rules {
	return &Rules{api: eventbridge.NewFromConfig(cfg), bus: bus}
}

// pattern chooses our events.
type pattern struct {
	Source     []string     `json:"source"`
	DetailType []event.Type `json:"detail-type,omitempty"`
}

// Pattern is the pattern of a rule for events of some types; none: all of ours.
func Pattern(types []event.Type) string {
	b, err := json.Marshal(pattern{Source: []string{event.Source}, DetailType: types})
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(b)
}

// onRule turns EventBridge's errors into the port's.
func onRule(what, name string, err error) error {
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return fmt.Errorf("%s rule %s: %w", what, name, event.ErrNoRule)
	}
	return fmt.Errorf("%s rule %s: %w", what, name, err)
}

// Put implements event.Router.
func (r *Rules) Put(ctx context.Context, x event.Rule) error {
	if err := x.Check(); err != nil {
		return err
	}
	state := types.RuleStateEnabled
	if x.Disabled {
		state = types.RuleStateDisabled
	}
	if _, err := r.api.PutRule(ctx, &eventbridge.PutRuleInput{Name: &x.Name, EventBusName: &r.bus,
		EventPattern: aws.String(Pattern(x.Types)), State: state}); err != nil {
		return onRule("put", x.Name, err)
	}
	is, err := r.targets(ctx, x.Name)
	if err != nil {
		return err
	}
	in := &eventbridge.PutTargetsInput{Rule: &x.Name, EventBusName: &r.bus}
	old := map[string]bool{}
	for id := range is {
		old[id] = true
	}
	for i, target := range x.Targets {
		id := fmt.Sprintf("target-%d", i)
		in.Targets = append(in.Targets, types.Target{Id: aws.String(id), Arn: aws.String(target)})
		delete(old, id)
	}
	out, err := r.api.PutTargets(ctx, in)
	if err != nil {
		return onRule("put targets of", x.Name, err)
	}
	for _, f := range out.FailedEntries {
		return fmt.Errorf("put targets of rule %s: %w: %s", x.Name, event.ErrRule, aws.ToString(f.ErrorMessage))
	}
	return r.forget(ctx, x.Name, old)
}

// targets are the targets of a rule, by id.
func (r *Rules) targets(ctx context.Context, name string) (map[string]string, error) {
	out, err := r.api.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &name, EventBusName: &r.bus})
	if err != nil {
		return nil, onRule("list targets of", name, err)
	}
	ids := map[string]string{}
	for _, t := range out.Targets { // a rule has five at most
		ids[aws.ToString(t.Id)] = aws.ToString(t.Arn)
	}
	return ids, nil
}

// forget removes targets.
func (r *Rules) forget(ctx context.Context, name string, ids map[string]bool) error {
	if len(ids) == 0 {
		return nil
	}
	in := &eventbridge.RemoveTargetsInput{Rule: &name, EventBusName: &r.bus, Ids: slices.Sorted(maps.Keys(ids))}
	if _, err := r.api.RemoveTargets(ctx, in); err != nil {
		return onRule("remove targets of", name, err)
	}
	return nil
}

// Rules implements event.Router.
func (r *Rules) Rules(ctx context.Context) ([]event.Rule, error) {
	out := []event.Rule{}
	in := &eventbridge.ListRulesInput{EventBusName: &r.bus}
	for {
		page, err := r.api.ListRules(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("list rules of %s: %w", r.bus, err)
		}
		for _, x := range page.Rules {
			is := event.Rule{Name: aws.ToString(x.Name), Disabled: x.State == types.RuleStateDisabled}
			var p pattern
			if json.Unmarshal([]byte(aws.ToString(x.EventPattern)), &p) == nil &&
				slices.Equal(p.Source, []string{event.Source}) {
				is.Types = p.DetailType
			}
			targets, err := r.targets(ctx, is.Name)
			if err != nil {
				return nil, err
			}
			is.Targets = slices.Sorted(maps.Values(targets))
			out = append(out, is)
		}
		if in.NextToken = page.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
	}
	slices.SortFunc(out, func(a, b event.Rule) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// there returns ErrNoRule where there is no such rule: an emulator enables what is not there.
func (r *Rules) there(ctx context.Context, name string) error {
	_, err := r.api.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: &name, EventBusName: &r.bus})
	if err != nil {
		return onRule("look at", name, err)
	}
	return nil
}

// Enable implements event.Router.
func (r *Rules) Enable(ctx context.Context, name string) error {
	if err := r.there(ctx, name); err != nil {
		return err
	}
	_, err := r.api.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: &name, EventBusName: &r.bus})
	if err != nil {
		return onRule("enable", name, err)
	}
	return nil
}

// Disable implements event.Router.
func (r *Rules) Disable(ctx context.Context, name string) error {
	if err := r.there(ctx, name); err != nil {
		return err
	}
	_, err := r.api.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: &name, EventBusName: &r.bus})
	if err != nil {
		return onRule("disable", name, err)
	}
	return nil
}

// Delete implements event.Router. A rule's targets go first: EventBridge deletes no rule that has some.
func (r *Rules) Delete(ctx context.Context, name string) error {
	is, err := r.targets(ctx, name)
	if errors.Is(err, event.ErrNoRule) {
		return nil
	}
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for id := range is {
		ids[id] = true
	}
	if err := r.forget(ctx, name, ids); err != nil && !errors.Is(err, event.ErrNoRule) {
		return err
	}
	if _, err := r.api.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &name, EventBusName: &r.bus}); err != nil {
		if err = onRule("delete", name, err); !errors.Is(err, event.ErrNoRule) {
			return err
		}
	}
	return nil
}
