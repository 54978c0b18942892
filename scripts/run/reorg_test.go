package main

import (
	"context"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// Case W12: reorganisations of anvil that are deeper than the confirmations take back state updates and the facts that
// they need. The facts are registered again, the updates are sent again, and everything settles by itself.
func TestReorganised(t *testing.T) {
	t.Parallel()
	url := tools.Anvil(t, "--block-time", "1")
	ctx, cancel := context.WithCancel(t.Context())
	undone := make(chan map[common.Address]int)
	go func() { undone <- reorganise(ctx, t, url) }()
	try(t, settledLine, "-blocks", "40", "-ethereum", url, "-speed", "1", "-batch", "4", "-timeout", "4m")
	cancel()
	by := <-undone
	facts, updates := by[devethereum.Address(devethereum.Keys[1])], by[devethereum.Address(devethereum.Keys[2])]
	t.Logf("%d registrations of facts and %d state updates were undone", facts, updates)
	if facts == 0 || updates == 0 {
		t.Error("this shows nothing")
	}
}

// reorgDepth is more than the confirmations of tx.DefaultPolicy.
const reorgDepth = 6

// reorganise replaces the newest blocks by empty ones, three times, one of them with a state update in it, and returns
// how many transactions were undone by sender.
func reorganise(ctx context.Context, t *testing.T, url string) map[common.Address]int {
	undone := map[common.Address]int{}
	client, err := rpc.DialContext(ctx, url)
	if err != nil {
		t.Error(err)
		return undone
	}
	defer client.Close()
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	next := hexutil.Uint64(18) // the contracts are there by then
	for n := 0; n < 3; {
		select {
		case <-ctx.Done():
			return undone
		case <-every.C:
		}
		var head hexutil.Uint64
		if err := client.CallContext(ctx, &head, "eth_blockNumber"); err != nil || head < next {
			continue
		}
		senders := newest(ctx, t, client, head)
		update := devethereum.Address(devethereum.Keys[2])
		if n == 2 && undone[update] == 0 && senders[update] == 0 {
			continue // the last one waits until there is a state update to undo
		}
		for from, sent := range senders {
			undone[from] += sent
		}
		if err := client.CallContext(ctx, nil, "anvil_reorg", reorgDepth, []any{}); err != nil && ctx.Err() == nil {
			t.Errorf("anvil_reorg: %v", err)
		}
		n, next = n+1, head+8
	}
	<-ctx.Done()
	return undone
}

// newest is how many transactions the blocks that a reorganisation undoes have, by sender.
func newest(ctx context.Context, t *testing.T, client *rpc.Client, head hexutil.Uint64) map[common.Address]int {
	t.Helper()
	out := map[common.Address]int{}
	for b := head - reorgDepth + 1; b <= head; b++ {
		var block struct {
			Transactions []struct{ From common.Address }
		}
		if err := client.CallContext(ctx, &block, "eth_getBlockByNumber", b, true); err != nil && ctx.Err() == nil {
			t.Errorf("read block %d: %v", b, err)
		}
		for _, x := range block.Transactions {
			out[x.From]++
		}
	}
	return out
}
