// Package cloud starts a function on AWS Lambda: configuration, logger, AWS clients, and the core of ports that every
// function needs. What only some functions need (chain source, settlement layer, prover, SNOS runner) lies in packages
// of its own below, so that each binary links what it uses.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/madara-orchestrator/orchestrator/shared/client/eventbridge"
	"github.com/madara-orchestrator/orchestrator/shared/client/mongodb"
	"github.com/madara-orchestrator/orchestrator/shared/client/s3"
	"github.com/madara-orchestrator/orchestrator/shared/client/secrets"
	"github.com/madara-orchestrator/orchestrator/shared/client/sns"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	eventcontroller "github.com/madara-orchestrator/orchestrator/shared/controller/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/setup"
)

// Process is one function's process: made once, used by all its invocations.
type Process struct {
	Config  config.Config
	Log     *slog.Logger
	AWS     aws.Config
	Secrets *secrets.Client
	// Telemetry gets what is measured: the log, and a collector where one is configured.
	Telemetry metric.Telemetry
	// CacheBytes is how much it may keep of chain reads; 0: as much as the cache likes.
	CacheBytes int64

	core    *setup.App     // once Core has made it
	db      *mongodb.DB    // likewise
	brokers setup.Brokers  // likewise; nil where queues are SQS's
	closers []func() error // of connections that it has made
	// what the function is asked about, see Check
	checks map[string]func(context.Context) error
}

// OnClose has f called when the process's connections end: at a secret's new value another process takes its place.
func (p *Process) OnClose(f func() error) { p.closers = append(p.closers, f) }

// close ends the process's connections.
func (p *Process) close(ctx context.Context) error {
	var errs []error
	for _, f := range p.closers {
		errs = append(errs, f())
	}
	if p.db != nil {
		errs = append(errs, p.db.Close(ctx))
	}
	return errors.Join(errs...)
}

// NewProcess reads the configuration of environ (lines KEY=value) and prepares the AWS clients. The error lists every
// fault.
func NewProcess(ctx context.Context, environ []string) (*Process, error) {
	c, err := config.FromEnviron(environ)
	if err != nil {
		return nil, err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, fmt.Errorf("log level %q: %w", c.LogLevel, err)
	}
	a, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	if c.AWS.Endpoint != "" {
		a.BaseEndpoint = aws.String(c.AWS.Endpoint)
	}
	a.APIOptions = append(a.APIOptions, measureAWS)
	// metrics are lines of the log, without which alarms see nothing: LOG_LEVEL is not for them
	metrics := metric.Logger{Log: newLog(os.Stdout, slog.LevelInfo, environ)}
	return &Process{Config: c, Log: newLog(os.Stdout, level, environ), AWS: a, Secrets: secrets.New(a),
		Telemetry: metrics, CacheBytes: cacheBytes(environ)}, nil
}

// NodeURL is the URL of a node that is configured in plain or as the name of a secret. The error does not show it.
func (p *Process) NodeURL(ctx context.Context, plain, secret string) (string, error) {
	urls, err := p.nodeURLs(ctx, []string{plain}, secret, 1)
	if err != nil {
		return "", err
	}
	return urls[0], nil
}

// NodeURLs is NodeURL for several nodes of one layer: plain in a list, or in the secret with commas between them.
func (p *Process) NodeURLs(ctx context.Context, plain []string, secret string) ([]string, error) {
	return p.nodeURLs(ctx, plain, secret, config.MaxNodes)
}

func (p *Process) nodeURLs(ctx context.Context, plain []string, secret string, most int) ([]string, error) {
	if secret == "" {
		return plain, nil
	}
	v, err := p.Secrets.Get(ctx, secret)
	if err != nil {
		return nil, err
	}
	urls, err := config.NodeURLs(v, most)
	if err != nil {
		return nil, fmt.Errorf("secret %s, which holds URLs of nodes: %w", secret, err)
	}
	return urls, nil
}

