package lambda

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// ErrTimeout says that a function did not answer within its time; its process was killed, as Lambda does.
var ErrTimeout = errors.New("function timed out")

// FunctionError is an error that the function's code returned, or the end of its process.
type FunctionError struct {
	Type    string // as the runtime named it, such as "Runtime.ExitError"
	Message string
}

// Error gives type and message.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// Binary runs a compiled function (a provided.al2023 bootstrap) behind the Lambda Runtime API on loopback. Each process
// serves one invocation at a time; as many processes run as invocations do, and idle ones are used again. The exported
// fields are set before the first Invoke.
type Binary struct {
	Path string
	Env  []string  // the process's whole environment, beside what Lambda itself sets
	Logs io.Writer // the function's stdout and stderr; nil discards them. It must be safe for concurrent use.
	Name string    // of the function, for its environment
	// Timeout is the function's own; 0 leaves the context's deadline alone.
	Timeout time.Duration

	mu      sync.Mutex
	idle    []*instance
	all     map[*instance]bool
	closed  bool
	peakRSS int64
}

var _ Function = (*Binary)(nil)

// Invoke runs one invocation. A *FunctionError is an error of the function; ErrTimeout that it was killed for its time.
func (b *Binary) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	if b.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.Timeout)
		defer cancel()
	}
	in, err := b.take()
	if err != nil {
		return nil, err
	}
	out, err := in.api.invoke(ctx, event, in.done)
	for errors.Is(err, errGone) && in.served { // it ended after its last answer, as a panic makes it do
		b.drop(in)
		if in, err = b.take(); err != nil {
			return nil, err
		}
		out, err = in.api.invoke(ctx, event, in.done)
	}
	if errors.Is(err, errGone) {
		err = in.api.exit()
	}
	in.served = true
	var crashed *FunctionError
	if errors.Is(err, ErrTimeout) || errors.As(err, &crashed) && crashed.Type == exitError {
		in.kill()
		b.drop(in)
		return nil, err
	}
	b.give(in)
	return out, err
}

// take returns an idle process or starts one.
func (b *Binary) take() (*instance, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errors.New("the function's processes are stopped")
	}
	for n := len(b.idle); n > 0; n = len(b.idle) {
		in := b.idle[n-1]
		b.idle = b.idle[:n-1]
		if in.alive() {
			return in, nil
		}
		b.forget(in)
	}
	in, err := b.start()
	if err != nil {
		return nil, err
	}
	if b.all == nil {
		b.all = map[*instance]bool{}
	}
	b.all[in] = true
	return in, nil
}

func (b *Binary) give(in *instance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.idle = append(b.idle, in)
}

func (b *Binary) drop(in *instance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(in)
}

// forget closes what belongs to an ended process. The caller holds the mutex.
func (b *Binary) forget(in *instance) {
	if !b.all[in] {
		return
	}
	delete(b.all, in)
	<-in.done
	in.api.close()
	b.peakRSS = max(b.peakRSS, in.rss())
}

// KillOne kills one of the running processes, chosen by r, in the middle of whatever it does. It says whether there was
// one.
func (b *Binary) KillOne(r *rand.Rand) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.all)
	if n == 0 {
		return false
	}
	n = r.IntN(n)
	for in := range b.all {
		if n == 0 {
			in.kill()
			return true
		}
		n--
	}
	return false
}

// Close ends all processes.
func (b *Binary) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for in := range b.all {
		in.kill()
		b.forget(in)
	}
	b.idle = nil
}

// PeakMemory is the largest resident size in bytes of any process that has ended.
func (b *Binary) PeakMemory() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.peakRSS
}

// instance is one process and its Runtime API.
type instance struct {
	cmd  *exec.Cmd
	api  *runtimeAPI
	done chan struct{} // closed when the process has ended
	// served is whether it has taken an invocation; used by one invocation at a time.
	served bool
}

func (b *Binary) start() (*instance, error) {
	api, err := newRuntimeAPI("arn:aws:lambda:local:000000000000:function:" + b.Name)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(b.Path)
	cmd.Env = append(append([]string{}, b.Env...),
		"AWS_LAMBDA_RUNTIME_API="+api.address(), "AWS_LAMBDA_FUNCTION_NAME="+b.Name,
		fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", memoryOf(b.Name)), "AWS_LAMBDA_FUNCTION_VERSION=$LATEST")
	cmd.Stdout, cmd.Stderr = b.Logs, b.Logs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it must not outlive us
	if err := cmd.Start(); err != nil {
		api.close()
		return nil, fmt.Errorf("start function %s: %w", b.Name, err)
	}
	in := &instance{cmd: cmd, api: api, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the invocation that sees its end reports how it ended
		close(in.done)
	}()
	return in, nil
}

func (in *instance) alive() bool {
	select {
	case <-in.done:
		return false
	default:
		return true
	}
}

func (in *instance) kill() { _ = in.cmd.Process.Signal(os.Kill) }

// rss is the ended process's largest resident size in bytes.
func (in *instance) rss() int64 {
	if u, ok := in.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}

// memoryOf is a function's memory in MB; one that is not described has 512.
func memoryOf(name string) int {
	for _, f := range resource.Functions() {
		if f.Name == name {
			return f.MemoryMB
		}
	}
	return 512
}
