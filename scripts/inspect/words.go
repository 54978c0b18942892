package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// readWords reads field elements: a JSON list of hex texts; or one a line, each in hex with 0x or in decimal; or every
// line of 64 hex digits without 0x.
func (c *call) readWords(path string) ([]felt.Felt, error) {
	b, err := c.readFile(path)
	if err != nil {
		return nil, err
	}
	words, err := parseWords(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return words, nil
}

func parseWords(b []byte) ([]felt.Felt, error) {
	if b = bytes.TrimSpace(b); bytes.HasPrefix(b, []byte("[")) {
		var words []felt.Felt
		if err := json.Unmarshal(b, &words); err != nil {
			return nil, fmt.Errorf("no JSON list of field elements: %w", err)
		}
		return words, nil
	}
	lines := strings.Fields(string(b))
	parse := decimalOrHex
	if padded(lines) {
		parse = felt.FromHex
	}
	words := make([]felt.Felt, len(lines))
	for i, line := range lines {
		var err error
		if words[i], err = parse(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("no words")
	}
	return words, nil
}

// padded says whether all lines are 64 hex digits.
func padded(lines []string) bool {
	for _, l := range lines {
		if _, err := hex.DecodeString(l); err != nil || len(l) != 2*felt.Bytes {
			return false
		}
	}
	return true
}

func decimalOrHex(s string) (felt.Felt, error) {
	if strings.HasPrefix(s, "0x") {
		return felt.FromHex(s)
	}
	n, ok := new(big.Int), false
	if len(s) <= 80 { // of a felt's 77 decimal digits
		n, ok = n.SetString(s, 10)
	}
	if !ok {
		return felt.Zero, fmt.Errorf("%.80q is not a number in decimal or in hex with 0x: %w", s, felt.ErrInvalid)
	}
	return felt.FromBig(n)
}