// Core connects the ports that every function needs, once. Nothing is asked of the database before it is used.
func (p *Process) Core(ctx context.Context) (setup.App, error) {
	if p.core != nil {
		return *p.core, nil
	}
	c := p.Config
	uri := c.Mongo.URI
	if c.Mongo.URISecret != "" {
		var err error
		if uri, err = p.Secrets.Get(ctx, c.Mongo.URISecret); err != nil {
			return setup.App{}, err
		}
		if uri, err = mongodb.URI(uri); err != nil {
			return setup.App{}, fmt.Errorf("secret %s: %w", c.Mongo.URISecret, err)
		}
	}
	database := c.Mongo.Database
	if database == "" {
		database = "orchestrator_" + c.Chain.Name
	}
	db, err := mongodb.Connect(
		mongodb.Config{URI: uri, CAFile: c.Mongo.CAFile, Database: database, PoolSize: c.Mongo.PoolSize,
			Monitor: mongodb.Measured()})
	if err != nil {
		return setup.App{}, err
	}
	p.db = db
	topic := sns.New(p.AWS, c.AWS.TopicARN, c.Chain.Name)
	artifacts := s3.New(p.AWS, c.AWS.Bucket, c.AWS.Endpoint != "")
	app := setup.App{
		Chain: c.Chain.Name, Layer: c.Chain.Layer, Jobs: db.Jobs(), Batches: db.Batches(),
		Locks: db.Locks(time.Now), Control: db.Controls(), Rewinds: db.Rewinds(), Paces: db.Paces(),
		Pace:      eventcontroller.Pace{Linger: linger},
		Artifacts: artifacts, Links: artifacts,
		Alerts: topic, Topic: topic, Reports: db.Reports(), History: db.History(),
		Events:    eventbridge.New(p.AWS, c.AWS.Bus),
		QueueName: func(n string) string { return resource.Physical(c.Chain.Name, n) },
		Seat:      operator.Seat{Chain: c.Chain.Name},
		Policies:  c.Policies(), Now: time.Now, Dashboard: dashboard(p.AWS.Region, c.Chain.Name), Log: p.Log,
	}
	if err := p.queues(ctx, &app); err != nil {
		return setup.App{}, err
	}
	p.core = &app
	return app, nil
}

// linger is how long a message that an invocation sends waits for others of it.
const linger = 300 * time.Millisecond

// dashboard is the URL of a chain's dashboard in the AWS console.
func dashboard(region, chain string) string {
	if region == "" {
		return ""
	}
	return "https://" + region + ".console.aws.amazonaws.com/cloudwatch/home?region=" +
		region + "#dashboards/dashboard/" +
		resource.Physical(chain, resource.Dashboard)
}

// EnsureStores creates the database's indexes, and Kafka's topics where queues are those; the trigger function does so
// once a process.
func (p *Process) EnsureStores(ctx context.Context) error {
	core, err := p.Core(ctx)
	if err != nil {
		return err
	}
	if p.brokers != nil {
		if err := p.brokers.Ensure(ctx); err != nil {
			return err
		}
	}
	jobs, ok := core.Jobs.(*mongodb.Jobs)
	if !ok {
		return nil
	}
	return jobs.EnsureIndexes(ctx)
}

// Wire makes a function's handler: what lambda.NewHandler takes.
type Wire func(ctx context.Context, p *Process) (any, error)

// Main serves a function until AWS ends it. A function that fails to initialise (a setting is wrong, a secret has no
// value yet) still starts: every invocation tries again and fails with the reason, so messages stay in their queues and
// the errors alarm, and a fix takes effect without a deployment. So does a secret's new value, some minutes later.
func Main(wire Wire) { MainOr(wire, nil) }

