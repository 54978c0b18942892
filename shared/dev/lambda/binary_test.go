package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	devlambda "github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
)

// mode makes this test binary a Lambda function: it is what the tests run behind the Runtime API.
const mode = "PLATFORM_TEST_FUNCTION"

func TestMain(m *testing.M) {
	switch os.Getenv(mode) {
	case "":
		os.Exit(m.Run())
	case "broken":
		os.Exit(3)
	default:
		lambda.Start(function)
	}
}

type event struct {
	Do   string `json:"do"`
	Text string `json:"text"`
}

func function(ctx context.Context, e event) (map[string]any, error) {
	switch e.Do {
	case "fail":
		return nil, errors.New("no such luck")
	case "panic":
		panic("out of cheese")
	case "exit":
		os.Exit(7)
	case "hang":
		<-make(chan struct{})
	case "print":
		fmt.Println("hello from the function")
	}
	deadline, _ := ctx.Deadline()
	return map[string]any{"text": e.Text, "pid": os.Getpid(), "left_ms": time.Until(deadline).Milliseconds()}, nil
}

// buffer is safe for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) { b.mu.Lock(); defer b.mu.Unlock(); return b.b.Write(p) }
func (b *buffer) String() string              { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

func start(t *testing.T, mode_ string) (*devlambda.Binary, *buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	logs := &buffer{}
	b := &devlambda.Binary{Path: self, Name: "test", Env: []string{mode + "=" + mode_},
		Logs: logs, Timeout: 10 * time.Second}
	t.Cleanup(b.Close)
	return b, logs
}

type reply struct {
	Text   string `json:"text"`
	PID    int    `json:"pid"`
	LeftMS int64  `json:"left_ms"`
}

func call(t *testing.T, b *devlambda.Binary, e event) (reply, error) {
	t.Helper()
	in, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.Invoke(t.Context(), in)
	var r reply
	if err == nil {
		if err := json.Unmarshal(out, &r); err != nil {
			t.Fatalf("answer %q: %v", out, err)
		}
	}
	return r, err
}

func TestBinaryAnswers(t *testing.T) {
	t.Parallel()
	b, logs := start(t, "on")
	first, err := call(t, b, event{Do: "print", Text: "a"})
	if err != nil || first.Text != "a" || first.LeftMS <= 0 || first.LeftMS > 10_000 {
		t.Fatalf("got %+v, %v", first, err)
	}
	second, err := call(t, b, event{Text: "b"})
	if err != nil || second.PID != first.PID {
		t.Errorf("the idle process was not used again: %+v, %v", second, err)
	}
	if !strings.Contains(logs.String(), "hello from the function") {
		t.Errorf("logs are %q", logs.String())
	}
	b.Close()
	if b.PeakMemory() < 1<<20 {
		t.Errorf("peak memory %d bytes", b.PeakMemory())
	}
}

func TestBinaryErrors(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"fail": "no such luck",
		"panic": "out of cheese", "exit": "process ended"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := start(t, "on")
			_, err := call(t, b, event{Do: name})
			var fe *devlambda.FunctionError
			if !errors.As(err, &fe) || !strings.Contains(err.Error(), want) {
				t.Fatalf("got %v, want a function error with %q", err, want)
			}
			if r, err := call(t, b, event{Text: "again"}); err != nil || r.Text != "again" {
				t.Errorf("afterwards: %+v, %v", r, err)
			}
		})
	}
}

func TestBinaryTimeout(t *testing.T) {
	t.Parallel()
	b, _ := start(t, "on")
	first, err := call(t, b, event{})
	if err != nil {
		t.Fatal(err)
	}
	b.Timeout = 50 * time.Millisecond
	if _, err := call(t, b, event{Do: "hang"}); !errors.Is(err, devlambda.ErrTimeout) {
		t.Fatalf("got %v, want a timeout", err)
	}
	b.Timeout = 10 * time.Second
	if r, err := call(t, b, event{}); err != nil || r.PID == first.PID {
		t.Errorf("the process that hung still serves: %+v, %v", r, err)
	}
}

func TestBinaryThatCannotStart(t *testing.T) {
	t.Parallel()
	b, _ := start(t, "broken")
	if _, err := call(t, b, event{}); err == nil || !strings.Contains(err.Error(), "process ended") {
		t.Errorf("got %v", err)
	}
	b.Path = "/nonexistent"
	if _, err := call(t, b, event{}); err == nil || !strings.Contains(err.Error(), "start function test") {
		t.Errorf("got %v", err)
	}
}
