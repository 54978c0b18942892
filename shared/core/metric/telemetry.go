package metric

import (
	"context"
	"errors"
	"time"
)

// Telemetry takes what is measured. Record and Trace neither fail nor wait; Flush may. Safe for concurrent use.
type Telemetry interface {
	// Record takes measurements, whose labels are in the closed sets already.
	Record(ctx context.Context, at time.Time, vs ...Value)
	// Trace takes a span that has ended.
	Trace(ctx context.Context, s Span)
	// Flush sends what was taken. It is called before a function may be frozen, and returns when ctx ends at the
	// latest.
	Flush(ctx context.Context) error
}

type key int

const (
	telemetryKey key = iota
	spanKey
)

// With returns a context whose measurements go to t.
func With(ctx context.Context, t Telemetry) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, telemetryKey, t)
}

func from(ctx context.Context) Telemetry {
	t, _ := ctx.Value(telemetryKey).(Telemetry)
	return t
}

// Wanted says whether anybody takes what is measured in a context.
func Wanted(ctx context.Context) bool { return from(ctx) != nil }

// Record hands measurements to the context's telemetry. A metric that the table does not have is dropped, a label's
// value that its set does not have becomes Other.
func Record(ctx context.Context, at time.Time, vs ...Value) {
	t := from(ctx)
	if t == nil {
		return
	}
	out := make([]Value, 0, len(vs))
	for _, v := range vs {
		if m := byName[v.Name]; m != nil {
			out = append(out, Value{v.Name, v.Value, v.closed(m)})
		}
	}
	if len(out) > 0 {
		t.Record(ctx, at, out...)
	}
}

// Trace hands a span that has ended to the context's telemetry. One whose trace id is not valid is dropped: it belongs
// to nothing that is traced.
func Trace(ctx context.Context, s Span) {
	if t := from(ctx); t != nil && s.valid() {
		t.Trace(ctx, s)
	}
}

// Begin begins a span and returns the context in which its children are made, and what ends it. The caller names the
// trace; everything else of s may be left out but the name: the id is a new one then.
func Begin(ctx context.Context, s Span) (context.Context, func(err error, attrs ...Attr)) {
	if s.ID == "" {
		s.ID = NewSpanID()
	}
	if from(ctx) == nil || !s.valid() {
		return ctx, func(error, ...Attr) {}
	}
	if s.Start.IsZero() {
		s.Start = time.Now()
	}
	return context.WithValue(ctx, spanKey, s), func(err error, attrs ...Attr) {
		s.End, s.Attrs = time.Now(), append(s.Attrs, attrs...)
		if err != nil {
			s.Err = resultOf(err)
		}
		Trace(ctx, s)
	}
}

// Call measures a call to an external service, from now until what it returns is called with the call's error: a
// metric, and where the call belongs to a batch a span. what is the operation, one of few, such as a method's name.
func Call(ctx context.Context, service, what string) func(error) {
	if from(ctx) == nil {
		return func(error) {}
	}
	start := time.Now()
	return func(err error) { Called(ctx, service, what, time.Since(start), err) }
}

// Called is Call for a call that has ended just now and took so long.
func Called(ctx context.Context, service, what string, took time.Duration, err error) {
	if from(ctx) == nil {
		return
	}
	end, result := time.Now(), resultOf(err)
	labels := Labels{Service: service, Result: result}
	vs := []Value{{CallSeconds, took.Seconds(), labels}}
	if result != OK {
		vs = append(vs, Value{CallErrors, 1, labels})
	}
	Record(ctx, end, vs...)
	parent, ok := ctx.Value(spanKey).(Span)
	if !ok {
		return
	}
	s := Span{Trace: parent.Trace, ID: NewSpanID(), Parent: parent.ID, Name: service + ": " + what, Call: true,
		Start: end.Add(-took), End: end}
	if result != OK {
		s.Err = result
	}
	Trace(ctx, s)
}

// resultOf sums an error up in a word: its text may hold anything.
func resultOf(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return OK
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	default:
		return Failed
	}
}

// Tee hands everything on to several.
func Tee(ts ...Telemetry) Telemetry { return tee(ts) }

type tee []Telemetry

// Record implements Telemetry.
func (t tee) Record(ctx context.Context, at time.Time, vs ...Value) {
	for _, one := range t {
		one.Record(ctx, at, vs...)
	}
}

// Trace implements Telemetry.
func (t tee) Trace(ctx context.Context, s Span) {
	for _, one := range t {
		one.Trace(ctx, s)
	}
}

// Flush implements Telemetry.
func (t tee) Flush(ctx context.Context) error {
	var errs []error
	for _, one := range t {
		errs = append(errs, one.Flush(ctx))
	}
	return errors.Join(errs...)
}
