package main

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/ethclient"

	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// TestL3Data settles an L3 on the fake of Starknet whose data go to anvil, or nowhere.
func TestL3Data(t *testing.T) {
	t.Parallel()
	run := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		o, err := parse(append([]string{"-blocks", "6", "-layer", "l3", "-snos-batch", "2", "-timeout", "4m"},
			args...), &errs)
		if code := carry(t.Context(), o, err, &out, &errs); code != 0 || !strings.Contains(out.String(), settledLine) {
			t.Fatalf("exit %d\n%s%s", code, out.String(), errs.String())
		}
		return out.String()
	}
	if out := run("-da", "none"); !strings.Contains(out, "published nowhere") {
		t.Error(out)
	}
	anvil := tools.Anvil(t, "--block-time", "1", "--hardfork", "cancun")
	if out := run("-da", "ethereum", "-da-ethereum", anvil); !strings.Contains(out, "data 3 blobs") {
		t.Error(out)
	}
	client, err := ethclient.Dial(anvil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var blobs int
	head, err := client.BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n <= head; n++ {
		b, err := client.BlockByNumber(t.Context(), new(big.Int).SetUint64(n))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range b.Transactions() {
			blobs += len(x.BlobHashes())
			if *x.To() != devethereum.Address(devethereum.Keys[2]) {
				t.Errorf("transaction %s goes to %s", x.Hash(), x.To())
			}
		}
	}
	if blobs != 3 {
		t.Errorf("%d blobs on anvil, want 3", blobs)
	}
}