// MainOr is Main for a function whose callers wait for an answer: until it has initialised, invocations go to what
// instead makes of the reason.
func MainOr(wire Wire, instead func(error) any) {
	limitHeap(os.Environ())
	h := NewHandler(os.Environ(), wire)
	h.instead, h.boot = instead, sinceProcessStart()
	slog.SetDefault(h.log) // libraries log by package log or slog: their lines are JSON as well
	lambda.Start(h)
}

// Handler initialises a function at its first invocation that can, and again when a secret that it read has changed.
type Handler struct {
	environ []string
	wire    Wire
	instead func(error) any // nil: the invocation fails
	now     func() time.Time
	log     *slog.Logger // until there is a process

	boot    time.Duration // from the start of the process to Main
	counted sync.Once     // the cold start

	mu      sync.Mutex
	ready   lambda.Handler
	process *Process      // of ready
	took    time.Duration // to initialise ready
}

// NewHandler returns the handler of a function with an environment.
func NewHandler(environ []string, wire Wire) *Handler {
	return &Handler{environ: environ, wire: wire, now: time.Now, log: newLog(os.Stdout, slog.LevelInfo, environ)}
}

// Invoke implements lambda.Handler. Whatever makes the invocation fail is a line of the log: Lambda itself keeps an
// error to the caller, and schedules read no answers.
func (h *Handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	defer func() {
		if v := recover(); v != nil {
			h.log.ErrorContext(ctx, "the function panicked", "request", requestID(ctx), "error", fmt.Sprint(v),
				"stack", string(debug.Stack()))
			panic(v) // the process ends, as Lambda's library has it
		}
	}()
	f, p, err := h.function(ctx)
	if err != nil {
		h.log.ErrorContext(ctx, "the function failed to initialise", "request", requestID(ctx), "error", err)
		if h.instead != nil {
			return lambda.NewHandler(h.instead(err)).Invoke(ctx, event)
		}
		return nil, err
	}
	measured := metric.With(ctx, p.Telemetry)
	defer p.flush(measured) // whatever comes: then the process may be frozen
	h.started(measured)
	if isCheck(event) {
		return p.check(measured)
	}
	out, err := f.Invoke(measured, event)
	if err != nil {
		h.log.ErrorContext(ctx, "the invocation failed", "request", requestID(ctx), "error", err)
	}
	return out, err
}

// requestID is the invocation's id, by which Lambda's own lines name it too; "" outside of Lambda.
func requestID(ctx context.Context) string {
	if c, ok := lambdacontext.FromContext(ctx); ok {
		return c.AwsRequestID
	}
	return ""
}

func (h *Handler) function(ctx context.Context) (lambda.Handler, *Process, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ready != nil && h.rotated(ctx) {
		h.ready = nil // until it has initialised with the new value
	}
	if h.ready != nil {
		return h.ready, h.process, nil
	}
	began := time.Now()
	p, err := NewProcess(ctx, h.environ)
	if err != nil {
		return nil, nil, err
	}
	p.Secrets.Now = h.now
	p.openTelemetry(ctx)
	f, err := h.wire(metric.With(ctx, p.Telemetry), p)
	if err != nil {
		p.flush(ctx) // the next invocation begins with another process's telemetry
		return nil, nil, errors.Join(err, p.close(ctx))
	}
	if h.process != nil {
		if err := h.process.close(ctx); err != nil {
			p.Log.WarnContext(ctx, "connections with the old secrets are not closed", "error", err)
		}
	}
	h.ready, h.process, h.took = lambda.NewHandler(f), p, time.Since(began)
	return h.ready, p, nil
}

// rotated says whether a secret has another value now than the function was initialised with.
func (h *Handler) rotated(ctx context.Context) bool {
	changed, err := h.process.Secrets.Changed(ctx)
	if err != nil {
		h.process.Log.WarnContext(ctx, "secrets can't be read again, going on with those that are known", "error", err)
	}
	if changed {
		h.process.Log.InfoContext(ctx, "a secret has changed: initialising the function again")
	}
	return changed
}
