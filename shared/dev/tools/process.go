package tools

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is an outside program that runs.
type process struct {
	cmd   *exec.Cmd
	out   tail
	ended chan struct{} // closed when it has ended
}

// run starts a program in a group of its own, so that Ctrl-C leaves it to Stop. It ends with this program, however that
// ends. after is called when it has ended, before others see that.
func run(cmd *exec.Cmd, after func()) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error, 1)
	go func() { // Pdeathsig follows the thread that started the process
		lockThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // ProcessState says how it ended
		}
		after()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		<-p.ended
		return nil, err
	}
	return p, nil
}

// answers waits until the program itself listens at a port and, where that is given, is ready. What answers before may
// be another program on the same port, of which this one is about to end. One that is not ready in time is killed.
func (p *process) answers(port int, ready func(context.Context, int) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for own := false; ; {
		own = own || dial(ctx, port) == nil && listens(p.cmd.Process.Pid, port)
		if own && (ready == nil || ready(ctx, port) == nil) {
			return nil
		}
		select {
		case <-p.ended:
			err := fmt.Errorf("it ended at its start (%s): %s", p.cmd.ProcessState, p.out.String())
			if p.out.taken {
				return fmt.Errorf("%w: %w", errTaken, err)
			}
			return err
		case <-ctx.Done():
			p.kill()
			return fmt.Errorf("it did not answer within %s: %s", startTimeout, p.out.String())
		case <-tick.C:
		}
	}
}

// dial says whether anybody listens at a port: listens is sure of who does, but takes milliseconds.
func dial(ctx context.Context, port int) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		err = c.Close()
	}
	return err
}

// signal ends the program and all that it started.
func (p *process) signal() {
	select {
	case <-p.ended: // its id may be another one's by now
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// kill ends the program as a crash does and waits until it is gone.
func (p *process) kill() {
	p.signal()
	<-p.ended
}

// inUse is what every program prints whose port is taken: the C library's "Address already in use", or an own text.
const inUse = "already in use"

// tail keeps the last part of what a component prints.
type tail struct {
	mu    sync.Mutex
	b     bytes.Buffer
	taken bool // it said that its port is: what it prints after that may be longer than what is kept
}

const maxTail = 4096

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b.Write(p)
	w.taken = w.taken || bytes.Contains(bytes.ToLower(w.b.Bytes()), []byte(inUse))
	if over := w.b.Len() - maxTail; over > 0 {
		w.b.Next(over)
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(w.b.String())
}
