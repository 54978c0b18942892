package cloud

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/madara-orchestrator/orchestrator/shared/client/otlp"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// openTelemetry adds the collector, where one is configured. What is wrong with it is a line of the log and stops
// nothing: settlement does not wait for who watches it.
func (p *Process) openTelemetry(ctx context.Context) {
	c := p.Config
	if c.OTLP.Endpoint == "" {
		return
	}
	o := otlp.Config{URL: c.OTLP.Endpoint, Chain: c.Chain.Name,
		Function: strings.TrimPrefix(lambdacontext.FunctionName, c.Chain.Name+"-")}
	var err error
	var e *otlp.Exporter
	if c.OTLP.HeadersSecret != "" {
		o.Headers, err = p.Secrets.Get(ctx, c.OTLP.HeadersSecret)
	}
	if err == nil {
		e, err = otlp.New(o)
	}
	if err != nil {
		p.Log.WarnContext(ctx, "no telemetry is sent to the collector", "error", err)
		return
	}
	p.Telemetry = metric.Tee(p.Telemetry, e)
}

// flushTime is how long the end of an invocation waits for the collector at the most.
const flushTime = time.Second

// flush sends what was measured before the process may be frozen.
func (p *Process) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	if err := p.Telemetry.Flush(ctx); err != nil {
		p.Log.WarnContext(ctx, "telemetry is not sent, the next minute tries no more", "error", err)
	}
}

// started counts the process's cold start, once, with the work until the function was ready: from the start of the
// process to Main, and the initialisation that succeeded. The time in between does not count: Lambda may start a
// process long before the first invocation, and an initialisation that fails is tried again by the next one.
func (h *Handler) started(ctx context.Context) {
	h.counted.Do(func() {
		h.mu.Lock()
		took := h.boot + h.took
		h.mu.Unlock()
		metric.Record(ctx, time.Now(), metric.Value{Name: metric.ColdStarts, Value: 1},
			metric.Value{Name: metric.InitSeconds, Value: took.Seconds()})
	})
}

// ticks is in which parts of a second Linux says when a process began (USER_HZ, proc_pid_stat(5)).
const ticks = 100

// startField is which field of /proc/self/stat says when the process began, counted from the one behind its name.
const startField = 19

// sinceProcessStart is how long ago this process began, to a hundredth of a second; 0 where the system does not say it.
// Go has no clock that runs before a package's variables are set, and setting all of them is a large part of a start.
func sinceProcessStart() time.Duration {
	stat, err := os.ReadFile("/proc/self/stat")
	uptime, uerr := os.ReadFile("/proc/uptime")
	if err != nil || uerr != nil {
		return 0
	}
	return age(string(stat), string(uptime))
}

// age is how old a process is by its /proc/PID/stat and /proc/uptime; 0 where they can't be read.
func age(stat, uptime string) time.Duration {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // its name may hold anything
	up := strings.Fields(uptime)
	if len(fields) <= startField || len(up) == 0 {
		return 0
	}
	began, err := strconv.ParseUint(fields[startField], 10, 64)
	now, uerr := strconv.ParseFloat(up[0], 64)
	if err != nil || uerr != nil {
		return 0
	}
	return max(0, time.Duration((now-float64(began)/ticks)*float64(time.Second)))
}

// services are AWS's services by the SDK's names of them. AWS Batch is measured as the SNOS runner that it is.
var services = map[string]string{
	"S3": metric.Artifacts, "SQS": metric.Queues, "SNS": metric.Topic, "EventBridge": metric.Bus,
	"Secrets Manager": metric.Secrets, "KMS": metric.Keys, "Lambda": metric.Functions,
}

// measureAWS measures every call of the AWS SDK, with its retries as one.
func measureAWS(s *middleware.Stack) error {
	return s.Initialize.Add(middleware.InitializeMiddlewareFunc("Measure",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
			middleware.InitializeOutput, middleware.Metadata, error) {
			service, known := services[awsmiddleware.GetServiceID(ctx)]
			if !known {
				return next.HandleInitialize(ctx, in)
			}
			done := metric.Call(ctx, service, awsmiddleware.GetOperationName(ctx))
			out, md, err := next.HandleInitialize(ctx, in)
			if answered(err) {
				done(nil)
			} else {
				done(err)
			}
			return out, md, err
		}), middleware.After)
}

// answered says whether a service worked: "there is no such object" and "somebody was faster" are answers.
func answered(err error) bool {
	var r *smithyhttp.ResponseError
	if !errors.As(err, &r) {
		return err == nil
	}
	switch r.HTTPStatusCode() {
	case http.StatusNotFound, http.StatusPreconditionFailed, http.StatusNotModified:
		return true
	}
	return false
}
