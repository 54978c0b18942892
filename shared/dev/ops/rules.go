package ops

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/madara-orchestrator/orchestrator/shared/client/eventbridge"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// errNoBus says that the deployment has no bus that can be asked.
var errNoBus = errors.New("the event bus is asked with your AWS credentials: say CHAIN=mychain; make run has none")

// rules lists, enables or disables the rules of the deployment's bus.
func (s *session) rules() (int, error) {
	if s.router == nil {
		return Usage, errNoBus
	}
	if len(s.args) > 0 {
		change := s.router.Enable
		switch {
		case len(s.args) != 2 || s.args[0] != "enable" && s.args[0] != "disable":
			return Usage, errors.New("want rules, rules enable NAME, or rules disable NAME")
		case s.args[0] == "disable":
			change = s.router.Disable
		}
		err := change(s.ctx, s.args[1])
		if errors.Is(err, event.ErrNoRule) {
			return Unknown, err
		}
		if err != nil {
			return Unreachable, err
		}
	}
	all, err := s.router.Rules(s.ctx)
	if err != nil {
		return Unreachable, err
	}
	if s.json {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		return OK, e.Encode(all)
	}
	printRules(s.out, all)
	return OK, nil
}

func printRules(w io.Writer, all []event.Rule) {
	if len(all) == 0 {
		fmt.Fprintln(w, "events go nowhere: `events` in the file of chains routes them")
		return
	}
	rows := [][]string{{"rule", "state", "events", "to"}}
	for _, r := range all {
		state, what := "enabled", "all"
		if r.Disabled {
			state = "disabled"
		}
		if len(r.Types) > 0 {
			what = names(r.Types)
		}
		for i, target := range r.Targets {
			part := strings.Split(target, ":")
			to := part[min(2, len(part)-1)] + " " + part[len(part)-1] // the service and the name
			if i > 0 {
				rows = append(rows, []string{"", "", "", to})
				continue
			}
			rows = append(rows, []string{r.Name, state, what, to})
		}
	}
	table(w, rows)
}

// tail is what the events of a bus come to: a queue and a rule of this program's own.
type tail struct {
	router event.Router
	api    *awssqs.Client
	url    string
	name   string
}

// openTail makes the queue and the rule.
func openTail(ctx context.Context, cfg aws.Config, chain string, router event.Router) (*tail, error) {
	t := &tail{router: router, api: awssqs.NewFromConfig(cfg), name: resource.Physical(chain, "tail-"+rand.Text()[:8])}
	made, err := t.api.CreateQueue(ctx, &awssqs.CreateQueueInput{QueueName: &t.name,
		Attributes: map[string]string{"MessageRetentionPeriod": "600"}})
	if err != nil {
		return nil, fmt.Errorf("make a queue for the events: %w", err)
	}
	t.url = aws.ToString(made.QueueUrl)
	is, err := t.api.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{QueueUrl: &t.url,
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn}})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the queue for the events: %w", err), t.close(ctx))
	}
	arn := is.Attributes["QueueArn"]
	account := strings.Split(arn+":::::", ":")[4] // arn:partition:sqs:region:account:name
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]string{"Service": "events.amazonaws.com"},
		"Action": "sqs:SendMessage", "Resource": arn,
		"Condition": map[string]any{"StringEquals": map[string]string{"aws:SourceAccount": account}},
	}}})
	if err == nil {
		_, err = t.api.SetQueueAttributes(ctx, &awssqs.SetQueueAttributesInput{QueueUrl: &t.url,
			Attributes: map[string]string{"Policy": string(policy)}})
	}
	if err == nil {
		err = router.Put(ctx, event.Rule{Name: t.name, Targets: []string{arn}})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("route the events: %w", err), t.close(ctx))
	}
	return t, nil
}

// close removes queue and rule; it goes on where one is not there.
func (t *tail) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	_, err := t.api.DeleteQueue(ctx, &awssqs.DeleteQueueInput{QueueUrl: &t.url})
	return errors.Join(t.router.Delete(ctx, t.name), err)
}

// next are the events that came, waiting for one some seconds.
func (t *tail) next(ctx context.Context) ([]json.RawMessage, error) {
	const atOnce, wait = 10, 5
	got, err := t.api.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{QueueUrl: &t.url, MaxNumberOfMessages: atOnce,
		WaitTimeSeconds: wait})
	if err != nil {
		return nil, err
	}
	var out []json.RawMessage
	for _, m := range got.Messages {
		out = append(out, json.RawMessage(aws.ToString(m.Body)))
		if _, err := t.api.DeleteMessage(ctx, &awssqs.DeleteMessageInput{QueueUrl: &t.url,
			ReceiptHandle: m.ReceiptHandle}); err != nil {
			return out, err
		}
	}
	return out, nil
}

// tailBus prints the events of the bus as they come.
func (s *session) tailBus() (code int, err error) {
	if s.router == nil {
		return Usage, errNoBus
	}
	opening, opened := s.whole(addTime)
	t, err := openTail(opening.ctx, s.cfg, s.chain, s.router)
	opened()
	if err != nil {
		return Unreachable, err
	}
	defer func() {
		if cerr := t.close(s.ctx); cerr != nil { // also after Ctrl-C: what stays must be known
			fmt.Fprintf(s.errs, "the rule and the queue %s may be left, delete them: %v\n", t.name, cerr)
			code = Unreachable
		}
	}()
	if !s.json {
		fmt.Fprintln(s.out, "events of the bus from now on; end it with Ctrl-C")
	}
	ctx := s.ctx
	if s.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.length)
		defer cancel()
	}
	for ctx.Err() == nil {
		some, err := t.next(ctx)
		for _, x := range some {
			s.tailed(x)
		}
		if err != nil && ctx.Err() == nil {
			return Unreachable, fmt.Errorf("receive events: %w", err)
		}
	}
	return OK, nil
}

// tailed prints one event.
func (s *session) tailed(raw json.RawMessage) {
	var x struct {
		Detail event.Event `json:"detail"`
	}
	if json.Unmarshal(raw, &x) != nil || s.json {
		fmt.Fprintln(s.out, strings.Join(strings.Fields(string(raw)), " "))
		return
	}
	e := x.Detail
	text := string(e.Type)
	if e.JobType != "" {
		text += " " + e.JobType
	}
	if e.Batch != 0 {
		text += fmt.Sprintf(" of batch %d", e.Batch)
	}
	for _, more := range []string{e.Status, e.Detail["stage"], e.Detail["reason"]} {
		if more != "" {
			text += ": " + more
		}
	}
	wrap(s.out, e.At.UTC().Format(time.TimeOnly)+"  ", text)
}

// openBus opens the deployment's bus with the user's own credentials.
func (s *session) openBus(cfg aws.Config, chain string) {
	s.cfg, s.chain = cfg, chain
	s.router = eventbridge.NewRules(cfg, resource.Physical(chain, resource.EventBus))
}
