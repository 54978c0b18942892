package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// TestDevnet settles the blocks of starknet-devnet, a node that nobody here wrote, on Ethereum and on the fake of
// Starknet. starknet.js fills them: transfers, a declared class, deployed contracts, an upgraded one and calls of them.
func TestDevnet(t *testing.T) {
	url := tools.Devnet(t)
	root, err := tools.Tools()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "devnet")
	cmd := exec.Command("node", filepath.Join(dir, "transactions.mjs"), url)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("send transactions: %v: install starknet.js with `make test-devnet`", err)
	}
	var sent struct {
		Block uint64
		Sent  map[string]string
	}
	if err := json.Unmarshal(text, &sent); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if len(sent.Sent) < 8 || sent.Block < 8 {
		t.Fatalf("blocks of 8 kinds of transactions are wanted, there are %s", text)
	}
	socket := "ws" + strings.TrimSuffix(strings.TrimPrefix(url, "http"), "/rpc") + "/ws"
	for _, layer := range []string{"l2", "l3"} {
		t.Run(layer, func(t *testing.T) {
			t.Parallel()
			try(t, settledLine, "-starknet", url, "-websocket", socket, "-blocks", fmt.Sprint(sent.Block+1),
				"-layer", layer, "-timeout", "5m")
		})
	}
}
