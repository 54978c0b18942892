package tools

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// DevnetVariable names the binary of starknet-devnet, a Starknet node; `make test-devnet` builds it and sets the
// variable.
const DevnetVariable = "ORCHESTRATOR_DEVNET"

// Devnet starts a starknet-devnet for one test, with seed 0, two accounts, every state kept and further arguments, and
// returns the URL of its JSON-RPC. The test is skipped where none was built: cargo takes minutes for it.
func Devnet(t testing.TB, args ...string) string {
	t.Helper()
	binary := os.Getenv(DevnetVariable)
	if binary == "" {
		t.Skip("optional: needs starknet-devnet, run it with `make test-devnet`")
	}
	o := &tool{
		name: "starknet-devnet",
		command: func(_ string, port int, _ string) *exec.Cmd {
			return exec.Command(binary, append([]string{"--host", "127.0.0.1", "--port", strconv.Itoa(port),
				"--seed", "0", "--accounts", "2", "--state-archive-capacity", "full"}, args...)...)
		},
		url: func(port int) string { return fmt.Sprintf("http://127.0.0.1:%d/rpc", port) },
	}
	url, err := o.start()
	if err != nil {
		t.Fatalf("start starknet-devnet: %v", err)
	}
	return url
}
