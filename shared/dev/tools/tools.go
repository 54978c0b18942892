// Package tools starts the real components that tests run against: mongod, the AWS emulators moto and ministack,
// Redis, anvil, a Kafka broker, an OpenTelemetry collector and what else shared/dev/tools/install (`make tools`)
// installs. Each has a port that is reserved for it and ends with the test binary; a function says how many tests
// share one.
package tools

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Require is the environment variable that makes a missing tool a failure instead of a skipped test; `make test` sets
// it.
const Require = "ORCHESTRATOR_REQUIRE_TOOLS"

// startTimeout is how long a component may take until it answers, on a machine that is busy with others.
const startTimeout = 3 * time.Minute

// tool is a component that is started at most once.
type tool struct {
	name    string
	command func(root string, port int, dir string) *exec.Cmd
	url     func(port int) string
	ready   func(ctx context.Context, port int) error // nil: once it listens
	reserve func() (*port, error)                     // chooses its port; nil: reserve

	once sync.Once
	base string
	err  error
}

var (
	mongod = &tool{
		name:    "mongod",
		command: mongodCommand(),
		url:     func(port int) string { return fmt.Sprintf("mongodb://127.0.0.1:%d", port) },
	}
	redis = &tool{
		name: "redis",
		command: func(root string, port int, dir string) *exec.Cmd {
			return redisCommand(root, dir, "--port", strconv.Itoa(port))
		},
		url: func(port int) string { return fmt.Sprintf("redis://127.0.0.1:%d", port) },
	}
)

// redisCommand runs Redis with further arguments.
func redisCommand(root, dir string, more ...string) *exec.Cmd {
	args := append([]string{"--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no"}, more...)
	if path, err := exec.LookPath("redis-server"); err == nil {
		return exec.Command(path, args...)
	}
	c := exec.Command(filepath.Join(root, "redis/usr/bin/redis-server"), args...)
	c.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(root, "redis/usr/lib/x86_64-linux-gnu"))
	return c
}

// mongodCommand runs mongod with further arguments.
func mongodCommand(more ...string) func(root string, port int, dir string) *exec.Cmd {
	return func(root string, port int, dir string) *exec.Cmd {
		return exec.Command(filepath.Join(root, "mongo/fiftyone/db/bin/mongod"), append([]string{
			"--dbpath", dir, "--port", strconv.Itoa(port), "--bind_ip", "127.0.0.1",
			"--wiredTigerCacheSizeGB", "0.25", "--nounixsocket",
			"--setParameter", "diagnosticDataCollectionEnabled=false",
		}, more...)...)
	}
}

// MongodTLS returns the URI of a mongod of the test's own that answers with TLS alone, as localhost, with the key and
// certificate of a PEM file.
func MongodTLS(t testing.TB, pem string) string {
	t.Helper()
	o := mongod.another()
	o.command = mongodCommand("--tlsMode", "requireTLS", "--tlsCertificateKeyFile", pem)
	o.url = func(port int) string { return fmt.Sprintf("mongodb://localhost:%d", port) }
	return o.get(t)
}

// RedisTLS returns the address of a Redis of the test's own that answers with TLS alone, with the key and certificate
// of a PEM file, and with further arguments.
func RedisTLS(t testing.TB, pem string, more ...string) string {
	t.Helper()
	o := &tool{
		name: "redis",
		command: func(root string, port int, dir string) *exec.Cmd {
			return redisCommand(root, dir, append([]string{"--port", "0", "--tls-port", strconv.Itoa(port),
				"--tls-cert-file", pem, "--tls-key-file", pem, "--tls-ca-cert-file", pem,
				"--tls-auth-clients", "no"}, more...)...)
		},
		url: func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) },
	}
	return o.get(t)
}

// Mongod returns the URI of a mongod of its own for this test binary. Use a database of your own in it.
func Mongod(t testing.TB) string { t.Helper(); return mongod.get(t) }

// Redis returns the URL of a Redis. Use a key prefix of your own in it.
func Redis(t testing.TB) string { t.Helper(); return redis.get(t) }

