package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/eventbridge"
	"github.com/madara-orchestrator/orchestrator/shared/client/kafka"
	"github.com/madara-orchestrator/orchestrator/shared/client/lru"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/client/redis"
	"github.com/madara-orchestrator/orchestrator/shared/client/s3"
	"github.com/madara-orchestrator/orchestrator/shared/client/sns"
	"github.com/madara-orchestrator/orchestrator/shared/client/sqs"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
	"github.com/madara-orchestrator/orchestrator/shared/setup/topics"
)

// chainName is the deployment's name in a local run.
const chainName = "local"

// pace is how much faster than in the cloud jobs are polled and schedules fire.
const pace = 40

// ports are what the functions keep their data in: in memory, or the real parts that the user named.
type ports struct {
	core   setup.App
	queues queue.Queue
	cache  *lru.Cache
	timers schedule.Scheduler
	about  []string // the real parts
	close  func()
}

// openPorts connects what the options name and keeps the rest in memory.
func openPorts(ctx context.Context, o options, log *slog.Logger) (*ports, error) {
	p, err := memoryPorts(o, log)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(p.mongo(ctx, o), p.aws(ctx, o), p.redis(ctx, o), p.kafka(ctx, o)); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func memoryPorts(o options, log *slog.Logger) (*ports, error) {
	var env *fault.Env
	if h := o.fail.hook(); h != nil {
		env = &fault.Env{Hook: h}
	}
	var ds []memory.Declaration
	for _, q := range resource.Queues() {
		ds = append(ds, memory.Declaration{Name: q.Name, Visibility: q.Visibility,
			MaxReceives: q.MaxReceives, DeadLetter: q.DeadLetter})
	}
	qs, err := memory.NewQueues(env, ds...)
	if err != nil {
		return nil, err
	}
	topic, timers := memory.NewAlerts(env), memory.NewScheduler(env)
	if err := devcloud.MakeTimers(context.Background(), timers, o.layer,
		schedule.Timer{Target: resource.FnTrigger}); err != nil {
		return nil, err
	}
	return &ports{queues: qs, timers: timers, cache: lru.New(lru.Config{}), close: func() {}, core: setup.App{
		Chain: chainName, Layer: o.layer, Jobs: memory.NewJobs(env),
		Batches: memory.NewBatches(env), Locks: memory.NewLocks(env),
		Control: memory.NewControls(env), Paces: memory.NewPaces(env),
		Queue: qs, Artifacts: memory.NewArtifacts(env), Alerts: topic, Topic: topic,
		Reports: memory.NewReports(env),
		Events:  memory.NewEvents(env), Policies: job.Paced(job.Policies(), pace), Now: time.Now, Log: log,
	}}, nil
}

// runName is a name of this run, for databases and resources that others may have left behind.
func runName() string { return chainName + "-" + strconv.FormatInt(time.Now().Unix(), 36) }

// mongo keeps jobs, batches, leases and pauses in a new database of the server.
func (p *ports) mongo(ctx context.Context, o options) error {
	if o.mongo == "" {
		return nil
	}
	db, err := mongodb.Connect(
		mongodb.Config{URI: o.mongo, Database: strings.ReplaceAll("orchestrator-"+runName(), "-", "_"), PoolSize: 20,
			Monitor: mongodb.Measured()})
	if err != nil {
		return err
	}
	if err := db.EnsureIndexes(ctx); err != nil {
		return fmt.Errorf("-mongo: %w", err)
	}
	p.core.Jobs, p.core.Batches, p.core.Locks, p.core.Control = db.Jobs(), db.Batches(), db.Locks(
		time.Now), db.Controls()
	p.core.Reports, p.core.Rewinds, p.core.Paces = db.Reports(), db.Rewinds(), db.Paces()
	p.core.History = db.History()
	p.about = append(p.about, "MongoDB")
	before := p.close
	p.close = func() { before(); _ = db.Close(context.WithoutCancel(ctx)) }
	return nil
}

// aws makes queues, bucket, topic and bus in the emulator and uses them.
func (p *ports) aws(ctx context.Context, o options) error {
	if o.aws == "" {
		return nil
	}
	name := runName()
	cfg := devcloud.Config(o.aws)
	s, err := devcloud.Provision(ctx, cfg, devcloud.Options{Chain: name, Layer: o.layer, Timers: true})
	if err != nil {
		return fmt.Errorf("-aws: %w", err)
	}
	client, store := sqs.New(cfg), s3.New(cfg, s.Bucket, true)
	p.queues, p.core.Queue, p.core.Artifacts, p.core.Links = client, client, store, store
	topic := sns.New(cfg, s.TopicARN, name)
	p.core.Alerts, p.core.Topic, p.core.Events = topic, topic, eventbridge.New(cfg, s.Bus)
	timers := devcloud.Timers(cfg, name)
	p.timers = timers
	if !o.keep {
		before := p.close
		p.close = func() {
			before()
			ctx := context.WithoutCancel(ctx)
			if err := errors.Join(devcloud.RemoveBucket(ctx, store, store.Bucket()), topic.Delete(ctx),
				devcloud.RemoveTimers(ctx, timers)); err != nil {
				fmt.Fprintf(o.notes, "the bucket %s, the topic %s or schedules stay: %v\n", s.Bucket, s.TopicARN, err)
			}
		}
	}
	p.core.QueueName = func(n string) string { return resource.Physical(name, n) }
	p.about = append(p.about, "SQS, S3 (bucket "+s.Bucket+"), SNS, EventBridge and its Scheduler at "+o.aws)
	return nil
}

// kafka makes the queues as topics of the brokers, and removes them in the end.
func (p *ports) kafka(ctx context.Context, o options) error {
	if o.queue == "" {
		return nil
	}
	brokers, err := kafka.ParseURL(o.queue)
	if err != nil {
		return fmt.Errorf("-queue: %w", err)
	}
	name := runName()
	client, err := kafka.New(kafka.Config{Brokers: brokers, Topics: topics.Of(name, o.layer)})
	if err != nil {
		return fmt.Errorf("-queue: %w", err)
	}
	before := p.close
	p.close = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
		defer cancel()
		_ = client.Remove(ctx) // brokers that are down keep them
		_ = client.Close()
		before()
	}
	limited, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := client.Ensure(limited); err != nil {
		return fmt.Errorf("-queue: no broker at %s answers: %w", strings.Join(brokers, ", "), err)
	}
	p.queues, p.core.Queue, p.core.Return, p.core.Hold = client, client, client, executor.Hold
	p.core.QueueName = func(n string) string { return resource.Physical(name, n) }
	p.about = append(p.about, "Kafka at "+strings.Join(brokers, ", "))
	return nil
}

