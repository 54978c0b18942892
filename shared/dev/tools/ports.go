package tools

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// port is a port of 127.0.0.1 that is kept for a program that gets its number.
//
// A port that is merely found free is anybody's until the program listens: another test may find the same one, and any
// connection may begin at it. This one is held by a socket that is bound and does not listen. The kernel gives such a
// port to nobody who asks for any port, of whichever process, but lets a program bind it that names it and sets
// SO_REUSEADDR, as servers do. No lock stays behind when a test is killed, and a program that is started again with
// its data finds its port.
type port struct {
	number int
	socket int
	once   sync.Once
}

// reserve keeps a port until release, or the end of this program.
func reserve() (*port, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("reserve a port: %w", err)
	}
	p := &port{socket: fd}
	err = errors.Join(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
		syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	if err == nil {
		var at syscall.Sockaddr
		if at, err = syscall.Getsockname(fd); err == nil {
			p.number = at.(*syscall.SockaddrInet4).Port
			return p, nil
		}
	}
	p.release()
	return nil, fmt.Errorf("reserve a port: %w", err)
}

// release gives the port back; nil is none.
func (p *port) release() {
	if p != nil {
		p.once.Do(func() { _ = syscall.Close(p.socket) })
	}
}

// Port keeps a port of 127.0.0.1 until the test ends. Only a program that is given its number listens at it;
// until then connections to it are refused.
func Port(t testing.TB) int {
	t.Helper()
	p, err := reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.release)
	return p.number
}

// maxPorts is how many ports are tried for one component.
const maxPorts = 5

// errTaken says that a component ended because somebody else has its port: a program that has its number from
// elsewhere, since nobody who asks for any port gets one that is reserved.
var errTaken = errors.New("its port is taken")

// onPort starts a component on a reserved port, and on another one as long as it is taken. The port stays reserved.
func onPort(reserve func() (*port, error), start func(*port) error) error {
	for n := 1; ; n++ {
		p, err := reserve()
		if err != nil {
			return err
		}
		if err = start(p); err == nil {
			return nil
		}
		p.release()
		if n == maxPorts || !errors.Is(err, errTaken) {
			return err
		}
	}
}

// listens says that a process of a group listens at a port of 127.0.0.1, and nobody else does: whoever answers there is
// of the group.
func listens(group, port int) bool {
	sockets := listeners(port)
	if len(sockets) == 0 {
		return false
	}
	for _, pid := range processesOf(group) {
		fds, err := filepath.Glob(filepath.Join("/proc", pid, "fd", "*"))
		if err != nil {
			return false
		}
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil { // else it is closed by now
				delete(sockets, to)
			}
		}
	}
	return len(sockets) == 0
}

// loopbacks are the forms of 127.0.0.1 in /proc/net/tcp and, as programs that know IPv6 alone bind it, tcp6: words in
// the machine's order of bytes.
var loopbacks = []string{"0100007F", "7F000001", "0000000000000000FFFF00000100007F", "00000000000000000000FFFF7F000001"}

// listening is a socket's state in /proc/net/tcp.
const listening = "0A"

// listeners are the sockets that listen at a port of 127.0.0.1, named as in /proc/PID/fd.
func listeners(port int) map[string]bool {
	at := map[string]bool{}
	for _, l := range loopbacks {
		at[fmt.Sprintf("%s:%04X", l, port)] = true
	}
	found := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue // a machine without IPv6
		}
		for line := range strings.Lines(string(b)) {
			const local, state, inode = 1, 3, 9
			if f := strings.Fields(line); len(f) > inode && at[f[local]] && f[state] == listening {
				found["socket:["+f[inode]+"]"] = true
			}
		}
	}
	return found
}

// processesOf are the ids of a group's processes.
func processesOf(group int) (ids []string) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		const of = 2 // after the state and the parent
		after := string(b[bytes.LastIndexByte(b, ')')+1:])
		if f := strings.Fields(after); len(f) > of && f[of] == fmt.Sprint(group) {
			ids = append(ids, filepath.Base(filepath.Dir(path)))
		}
	}
	return ids
}
