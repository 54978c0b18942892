// Package stone reads the public input of STARK proofs in the JSON form of the Stone prover, which proving services
// hand out.
package stone

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
)

var (
	// ErrNoPublicInput says that a file is JSON without a public input: no proof of Stone's form.
	ErrNoPublicInput = errors.New("the proof has no public input")
	// ErrMalformed says that a file is not a proof; the wrapping text says where.
	ErrMalformed = errors.New("malformed proof")
)

// Limits.
const (
	// MaxBytes is how long a proof may be. Those of large runs have some ten million bytes.
	MaxBytes = 128 << 20
	// MaxWords is how many words of output are read.
	MaxWords = 1 << 16
	// maxCells bounds the cells of the main page, which are held until the output's segment is known: 48 bytes each,
	// and as much again while the list grows.
	maxCells = 1 << 20
	maxDepth = 100
	// maxString is what is kept of a string, in bytes: a felt has 66, and the proof itself is one string of megabytes
	// that nobody reads.
	maxString = 1 << 10
)

// segment is a part of the run's memory: from Begin up to Stop, which is not of it.
type segment struct {
	Begin *uint64 `json:"begin_addr"`
	Stop  *uint64 `json:"stop_ptr"`
}

// cell is one address of the public memory's main page.
type cell struct {
	address uint64
	value   felt.Felt
	ok      bool // the value is a felt
}

type publicInput struct {
	Output segment
	Memory []cell
}

// Output returns the words of a proof's program output, which lie in the main page of its public memory (Stone's
// public_input: memory_segments.output and public_memory). The rest of the file is skipped.
func Output(r io.Reader) ([]felt.Felt, error) {
	limited := &io.LimitedReader{R: r, N: MaxBytes + 1}
	p, err := find(json.NewDecoder(jsonlimit.NewReader(limited, jsonlimit.Limits{String: maxString, Cut: true})))
	if limited.N <= 0 {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrMalformed, MaxBytes)
	}
	if err != nil {
		return nil, err
	}
	return p.output()
}

// find reads the public input out of the file.
func find(d *json.Decoder) (*publicInput, error) {
	var found *publicInput
	d.UseNumber()
	err := object(d, func(key string) (err error) {
		if key != "public_input" || found != nil {
			return skip(d)
		}
		found, err = readPublicInput(d)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case found == nil:
		return nil, ErrNoPublicInput
	}
	return found, nil
}

func readPublicInput(d *json.Decoder) (*publicInput, error) {
	p := &publicInput{}
	return p, object(d, func(key string) error {
		switch key {
		case "memory_segments":
			return object(d, func(name string) error {
				if name != "output" {
					return skip(d)
				}
				return p.Output.read(d)
			})
		case "public_memory":
			return p.readMemory(d)
		}
		return skip(d)
	})
}

func (p *publicInput) readMemory(d *json.Decoder) error {
	if err := delim(d, '['); err != nil {
		return err
	}
	for d.More() {
		c, main, err := readCell(d)
		if err != nil {
			return err
		}
		if !main {
			continue
		}
		if len(p.Memory) >= maxCells {
			return fmt.Errorf("%w: the public memory's main page has more than %d cells", ErrMalformed, maxCells)
		}
		p.Memory = append(p.Memory, c)
	}
	return delim(d, ']')
}

// readCell reads a cell and says whether it is of the main page, page 0.
func readCell(d *json.Decoder) (c cell, main bool, err error) {
	var address *uint64
	page := new(uint64)
	err = object(d, func(key string) (err error) {
		switch key {
		case "address":
			address, err = number(d, "a cell's address")
		case "page":
			page, err = number(d, "a cell's page")
		case "value":
			c.value, c.ok, err = value(d)
		default:
			return skip(d)
		}
		return err
	})
	if err == nil && (address == nil || page == nil) {
		err = fmt.Errorf("%w: a cell of the public memory has no address or no page", ErrMalformed)
	}
	if err != nil {
		return c, false, err
	}
	c.address = *address
	return c, *page == 0, nil
}

// read reads a segment's ends.
func (s *segment) read(d *json.Decoder) error {
	return object(d, func(key string) (err error) {
		switch key {
		case "begin_addr":
			s.Begin, err = number(d, "the output's begin")
		case "stop_ptr":
			s.Stop, err = number(d, "the output's end")
		default:
			return skip(d)
		}
		return err
	})
}

// number reads a number; nil for null.
func number(d *json.Decoder, what string) (*uint64, error) {
	t, err := d.Token()
	if err != nil {
		return nil, malformed(err)
	}
	if t == nil {
		return nil, nil
	}
	text, _ := t.(json.Number)
	n, err := strconv.ParseUint(text.String(), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is %.40v", ErrMalformed, what, t)
	}
	return &n, nil
}

// value reads a value; ok is false for one that is not a felt, which matters in the output alone.
func value(d *json.Decoder) (v felt.Felt, ok bool, err error) {
	t, err := d.Token()
	if err != nil {
		return v, false, malformed(err)
	}
	text, ok := t.(string)
	if !ok {
		return v, false, fmt.Errorf("%w: a cell's value is %.40v", ErrMalformed, t)
	}
	v, err = felt.FromHex(text)
	return v, err == nil && strings.HasPrefix(text, "0x"), nil
}

func (p *publicInput) output() ([]felt.Felt, error) {
	s := p.Output
	if s.Begin == nil || s.Stop == nil || *s.Stop < *s.Begin || *s.Stop-*s.Begin > MaxWords {
		return nil, fmt.Errorf("%w: the public input has no output segment of at most %d words", ErrMalformed, MaxWords)
	}
	n := *s.Stop - *s.Begin
	out, have := make([]felt.Felt, n), make([]bool, n)
	left := n
	for _, c := range p.Memory {
		if c.address < *s.Begin || c.address >= *s.Stop {
			continue
		}
		i := c.address - *s.Begin
		if !c.ok {
			return nil, fmt.Errorf("%w: output word %d is not a felt in hex", ErrMalformed, i)
		}
		if have[i] {
			return nil, fmt.Errorf("%w: output word %d is there twice", ErrMalformed, i)
		}
		out[i], have[i] = c.value, true
		left--
	}
	if left > 0 {
		return nil, fmt.Errorf("%w: %d of %d output words are not in the main page", ErrMalformed, left, n)
	}
	return out, nil
}

func malformed(err error) error { return fmt.Errorf("%w: %w", ErrMalformed, err) }

func delim(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return malformed(err)
	}
	if t != want {
		return fmt.Errorf("%w: %.40v where %s is due", ErrMalformed, t, want)
	}
	return nil
}

// object reads an object; value takes each value.
func object(d *json.Decoder, value func(key string) error) error {
	if err := delim(d, '{'); err != nil {
		return err
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return malformed(err)
		}
		key, ok := t.(string)
		if !ok {
			return fmt.Errorf("%w: %.40v is not a key", ErrMalformed, t)
		}
		if err := value(key); err != nil {
			return err
		}
	}
	return delim(d, '}')
}

// skip passes over one value, token by token: lists of annotations are long.
func skip(d *json.Decoder) error {
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return malformed(err)
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxDepth {
				return fmt.Errorf("%w: it is nested too deeply", ErrMalformed)
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
