package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/encryption"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
	starknetversion "github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// decodedJSON is what is printed of blobs. Words are decrypted ones where a key was given, else what the blobs hold
// without trailing zeros.
type decodedJSON struct {
	Blobs     int            `json:"blobs"`
	Encrypted *encryptedJSON `json:"encrypted,omitempty"`
	Words     []felt.Felt    `json:"words"`
	Diff      *diffJSON      `json:"state_diff,omitempty"`
}

// encryptedJSON is what an encrypted segment shows without a key.
type encryptedJSON struct {
	PublicKeys []felt.Felt `json:"public_keys"` // of the exchange, one a member of the committee
	Words      int         `json:"words"`       // encrypted ones
	Decrypted  bool        `json:"decrypted"`
}

// encryptedSince is the first Starknet version that encrypts state diffs.
var encryptedSince = starknetversion.Must("0.14.1")

func blobDecode(c *call) error {
	var version, keyFile string
	c.flags.StringVar(&version, "starknet-version", "", "`V` of the blocks, such as 0.13.5: decode the state diff too")
	c.fileFlag(&keyFile, "key-file", "a private key of the data availability committee in hex: decrypt the words")
	args, err := c.parse(1)
	if err != nil {
		return err
	}
	var f statediff.Format
	if version != "" {
		if f, err = statediff.FormatOf(version); err != nil {
			return usageError{err}
		}
	}
	blobs, err := c.readBlobs(args[0])
	if err != nil {
		return err
	}
	words, err := blob.ToWords(blobs)
	if err != nil {
		return err
	}
	out := decodedJSON{Blobs: len(blobs), Words: trimmed(words)}
	// without a version the words show it
	if known, err := starknetversion.Parse(version); err != nil || !known.Before(encryptedSince) {
		if err := out.decrypt(c, keyFile); err != nil {
			return err
		}
	} else if keyFile != "" {
		return usagef("--key-file: state diffs are encrypted since Starknet %s", encryptedSince)
	}
	if version != "" && (out.Encrypted == nil || out.Encrypted.Decrypted) {
		d, err := statediff.Decode(out.Words, f)
		if err != nil {
			return err
		}
		out.Diff = diffOf(d)
		return c.print(out, append(out.rows(), out.Diff.rows(d)...))
	}
	rows := out.rows()
	if out.Encrypted == nil {
		rows = nil // the words alone, one a line
	}
	for _, w := range out.Words {
		rows = append(rows, []string{w.String()})
	}
	return c.print(out, rows)
}

// trimmed leaves the zeros out that fill the last blob.
func trimmed(words []felt.Felt) []felt.Felt {
	n := len(words)
	for n > 0 && words[n-1].IsZero() {
		n--
	}
	return words[:n]
}

// decrypt recognises an encrypted segment, and decrypts it where a key is given.
func (o *decodedJSON) decrypt(c *call, keyFile string) error {
	if !encryption.Encrypted(o.Words) {
		if keyFile != "" {
			return fmt.Errorf("--key-file: the blobs hold no encrypted segment")
		}
		return nil
	}
	s, err := encryption.Parse(o.Words)
	if err != nil {
		if keyFile == "" {
			return nil // words of another kind, such as a state diff from before 0.13.5
		}
		return fmt.Errorf("--key-file: the blobs hold no encrypted segment: %w", err)
	}
	o.Encrypted = &encryptedJSON{PublicKeys: s.PublicKeys, Words: len(s.Words)}
	if keyFile == "" {
		return nil
	}
	b, err := c.readFile(keyFile)
	if err != nil {
		return err
	}
	key, err := felt.FromHex(strings.TrimSpace(string(b)))
	if err != nil {
		return fmt.Errorf("--key-file %s: it does not hold one felt in hex", keyFile) // the text itself is a secret
	}
	if o.Words, err = s.Open(key); err != nil {
		return err
	}
	o.Encrypted.Decrypted = true
	return nil
}

func (o *decodedJSON) rows() [][]string {
	rows := [][]string{{"blobs", strconv.Itoa(o.Blobs)}, {"words", strconv.Itoa(len(o.Words))}}
	if e := o.Encrypted; e != nil {
		state := "give a committee member's private key with --key-file to decrypt them"
		if e.Decrypted {
			state = "decrypted"
		}
		rows = append(rows,
			[]string{"encrypted", fmt.Sprintf("%d words for %d members; %s", e.Words, len(e.PublicKeys), state)})
	}
	return rows
}
