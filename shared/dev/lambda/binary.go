package lambda

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
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
	// Limited ends a process that takes more memory than the function has, as Lambda does.
	Limited bool
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
	in.measure()
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
	in.mu.Lock()
	defer in.mu.Unlock()
	b.peakRSS = max(b.peakRSS, in.peak)
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

// PeakMemory is the largest resident size in bytes, at the end of an invocation or before, of any process that has
// ended.
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
	mu   sync.Mutex
	peak int64 // the largest resident size in bytes that was seen; read it when done is closed
	// served is whether it has taken an invocation; used by one invocation at a time.
	served bool
}

func (b *Binary) start() (*instance, error) {
	api, err := newRuntimeAPI("arn:aws:lambda:local:000000000000:function:" + b.Name)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(b.Path)
	if b.Limited { // data: all memory that the process may write to
		cmd = exec.Command("/bin/sh", "-c", fmt.Sprintf(`ulimit -d %d && exec "$0"`, memoryOf(b.Name)<<10), b.Path)
	}
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

func (in *instance) kill() {
	in.measure()
	_ = in.cmd.Process.Signal(os.Kill)
}

// measure keeps the running process's largest resident size. What wait4 says of an ended child (ru_maxrss) can't be
// used: a child that Go starts shares its parent's memory until it runs its own program, and is counted as large as the
// parent (findings/go-exec-peak-is-the-parents.sh).
func (in *instance) measure() {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", in.cmd.Process.Pid))
	if err != nil {
		return // it has ended
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			in.mu.Lock()
			in.peak = max(in.peak, kb<<10)
			in.mu.Unlock()
		}
	}
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
