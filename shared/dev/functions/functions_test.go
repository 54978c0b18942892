package functions

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/madara-orchestrator/orchestrator/shared/dev/lambda"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Who compiles the same variant waits for the one that does, until the caller gives up.
func TestCompileWaits(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	v := Variant{Architecture: "arm64"}
	if _, err := Compile(t.Context(), root, v); !errors.Is(err, os.ErrNotExist) ||
		!strings.Contains(err.Error(), "go.mod") {
		t.Errorf("the folder holds no module: %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "build", "functions"), 0o755); err != nil {
		t.Fatal(err)
	}
	other := flock.New(filepath.Join(root, v.Folder()) + ".lock")
	if err := other.Lock(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := Compile(ctx, root, v)
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), other.Path()) {
		t.Errorf("while another process compiles: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Compile(t.Context(), root, v); err == nil || !strings.Contains(err.Error(), "./functions/...") {
		t.Errorf("nobody compiles any more, and the module holds no functions: %v", err)
	}
	if _, err := Compile(t.Context(), root, Variant{Architecture: "riscv64"}); err == nil {
		t.Error("Lambda has no riscv64")
	}
}

// A function without Kafka's client says so where its queues are Kafka's topics, and how to build it. One with it
// starts.
func TestFunctionsWithAndWithoutKafka(t *testing.T) {
	t.Parallel()
	env := []string{"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x"}
	for k, v := range map[string]string{
		"CHAIN_NAME": "test", "CHAIN_LAYER": "l2", "CHAIN_ID": "TEST", "CHAIN_RPC": "http://127.0.0.1:1",
		"MONGO_URI": "mongodb://127.0.0.1:1", "AWS_BUCKET": "b", "AWS_BUS": "e",
		"AWS_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:t", "SETTLEMENT_CHAIN_ID": "1",
		"SETTLEMENT_RPC": "http://127.0.0.1:1", "SETTLEMENT_CONTRACT": "0x" + strings.Repeat("1", 40),
		"SETTLEMENT_ADDRESS": "0x" + strings.Repeat("2", 40), "SETTLEMENT_KEY_SECRET": "file:/key",
		"SNOS_URL": "http://127.0.0.1:1", "PROVER_KIND": "mock",
		"QUEUE_KIND": "kafka", "QUEUE_BROKERS": "127.0.0.1:1",
	} {
		env = append(env, "ORCHESTRATOR_"+k+"="+v)
	}
	for name, c := range map[string]struct {
		kafka bool
		want  string // in the error; "" for none
	}{
		"without": {false, "go build -tags kafka"},
		"with":    {true, ""},
	} {
		dir, err := Compile(t.Context(), "../../..", Here(c.kafka), resource.FnJobFailure)
		if err != nil {
			t.Fatal(err)
		}
		f := &lambda.Binary{Path: filepath.Join(dir, resource.FnJobFailure), Name: resource.FnJobFailure, Env: env,
			Timeout: time.Minute}
		_, err = f.Invoke(t.Context(), []byte(`{"eventSource":"SelfManagedKafka","records":{}}`))
		f.Close()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
