package tools

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// taken is a chooser of ports whose first ones are of a server that answers everything with 200. asked is how many
// ports were chosen.
func taken(t *testing.T, times int) (choose func() (*port, error), asked *int, number int) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	number, asked = s.Listener.Addr().(*net.TCPAddr).Port, new(int)
	return func() (*port, error) {
		if *asked++; *asked <= times {
			return &port{number: number, socket: -1}, nil
		}
		return reserve()
	}, asked, number
}

// A component whose port another program has, which answers there, is not believed ready: it gets another port.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	if os.Getenv(Require) == "" {
		t.Skip("optional: needs all tools; `make test` runs it")
	}
	var collected OpenTelemetry
	starts := map[string]func(*testing.T, func() (*port, error)) (string, error){
		"mongod": started(mongod.another()), "redis": started(redis.another()), "anvil": started(newAnvil()),
		"moto": started(moto.another()), "ministack": started(ministack.another()),
		"microburst": started(newMicroburst("http://127.0.0.1:1")),
		"collector": func(t *testing.T, choose func() (*port, error)) (string, error) {
			collected.traces = filepath.Join(t.TempDir(), "traces.json")
			return started(newCollector(t, &collected))(t, choose)
		},
		"member of a replica set": func(t *testing.T, choose func() (*port, error)) (string, error) {
			m := &member{}
			t.Cleanup(m.close)
			err := onPort(choose, m.startOn)
			return m.address, err
		},
	}
	if soak() { // it binds its port last, and takes ten seconds to end
		starts["kafka"] = func(t *testing.T, choose func() (*port, error)) (string, error) {
			b, err := newKafka(choose)
			if b == nil {
				return "", err
			}
			t.Cleanup(b.close)
			return b.Address, err
		}
	}
	for name, start := range starts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			choose, asked, number := taken(t, 1)
			at, err := start(t, choose)
			if err != nil || strings.Contains(at, fmt.Sprint(number)) || *asked != 2 {
				t.Errorf("it is at %q, %v, after %d ports; port %d is taken", at, err, *asked, number)
			}
		})
	}
}

// started starts a component on chosen ports.
func started(o *tool) func(*testing.T, func() (*port, error)) (string, error) {
	return func(_ *testing.T, choose func() (*port, error)) (string, error) {
		o.reserve = choose
		return o.start()
	}
}

// program is a component that is a program of the shell's.
func program(script string) *tool {
	return &tool{
		name:    "program",
		command: func(string, int, string) *exec.Cmd { return exec.Command("/bin/sh", "-c", script) },
		url:     func(port int) string { return fmt.Sprint(port) },
	}
}

// A component that ends for another reason is not started again, whoever answers on its port; one whose ports are all
// taken is given up.
func TestEndsAtItsStart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script string
		ports  int
		taken  bool
	}{
		"another reason": {"echo no such option; exit 3", 1, false},
		"no failure":     {"echo done", 1, false},
		"taken": {
			"echo bind: Address already in use; head -c 9999 /dev/zero | tr '\\0' x; exit 1", maxPorts, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := program(tt.script)
			choose, asked, _ := taken(t, maxPorts+1)
			o.reserve = choose
			url, err := o.start()
			if err == nil || errors.Is(err, errTaken) != tt.taken || *asked != tt.ports {
				t.Fatalf("it is at %q, %v, after %d ports, want %d", url, err, *asked, tt.ports)
			}
			if last := strings.Fields(tt.script)[1]; !tt.taken && !strings.Contains(err.Error(), last) {
				t.Errorf("the error lacks its output: %v", err)
			}
		})
	}
}

// A reserved port is given to nobody who asks for any port, and refuses connections; a program that names it gets it.
func TestReserve(t *testing.T) {
	t.Parallel()
	reserved := map[int]bool{}
	for range 50 {
		n := Port(t)
		if reserved[n] {
			t.Fatalf("port %d was reserved twice", n)
		}
		reserved[n] = true
	}
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		if n := l.Addr().(*net.TCPAddr).Port; reserved[n] {
			t.Errorf("port %d was reserved", n)
		}
	}
	for n := range reserved {
		address := fmt.Sprintf("127.0.0.1:%d", n)
		if c, err := net.Dial("tcp", address); err == nil {
			t.Errorf("somebody answers at %s", c.RemoteAddr())
			_ = c.Close()
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if !listens(syscall.Getpgrp(), n) || listens(1<<30, n) {
			t.Error("listens takes this process for another one, or another one for this")
		}
		if err := l.Close(); err != nil || listens(syscall.Getpgrp(), n) {
			t.Errorf("it is said to listen after its end, %v", err)
		}
		break
	}
}
