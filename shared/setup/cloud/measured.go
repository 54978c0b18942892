package cloud

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/madara-orchestrator/orchestrator/shared/client/otlp"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// functionVariable is Lambda's own: the function's name in the cloud.
const functionVariable = "AWS_LAMBDA_FUNCTION_NAME="

// openTelemetry adds the collector, where one is configured. What is wrong with it is a line of the log and stops
// nothing: settlement does not wait for who watches it.
func (p *Process) openTelemetry(ctx context.Context, environ []string) {
	c := p.Config
	if c.OTLP.Endpoint == "" {
		return
	}
	o := otlp.Config{URL: c.OTLP.Endpoint, Chain: c.Chain.Name}
	for _, line := range environ {
		if v, ok := strings.CutPrefix(line, functionVariable); ok {
			o.Function = strings.TrimPrefix(v, c.Chain.Name+"-")
		}
	}
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

// started counts the process's cold start, once.
func (h *Handler) started(ctx context.Context) {
	h.counted.Do(func() {
		now := time.Now()
		metric.Record(ctx, now, metric.Value{Name: metric.ColdStarts, Value: 1},
			metric.Value{Name: metric.InitSeconds, Value: now.Sub(h.born).Seconds()})
	})
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
