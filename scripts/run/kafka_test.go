package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// Both layers settle with Kafka's topics as queues; the brokers are in this process.
func TestQueuesOfKafka(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"l2": {"-blocks", "12"}, "l3": {"-blocks", "6", "-layer", "l3", "-snos-batch", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := kfake.NewCluster(kfake.NumBrokers(2))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			brokers := "kafka://" + strings.Join(c.ListenAddrs(), ",")
			try(t, settledLine, append(args, "-queue", brokers, "-timeout", "3m")...)
			client, err := kadm.NewOptClient(kgo.SeedBrokers(c.ListenAddrs()...))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if left, err := client.ListTopics(t.Context()); err != nil || len(left) > 0 {
				t.Errorf("the run left topics behind: %v, %v", left.Names(), err)
			}
		})
	}
}

// With a real broker that is killed again and again during the run, every batch settles, and none twice.
func TestBrokerKilledDuringARun(t *testing.T) {
	t.Parallel()
	kills := tools.Kills()
	speed := fmt.Sprint(6 / float64(kills)) // 60 blocks take 10 s a kill
	broker, anvil := tools.Kafka(t), tools.Anvil(t, "--block-time", "1")
	type result struct {
		code      int
		out, errs bytes.Buffer
	}
	done := make(chan *result, 1)
	go func() {
		var r result
		r.code = run(t.Context(), []string{"-blocks", "60", "-batch", "3", "-snos-batch", "3", "-speed", speed, "-json",
			"-queue", broker.URL(), "-ethereum", anvil, "-timeout", "8m"}, &r.out, &r.errs)
		done <- &r
	}()
	time.Sleep(5 * time.Second) // its topics are there
	killed := 0
	var r *result
	for r == nil {
		select {
		case r = <-done:
		case <-time.After(4 * time.Second):
			if killed == kills {
				r = <-done
				break
			}
			broker.Kill()
			killed++
			if err := broker.Start(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var got struct {
		OK      bool
		Batches []struct{ Tx string }
	}
	if err := json.Unmarshal(r.out.Bytes(), &got); err != nil || r.code != 0 || !got.OK {
		t.Fatalf("exit %d, %v\n%s%s", r.code, err, r.out.String(), r.errs.String())
	}
	blocks := settledBlocks(t, anvil)
	twice := 0
	for i := range blocks {
		if i > 0 && blocks[i] <= blocks[i-1] {
			twice++
		}
	}
	if killed != kills || twice != 0 || len(got.Batches) != 20 || len(blocks) != len(got.Batches) {
		t.Errorf("broker killed %d times: %d batches, state updates of the contract %v, settled twice %d",
			killed, len(got.Batches), blocks, twice)
	}
	t.Logf("broker killed %d times: %d of %d batches settled, lost 0, settled twice %d", killed, len(blocks),
		len(got.Batches), twice)
}

// settledBlocks are the blocks of the state updates that the contracts of a node have taken, in their order.
func settledBlocks(t *testing.T, url string) (out []uint64) {
	t.Helper()
	c, err := ethclient.DialContext(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	logs, err := c.FilterLogs(t.Context(), ethereum.FilterQuery{FromBlock: big.NewInt(0),
		Topics: [][]common.Hash{{crypto.Keccak256Hash([]byte("LogStateUpdate(uint256,int256,uint256)"))}}})
	if err != nil || len(logs) == 0 {
		t.Fatalf("%d state updates, %v", len(logs), err)
	}
	for _, l := range logs {
		out = append(out, new(big.Int).SetBytes(l.Data[32:64]).Uint64())
	}
	return out
}
