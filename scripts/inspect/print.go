package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// print prints v as JSON, or the rows as a table.
func (c *call) print(v any, rows [][]string) error {
	if c.json {
		e := json.NewEncoder(c.stdout)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, cell)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// bytesHex is bytes in hex with 0x.
type bytesHex []byte

func (b bytesHex) String() string { return "0x" + hex.EncodeToString(b) }

// MarshalText implements encoding.TextMarshaler.
func (b bytesHex) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// listed are rows of words under a name, numbered.
func listed(name string, words []felt.Felt) [][]string {
	rows := make([][]string, len(words))
	for i, w := range words {
		rows[i] = []string{fmt.Sprintf("%s[%d]", name, i), w.String()}
	}
	return rows
}

// blockNumber writes a block number of a program output, where P-1 stands for the time before the first block.
func blockNumber(f felt.Felt) string {
	if f == felt.MinusOne() {
		return "-1"
	}
	return f.Big().String()
}
