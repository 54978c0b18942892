package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// commands are those of an operator, through the API alone.
func (d *deployment) commands() {
	d.t.Helper()
	d.ask("POST", "/stages/ProofCreation/pause", `{"reason":"the prover is upgraded"}`, 200)
	if answer := d.ask("GET", "/stages", "", 200); !strings.Contains(answer, "the prover is upgraded") {
		d.t.Errorf("a paused stage shows as %s", answer)
	}
	d.ask("POST", "/stages/ProofCreation/resume", `{"reason":"it is there again"}`, 200)
	d.ask("POST", "/stages/AggregatorBatching/requeue", `{"reason":"new blocks"}`, 200)
	d.ask("POST", "/stages/StorageCleanup/requeue", `{"reason":"now"}`, 200)
	const mail = "second@example.org"
	d.ask("POST", "/subscribers/add", `{"endpoint":"`+mail+`"}`, 200)
	if answer := d.ask("GET", "/subscribers", "", 200); !strings.Contains(answer, mail) {
		d.t.Errorf("who gets the alerts: %s", answer)
	}
	d.ask("POST", "/subscribers/confirm", `{"token":"guessed"}`, 400)
	d.ask("POST", "/subscribers/"+alert.SubscriberID(alert.Email, mail)+"/remove", "", 200)
	for _, path := range []string{"/lag", "/batches", "/openapi.yaml"} {
		d.ask("GET", path, "", 200)
	}
	var page struct {
		Jobs []struct{ ID string } `json:"jobs"`
	}
	err := json.Unmarshal([]byte(d.ask("GET", "/jobs?limit=100", "", 200)), &page)
	if err != nil || len(page.Jobs) == 0 {
		d.t.Fatalf("%d jobs, %v", len(page.Jobs), err)
	}
	for _, path := range []string{"/stages/ProofCreation/pause", "/jobs/" + page.Jobs[0].ID + "/retry"} {
		if status := d.unsigned("POST", path, `{"reason":"x"}`); status != 403 {
			d.t.Errorf("an unsigned command is answered %d, want 403", status)
		}
	}
}

// priorityQueue is the queue that a message is poisoned in: what waits there has no other message beside it.
const priorityQueue = resource.PriorityVerifyQueue

// poisoned sends what nobody can read to a queue. After five deliveries it is a dead letter, of which the subscribed
// operators are alerted, once. On the deployed queue that takes an hour, so the time until a message is visible again
// is shortened meanwhile.
func (d *deployment) poisoned() {
	d.t.Helper()
	operators := d.subscribe()
	u := d.visibility("1")
	_, err := awssqs.NewFromConfig(d.is.cfg).SendMessage(d.t.Context(),
		&awssqs.SendMessageInput{QueueUrl: u, MessageBody: aws.String("POISON {")})
	if err != nil {
		d.t.Fatal(err)
	}
	got := func() []string { return d.f.receiver.with(operators, "Notification ", "POISON") }
	d.until("alerted", 2*time.Minute, func(context.Context) bool { return len(got()) > 0 })
	if n := len(got()); n != 1 {
		d.t.Errorf("%d alerts of one dead letter: %q", n, got())
	}
	if logged := d.log("dead letter"); !strings.Contains(logged, "POISON") {
		d.t.Errorf("the dead letter is not in the log: %s", logged)
	}
	for _, q := range resource.Queues() {
		if q.Name == priorityQueue {
			d.visibility(fmt.Sprint(int(q.Visibility.Seconds())))
		}
	}
}

// passedOn sends a wake-up of a job to a priority queue, past its stage's: the trigger function invokes the stage's.
func (d *deployment) passedOn() {
	d.t.Helper()
	js, err := d.DB.Jobs().List(d.t.Context(), job.Filter{Type: job.StateTransition, Limit: 1})
	if err != nil || len(js) != 1 {
		d.t.Fatalf("%d jobs, %v", len(js), err)
	}
	m := job.Message{JobID: js[0].ID, Type: js[0].Type, Action: job.Verify, Generation: js[0].Generation}
	if err := d.Queues.Send(d.t.Context(), resource.Physical(d.options.Name, priorityQueue),
		queue.Outgoing{Body: m.Encode()}); err != nil {
		d.t.Fatal(err)
	}
	d.until("passed on", time.Minute, func(context.Context) bool { return d.messages(priorityQueue) == 0 })
}

// subscribe lets the operators' receiver hear of alerts, and returns its path. The template has a subscription too, but
// the emulator's CloudFormation never sends its confirmation, without which nothing is delivered.
func (d *deployment) subscribe() string {
	d.t.Helper()
	path := d.options.Name + "-direct"
	_, err := awssns.NewFromConfig(d.is.cfg).Subscribe(d.t.Context(), &awssns.SubscribeInput{
		TopicArn: &d.TopicARN, Protocol: aws.String("https"), Endpoint: aws.String(d.f.receiver.URL + "/" + path),
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.until("asked to confirm", time.Minute, func(context.Context) bool {
		return len(d.f.receiver.with(path, "SubscriptionConfirmation ")) > 0
	})
	return path
}

// visibility changes how long a message that was not taken stays invisible.
func (d *deployment) visibility(seconds string) *string {
	d.t.Helper()
	api := awssqs.NewFromConfig(d.is.cfg)
	u, err := api.GetQueueUrl(d.t.Context(),
		&awssqs.GetQueueUrlInput{QueueName: aws.String(resource.Physical(d.options.Name, priorityQueue))})
	if err == nil {
		_, err = api.SetQueueAttributes(d.t.Context(), &awssqs.SetQueueAttributesInput{
			QueueUrl: u.QueueUrl, Attributes: map[string]string{"VisibilityTimeout": seconds},
		})
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return u.QueueUrl
}