// How long the brokers may take to answer at the start and at the end.
const (
	startTime = 15 * time.Second
	endTime   = 5 * time.Second
)

// redis caches chain reads in the server.
func (p *ports) redis(ctx context.Context, o options) error {
	if o.redis == "" {
		return nil
	}
	c, err := redis.New(o.redis, runName())
	if err != nil {
		return err
	}
	if err := c.Ping(ctx); err != nil {
		return fmt.Errorf("-redis: %w", err)
	}
	p.cache = lru.New(lru.Config{Behind: c})
	p.about = append(p.about, "Redis")
	return nil
}

// newPlatform maps queues and schedules to the functions as resource declares them.
func newPlatform(o options, core setup.App, qs queue.Queue, timers schedule.Scheduler, fs map[string]devlambda.Function,
	log *slog.Logger) *devlambda.Platform {
	p := &devlambda.Platform{
		Queues: qs, Functions: fs, Timeouts: map[string]time.Duration{}, Trigger: resource.FnTrigger,
		LongPoll: 5 * time.Second, Kafka: o.queue != "", Log: log,
	}
	for _, f := range resource.Functions() {
		p.Timeouts[f.Name] = f.Timeout
	}
	for _, q := range resource.Queues() {
		if slices.Contains(q.Layers, o.layer) {
			p.Mappings = append(p.Mappings, devlambda.Mapping{
				Queue: name(core, q.Name), Function: q.Function, BatchSize: q.BatchSize,
				MaxConcurrency: q.MaxConcurrency,
			})
		}
	}
	for _, s := range resource.Schedules() {
		if slices.Contains(s.Layers, o.layer) {
			tick := devlambda.Tick{Stage: s.Stage, Every: max(s.Every/(4*pace), 250*time.Millisecond)}
			if t, ok := timers.(*memory.Scheduler); ok { // a real one fires by itself, beside these
				tick.On = func() bool { return t.Fires(string(s.Stage)) }
			}
			p.Ticks = append(p.Ticks, tick)
		}
	}
	return p
}

func name(core setup.App, queue string) string {
	if core.QueueName == nil {
		return queue
	}
	return core.QueueName(queue)
}

// invoke runs a job type's function with one message, as the trigger function does by the Lambda API.
func invoke(p *devlambda.Platform) func(ctx context.Context, t job.Type, body string) error {
	return func(ctx context.Context, t job.Type, body string) error {
		return p.InvokeMessage(ctx, resource.FunctionOf(t), body)
	}
}

// errEnded is wrapped by what ends a run for good.
var errEnded = errors.New("the run can't go on")

// until asks again and again until it is done, ctx ends, or the answer is errEnded.
func until(ctx context.Context, every time.Duration, done func(context.Context) (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		ok, err := done(ctx)
		if ok {
			return nil
		}
		if errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-ticker.C:
		}
	}
}
