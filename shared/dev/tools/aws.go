package tools

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

var moto = &tool{
	name: "moto",
	command: func(root string, port int, _ string) *exec.Cmd {
		c := exec.Command(filepath.Join(root, "venv/bin/moto_server"), "-H", "127.0.0.1", "-p", strconv.Itoa(port))
		c.Env = append(os.Environ(), "AWS_CA_BUNDLE=")
		return c
	},
	url: func(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) },
	ready: func(ctx context.Context, port int) error {
		return get(ctx, fmt.Sprintf("http://127.0.0.1:%d/moto-api/", port))
	},
}

// MinistackAccount and MinistackRegion are those of the AWS emulator ministack.
const (
	MinistackAccount = "123456789012"
	MinistackRegion  = "eu-west-1"
)

// ministack is an AWS emulator that runs whole stacks: CloudFormation, schedules, event source mappings, functions as
// processes.
var ministack = &tool{
	name: "ministack",
	command: func(root string, port int, dir string) *exec.Cmd {
		c := exec.Command(filepath.Join(root, "ministack/bin/ministack"))
		c.Dir = dir
		c.Env = append(os.Environ(),
			// It must start with AWS_ENDPOINT_URL: functions written in Go get their endpoint from it.
			"AWS_ENDPOINT_URL=http://127.0.0.1:"+strconv.Itoa(port),
			"GATEWAY_PORT="+strconv.Itoa(port), "LAMBDA_EXECUTOR=local",
			"MINISTACK_REGION="+MinistackRegion, "MINISTACK_ACCOUNT_ID="+MinistackAccount,
			"MINISTACK_HOST=localhost", "AWS_CA_BUNDLE=",
			"BIND_HOST=127.0.0.1", "TMPDIR="+dir, "HOME="+dir)
		return c
	},
	url: func(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) },
	ready: func(ctx context.Context, port int) error {
		return get(ctx, fmt.Sprintf("http://127.0.0.1:%d/_ministack/health", port))
	},
}

// Ministack returns the endpoint of a ministack for this test binary. Use names of your own in it.
func Ministack(t testing.TB) string { t.Helper(); return ministack.get(t) }

// MinistackAlone returns the endpoint of a ministack that no other test uses, started with further environment
// variables.
func MinistackAlone(t testing.TB, env ...string) string {
	t.Helper()
	o := ministack.another()
	o.command = func(root string, port int, dir string) *exec.Cmd {
		c := ministack.command(root, port, dir)
		c.Env = append(c.Env, env...)
		return c
	}
	return o.get(t)
}

// Moto returns the endpoint of the AWS emulator. Use names of your own in it.
func Moto(t testing.TB) string { t.Helper(); return moto.get(t) }

// MotoAlone returns the endpoint of an AWS emulator that no other test uses, so that everything in it is the test's
// own.
func MotoAlone(t testing.TB) string { t.Helper(); return moto.another().get(t) }

// AWS runs a test on each AWS emulator, as parallel subtests.
func AWS(t *testing.T, test func(t *testing.T, endpoint string)) {
	t.Helper()
	for name, start := range map[string]func(testing.TB) string{"moto": Moto, "ministack": Ministack} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// Microburst returns the URL of a proxy in front of an AWS endpoint that injects failures of AWS, by the rules that a
// test gives it.
func Microburst(t testing.TB, upstream string) string {
	t.Helper()
	return newMicroburst(upstream).get(t)
}

func newMicroburst(upstream string) *tool {
	return &tool{
		name: "microburst",
		command: func(root string, port int, _ string) *exec.Cmd {
			c := exec.Command(filepath.Join(root, "microburst/bin/microburst"), "--upstream", upstream, "--port",
				strconv.Itoa(port), "--no-resign")
			c.Env = append(os.Environ(), "AWS_CA_BUNDLE=")
			return c
		},
		url: ministack.url,
		ready: func(ctx context.Context, port int) error {
			return get(ctx, fmt.Sprintf("http://127.0.0.1:%d/_microburst/health", port))
		},
	}
}
