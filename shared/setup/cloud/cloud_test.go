package cloud

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/secrets"
)

// environ is a function's environment that needs nothing to be there.
var environ = []string{
	"ORCHESTRATOR_CHAIN_NAME=test", "ORCHESTRATOR_CHAIN_LAYER=l2", "ORCHESTRATOR_CHAIN_ID=TEST",
	"ORCHESTRATOR_CHAIN_RPC=http://127.0.0.1:1",
	"ORCHESTRATOR_MONGO_URI=mongodb://127.0.0.1:1", "ORCHESTRATOR_AWS_BUCKET=b", "ORCHESTRATOR_AWS_BUS=e",
	"ORCHESTRATOR_AWS_TOPIC_ARN=arn:aws:sns:eu-west-1:123456789012:t", "ORCHESTRATOR_SETTLEMENT_RPC=http://127.0.0.1:1",
	"ORCHESTRATOR_SETTLEMENT_CHAIN_ID=11155111",
	"ORCHESTRATOR_SETTLEMENT_CONTRACT=0x0000000000000000000000000000000000000001",
	"ORCHESTRATOR_SETTLEMENT_ADDRESS=0x0000000000000000000000000000000000000003",
	"ORCHESTRATOR_SETTLEMENT_KEY_SECRET=file:/key", "ORCHESTRATOR_PROVER_KIND=mock",
	"ORCHESTRATOR_SNOS_URL=http://127.0.0.1:1",
}

// bench is a handler whose function answers with the secret that it was initialised with.
type bench struct {
	*Handler
	t     *testing.T
	file  string
	now   time.Time
	made  int
	fault error // of putting it together
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, file: filepath.Join(t.TempDir(), "secret"), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b.Handler = NewHandler(environ, func(ctx context.Context, p *Process) (any, error) {
		b.made++
		if b.fault != nil {
			return nil, b.fault
		}
		v, err := p.Secrets.Get(ctx, secrets.FilePrefix+b.file)
		if err != nil {
			return nil, err
		}
		if _, err := p.Core(ctx); err != nil {
			return nil, err
		}
		return func() (string, error) { return v, nil }, nil
	})
	b.Handler.now = func() time.Time { return b.now }
	return b
}

func (b *bench) write(v string) {
	b.t.Helper()
	if err := os.WriteFile(b.file, []byte(v), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) answers(want string, made int) {
	b.t.Helper()
	got, err := b.Invoke(b.t.Context(), []byte("{}"))
	if err != nil || string(got) != `"`+want+`"` || b.made != made {
		b.t.Errorf("answer %s, %v, initialised %d times; want %q and %d", got, err, b.made, want, made)
	}
}

// A secret's new value is taken up some minutes later without a deployment; until then nothing is asked for again.
func TestRotatedSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("one")
	b.answers("one", 1)
	b.write("two")
	b.answers("one", 1)
	b.now = b.now.Add(secrets.DefaultTTL)
	b.answers("two", 2)
	b.now = b.now.Add(secrets.DefaultTTL)
	b.answers("two", 2)
}

// A function that fails to initialise with the new value tries again until it can, and does not go on with the old one.
func TestRotatedSecretNeedsAnotherTry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("one")
	b.answers("one", 1)
	b.write("two")
	b.now = b.now.Add(secrets.DefaultTTL)
	b.fault = errors.New("the node is away")
	for range 2 {
		if _, err := b.Invoke(t.Context(), []byte("{}")); !errors.Is(err, b.fault) {
			t.Errorf("got %v, want %v", err, b.fault)
		}
	}
	b.fault = nil
	b.answers("two", 4)
}

// A secret without a value fails each invocation with its name, until it has one.
func TestMissingSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.Invoke(t.Context(), []byte("{}")); !errors.Is(err, secrets.ErrMissing) ||
		!strings.Contains(err.Error(), b.file) {
		t.Errorf("got %v, want %v and the secret's name", err, secrets.ErrMissing)
	}
	b.write("one")
	b.answers("one", 2)
}

// A wrong setting fails each invocation with all that is wrong.
func TestWrongSetting(t *testing.T) {
	t.Parallel()
	h := NewHandler(append([]string{"ORCHESTRATOR_CHAIN_NAME=UPPER", "ORCHESTRATOR_NONSENSE=1"}, environ[1:]...), nil)
	_, err := h.Invoke(t.Context(), []byte("{}"))
	for _, want := range []string{"CHAIN_NAME", "NONSENSE"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in %v", want, err)
		}
	}
}
