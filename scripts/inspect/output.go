package main

import (
	"fmt"
	"strconv"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
)

// outputJSON is what is printed of a program output. Block numbers are texts in decimal, "-1" before the first block.
type outputJSON struct {
	PrevRoot      felt.Felt  `json:"prev_root"`
	NewRoot       felt.Felt  `json:"new_root"`
	PrevBlock     string     `json:"prev_block"`
	NewBlock      string     `json:"new_block"`
	PrevHash      felt.Felt  `json:"prev_block_hash"`
	NewHash       felt.Felt  `json:"new_block_hash"`
	OSProgramHash felt.Felt  `json:"os_program_hash"`
	ConfigHash    felt.Felt  `json:"config_hash"`
	UseKzg        bool       `json:"use_kzg_da"`
	FullOutput    bool       `json:"full_output"`
	Z             *felt.Felt `json:"z,omitempty"`
	Commitments   []bytesHex `json:"commitments,omitempty"`
	Evaluations   []bytesHex `json:"evaluations,omitempty"`
	ToL1          []toL1JSON `json:"messages_to_l1"`
	ToL2          []toL2JSON `json:"messages_to_l2"`
	DataWords     int        `json:"data_words"`
	InputWords    int        `json:"input_words"`
	Words         int        `json:"words"`
}

type toL1JSON struct {
	From    felt.Felt   `json:"from"`
	To      felt.Felt   `json:"to"`
	Payload []felt.Felt `json:"payload"`
}

type toL2JSON struct {
	From     felt.Felt   `json:"from"`
	To       felt.Felt   `json:"to"`
	Nonce    felt.Felt   `json:"nonce"`
	Selector felt.Felt   `json:"selector"`
	Payload  []felt.Felt `json:"payload"`
}

// readUpdate reads a program output and cuts an aggregator's inputs and the zeros at its end off.
func (c *call) readUpdate(path string) (words []felt.Felt, inputs int, err error) {
	whole, err := c.readWords(path)
	if err != nil {
		return nil, 0, err
	}
	if words, err = output.UpdateWords(whole); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	if len(words) < len(whole) && words[0] != whole[0] {
		inputs, err = output.SkipInputs(whole)
	}
	return words, inputs, err
}

func outputShow(c *call) error {
	args, err := c.parse(1)
	if err != nil {
		return err
	}
	words, inputs, err := c.readUpdate(args[0])
	if err != nil {
		return err
	}
	o, _, err := output.Parse(words)
	if err != nil {
		return err
	}
	out := outputJSON{
		PrevRoot: o.PrevRoot, NewRoot: o.NewRoot, PrevBlock: blockNumber(o.PrevBlock),
		NewBlock: blockNumber(o.NewBlock),
		PrevHash: o.PrevHash, NewHash: o.NewHash, OSProgramHash: o.OSProgramHash, ConfigHash: o.ConfigHash,
		UseKzg: o.Kzg != nil, FullOutput: o.FullOutput, ToL1: []toL1JSON{}, ToL2: []toL2JSON{},
		DataWords: len(o.Data), InputWords: inputs, Words: len(words),
	}
	if o.Kzg != nil {
		out.Z = &o.Kzg.Z
		for i := range o.Kzg.Commitments {
			out.Commitments = append(out.Commitments, o.Kzg.Commitments[i][:])
			out.Evaluations = append(out.Evaluations, o.Kzg.Evaluations[i][:])
		}
	}
	for _, m := range o.Messages.ToL1 {
		out.ToL1 = append(out.ToL1, toL1JSON{m.From, m.To, nonNil(m.Payload)})
	}
	for _, m := range o.Messages.ToL2 {
		out.ToL2 = append(out.ToL2, toL2JSON{m.From, m.To, m.Nonce, m.Selector, nonNil(m.Payload)})
	}
	return c.print(out, out.rows())
}

func nonNil(fs []felt.Felt) []felt.Felt { return append([]felt.Felt{}, fs...) }

func (o *outputJSON) rows() [][]string {
	rows := [][]string{
		{"previous root", o.PrevRoot.String()}, {"new root", o.NewRoot.String()},
		{"previous block", o.PrevBlock}, {"new block", o.NewBlock},
		{"previous block hash", o.PrevHash.String()}, {"new block hash", o.NewHash.String()},
		{"OS program hash", o.OSProgramHash.String()}, {"config hash", o.ConfigHash.String()},
		{"use KZG", strconv.FormatBool(o.UseKzg)}, {"full output", strconv.FormatBool(o.FullOutput)},
	}
	if o.Z != nil {
		rows = append(rows, []string{"z", o.Z.String()})
	}
	for i := range o.Commitments {
		rows = append(rows, []string{fmt.Sprintf("commitment[%d]", i), o.Commitments[i].String()})
	}
	for i := range o.Evaluations {
		rows = append(rows, []string{fmt.Sprintf("y[%d]", i), o.Evaluations[i].String()})
	}
	rows = append(rows, []string{"messages to L1", strconv.Itoa(len(o.ToL1))})
	for _, m := range o.ToL1 {
		rows = append(rows, []string{"  from", m.From.String()}, []string{"  to", m.To.String()})
		rows = append(rows, listed("  payload", m.Payload)...)
	}
	rows = append(rows, []string{"messages to L2", strconv.Itoa(len(o.ToL2))})
	for _, m := range o.ToL2 {
		rows = append(rows, []string{"  from", m.From.String()}, []string{"  to", m.To.String()},
			[]string{"  nonce", m.Nonce.String()}, []string{"  selector", m.Selector.String()})
		rows = append(rows, listed("  payload", m.Payload)...)
	}
	return append(rows, []string{"data words", strconv.Itoa(o.DataWords)}, []string{"words", strconv.Itoa(o.Words)},
		[]string{"input words", strconv.Itoa(o.InputWords)})
}
