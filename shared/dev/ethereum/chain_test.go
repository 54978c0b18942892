package ethereum_test

import (
	"context"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/dev/ethereum/contracts"
)

func TestDeploy(t *testing.T) {
	t.Parallel()
	c, err := devethereum.Start(devethereum.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	client, err := ethclient.DialContext(ctx, c.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s := &devethereum.Sender{Client: client, Key: devethereum.Keys[0], Mine: func() { c.Mine(1) }}
	d, err := s.Deploy(ctx, devethereum.Setup{
		ProgramHash: felt.FromUint64(1), Settled: true, Block: 41, Root: felt.FromUint64(5),
		Registrar: devethereum.Address(devethereum.Keys[1]),
	})
	if err != nil {
		t.Fatal(err)
	}
	var from felt.Felt
	copy(from[12:], devethereum.Address(devethereum.Keys[0]).Bytes())
	var ms []block.MessageToL2
	for i := range 20 {
		ms = append(ms, block.MessageToL2{From: from, To: felt.FromUint64(9), Nonce: felt.FromUint64(uint64(i)),
			Selector: felt.FromUint64(3)})
	}
	if err := s.SendMessages(ctx, d.Core, ms); err != nil {
		t.Fatal(err)
	}
	a := contracts.ParseABI(contracts.CoreABI)
	data, err := a.Pack("stateBlockNumber")
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.CallContract(ctx, callMsg(d.Core, data), nil)
	if err != nil || len(out) != 32 || out[31] != 41 {
		t.Errorf("stateBlockNumber is %x, %v", out, err)
	}
	ms[0].From = felt.FromUint64(1)
	if err := s.SendMessages(ctx, d.Core, ms[:1]); err == nil {
		t.Error("a message of another sender was sent")
	}
	if err := s.RegisterFact(ctx, d.Registry, [32]byte{1}); err == nil {
		t.Error("a fact was registered by who is not the registrar")
	}
}
