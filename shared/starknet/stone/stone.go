// Package stone reads the public input of STARK proofs in the JSON form of the Stone prover, which proving services hand out.
package stone

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

var (
	// ErrNoPublicInput says that a file is JSON without a public input: no proof of Stone's form.
	ErrNoPublicInput = errors.New("the proof has no public input")
	// ErrMalformed says that a file is no proof; the wrapping text says where.
	ErrMalformed = errors.New("malformed proof")
)

// Limits.
const (
	// MaxBytes is how long a proof may be. Those of large runs have some ten million bytes.
	MaxBytes = 128 << 20
	// MaxWords is how many words of output are read.
	MaxWords = 1 << 16
	maxCells = 1 << 20
	maxDepth = 100
)

// segment is a part of the run's memory: from Begin up to Stop, which is not of it.
type segment struct {
	Begin *uint64 `json:"begin_addr"`
	Stop  *uint64 `json:"stop_ptr"`
}

// cell is one address of the public memory. Page 0 is the main page.
type cell struct {
	Address *uint64 `json:"address"`
	Page    uint64  `json:"page"`
	Value   string  `json:"value"`
}

type publicInput struct {
	Segments map[string]segment
	Memory   []cell
}

// Output returns the words of a proof's program output, which lie in the main page of its public memory (Stone's
// public_input: memory_segments.output and public_memory). The rest of the file is skipped.
func Output(r io.Reader) ([]felt.Felt, error) {
	limited := &io.LimitedReader{R: r, N: MaxBytes + 1}
	p, err := find(json.NewDecoder(limited))
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
			return decode(d, &p.Segments)
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
		var c cell
		if len(p.Memory) >= maxCells {
			return fmt.Errorf("%w: the public memory has more than %d cells", ErrMalformed, maxCells)
		}
		if err := decode(d, &c); err != nil {
			return err
		}
		if c.Address == nil {
			return fmt.Errorf("%w: a cell of the public memory has no address", ErrMalformed)
		}
		p.Memory = append(p.Memory, c)
	}
	return delim(d, ']')
}

func (p *publicInput) output() ([]felt.Felt, error) {
	s := p.Segments["output"]
	if s.Begin == nil || s.Stop == nil || *s.Stop < *s.Begin || *s.Stop-*s.Begin > MaxWords {
		return nil, fmt.Errorf("%w: the public input has no output segment of at most %d words", ErrMalformed, MaxWords)
	}
	n := *s.Stop - *s.Begin
	out, have := make([]felt.Felt, n), make([]bool, n)
	left := n
	for _, c := range p.Memory {
		if c.Page != 0 || *c.Address < *s.Begin || *c.Address >= *s.Stop {
			continue
		}
		i := *c.Address - *s.Begin
		v, err := felt.FromHex(c.Value)
		if err != nil || !strings.HasPrefix(c.Value, "0x") {
			return nil, fmt.Errorf("%w: output word %d is %.80q", ErrMalformed, i, c.Value)
		}
		if have[i] {
			return nil, fmt.Errorf("%w: output word %d is there twice", ErrMalformed, i)
		}
		out[i], have[i] = v, true
		left--
	}
	if left > 0 {
		return nil, fmt.Errorf("%w: %d of %d output words are not in the main page", ErrMalformed, left, n)
	}
	return out, nil
}

func malformed(err error) error { return fmt.Errorf("%w: %w", ErrMalformed, err) }

func decode(d *json.Decoder, into any) error {
	if err := d.Decode(into); err != nil {
		return malformed(err)
	}
	return nil
}

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
			return fmt.Errorf("%w: %.40v is no key", ErrMalformed, t)
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