// Start starts a component by name (mongod, moto, ministack, redis, anvil) for a program; it ends with the program.
// args are further arguments of anvil.
func Start(name string, args ...string) (url string, err error) {
	for _, o := range []*tool{mongod, moto, ministack, redis, newAnvil(args...)} {
		if o.name != name {
			continue
		}
		o.once.Do(func() { o.base, o.err = o.start() })
		if o.err != nil {
			return "", fmt.Errorf("start %s: %w: install it with `make tools`", name, o.err)
		}
		return o.base, nil
	}
	return "", fmt.Errorf("start %q: no such component", name)
}

// MongodAlone returns the URI of a mongod that no other test uses, so that it may be paused.
func MongodAlone(t testing.TB) string { t.Helper(); return mongod.another().get(t) }

// another is a further one of the same component.
func (o *tool) another() *tool {
	return &tool{name: o.name, command: o.command, url: o.url, ready: o.ready}
}

// get starts the component if it is not running.
func (o *tool) get(t testing.TB) string {
	t.Helper()
	o.once.Do(func() { o.base, o.err = o.start() })
	if o.err == nil {
		return o.base
	}
	if os.Getenv(Require) != "" {
		t.Fatalf("%s: %v", o.name, o.err)
	}
	t.Skipf("%s is not here (%v): install it with `make tools`", o.name, o.err)
	return ""
}

func (o *tool) start() (url string, err error) {
	root, err := Tools()
	if err != nil {
		return "", err
	}
	choose := o.reserve
	if choose == nil {
		choose = reserve
	}
	err = onPort(choose, func(p *port) error {
		url = o.url(p.number)
		return o.startOn(p, root)
	})
	if err != nil {
		return "", err
	}
	return url, nil
}

// startOn starts the component on a port, which it has until its end.
func (o *tool) startOn(p *port, root string) error {
	dir, err := os.MkdirTemp("", "testenv-"+o.name+"-")
	if err != nil {
		return err
	}
	end := func() { _ = os.RemoveAll(dir); p.release() }
	cmd := o.command(root, p.number, dir)
	if _, err := os.Stat(cmd.Path); err != nil {
		end()
		return err
	}
	c, err := run(cmd, end)
	if err != nil {
		return err
	}
	processes.Store(c, o.url(p.number))
	if err := c.answers(p.number, o.ready); err != nil {
		processes.Delete(c)
		return err
	}
	return nil
}

// processes are the components that run, with their URLs.
var processes sync.Map

// Stop ends every component that this program started, with all that they started themselves, and waits until they are
// gone.
func Stop() {
	processes.Range(func(p, _ any) bool {
		p.(*process).signal() // they keep nothing: their data is of this program
		return true
	})
	processes.Range(func(p, _ any) bool {
		<-p.(*process).ended
		processes.Delete(p)
		return true
	})
}

// Pause stops a component's process as it stands (SIGSTOP) until resume is called: its connections stay and nothing
// answers, as when a machine hangs.
func Pause(url string) (resume func(), err error) {
	var c *process
	processes.Range(func(p, at any) bool {
		if at == url {
			c = p.(*process)
		}
		return c == nil
	})
	if c == nil {
		return nil, fmt.Errorf("pause %s: no component of this program", url)
	}
	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return nil, fmt.Errorf("pause %s: %w", url, err)
	}
	return func() { _ = c.cmd.Process.Signal(syscall.SIGCONT) }, nil
}

// Tools is the folder that the tools are installed in.
func Tools() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".tools"), nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = up
	}
}

func get(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err == nil {
		err = resp.Body.Close()
	}
	return err
}

// Program returns the path of an installed program, such as "schemathesis/bin/schemathesis". Where it is missing the
// test is skipped, or fails if Require is set.
func Program(t testing.TB, name string) string {
	t.Helper()
	root, err := Tools()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv(Require) != "" {
			t.Fatalf("%s: %v", name, err)
		}
		t.Skipf("%s is not here: install it with `make tools`", name)
	}
	return path
}
