package main

import (
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

func calldataEncode(c *call) error {
	var words, segment string
	var blobs []string
	c.fileFlag(&words, "output", "the program output: a JSON list of hex words, or words one a line, in hex or decimal")
	c.flags.Func("blob", "`FILE` with blobs in hex, one a line; may be given several times, in the blobs' order",
		func(s string) error {
			blobs = append(blobs, s)
			return nil
		})
	c.fileFlag(&segment, "segment", "the DA segment's words: check that the blobs encode it and that z belongs to it")
	if _, err := c.parse(0); err != nil {
		return err
	}
	if err := need([2]string{"output", words}); err != nil {
		return err
	}
	u, s, cfg, err := c.readSettlement(words)
	if err != nil {
		return err
	}
	for _, path := range blobs {
		list, err := c.readBlobs(path)
		if err != nil {
			return err
		}
		for i := range list {
			u.Blobs = append(u.Blobs, list[i][:])
		}
	}
	if segment != "" {
		if u.Segment, err = c.readWords(segment); err != nil {
			return err
		}
	}
	data, err := ethereum.Calldata(u, s, cfg)
	if err != nil {
		return err
	}
	out := struct {
		Calldata bytesHex `json:"calldata"`
	}{data}
	return c.print(out, [][]string{{out.Calldata.String()}})
}

// readSettlement reads a program output as an update, and makes up the contract that it fits: what is checked is that
// output and blobs belong together.
func (c *call) readSettlement(path string) (u settlement.Update, s settlement.State, cfg settlement.Config, err error) {
	words, _, err := c.readUpdate(path)
	if err != nil {
		return u, s, cfg, err
	}
	o, _, err := output.Parse(words)
	if err != nil {
		return u, s, cfg, fmt.Errorf("%s: %w", path, err)
	}
	u = settlement.Update{ProgramOutput: words}
	s = settlement.State{Root: o.PrevRoot, BlockHash: o.PrevHash}
	if o.PrevBlock != felt.MinusOne() {
		prev, ok := o.PrevBlock.Uint64()
		if !ok {
			return u, s, cfg, fmt.Errorf("%s: previous block number is %s", path, o.PrevBlock)
		}
		s.Settled, s.Block = true, prev
	}
	u.StartBlock = s.Next()
	u.EndBlock, _ = o.NewBlock.Uint64()
	return u, s, settlement.Config{ProgramHash: o.OSProgramHash, ConfigHash: o.ConfigHash, Operator: true}, nil
}
