package history

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// Kinds of lines of an export.
const (
	kindHead       = "history"
	kindAggregator = "aggregator_batch"
	kindSnos       = "snos_batch"
	kindJob        = "job"
	kindEnd        = "end"
)

// schema is that of exports: readers refuse others.
const schema = 1

// Bounds of an export, for readers.
const (
	maxLine  = 4 << 20 // bytes
	maxLines = 100_000
)

// line is one line of an export.
type line struct {
	Kind     string          `json:"kind"`
	Schema   int             `json:"schema,omitempty"` // of the first line, as Index
	Index    uint64          `json:"index,omitempty"`
	Lines    int             `json:"lines,omitempty"`  // of the last line: how many there are before it
	SHA256   string          `json:"sha256,omitempty"` // likewise: of all before it
	Document json.RawMessage `json:"document,omitempty"`
}

// plainJob is a job without its metadata's type.
type plainJob job.Job

// Export is a unit as JSON lines: a head, a line a document, and an end with the number of lines and their hash. The
// same unit gives the same bytes.
func Export(u Unit) ([]byte, error) {
	var out bytes.Buffer
	lines := 0
	add := func(l line, document any) error {
		if document != nil {
			b, err := json.Marshal(document)
			if err != nil {
				return fmt.Errorf("export %s of unit %d: %w", l.Kind, u.Index, err)
			}
			l.Document = b
		}
		b, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("export unit %d: %w", u.Index, err)
		}
		lines++
		out.Write(append(b, '\n'))
		return nil
	}
	err := add(line{Kind: kindHead, Schema: schema, Index: u.Index}, nil)
	if u.Aggregator != nil {
		err = errors.Join(err, add(line{Kind: kindAggregator}, u.Aggregator))
	}
	for _, b := range u.Snos {
		err = errors.Join(err, add(line{Kind: kindSnos}, b))
	}
	for _, j := range u.Jobs {
		err = errors.Join(err, add(line{Kind: kindJob}, j))
	}
	sum := sha256.Sum256(out.Bytes())
	err = errors.Join(err, add(line{Kind: kindEnd, Lines: lines, SHA256: hex.EncodeToString(sum[:])}, nil))
	return out.Bytes(), err
}

// Read reads an export. ErrCorrupt where it is not whole or not one; the text says at which line.
func Read(r io.Reader) (Unit, error) {
	var u Unit
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64<<10), maxLine)
	sum, n := sha256.New(), 0
	corrupt := func(format string, args ...any) (Unit, error) {
		return Unit{}, fmt.Errorf("line %d: %w: %w", n+1, ErrCorrupt, fmt.Errorf(format, args...))
	}
	for in.Scan() {
		var l line
		if err := strict(in.Bytes(), &l); err != nil {
			return corrupt("%w", err)
		}
		if (l.Kind == kindHead) != (n == 0) || n == 0 && l.Schema != schema {
			return corrupt("%.40q of schema %d: want first of all %q of schema %d", l.Kind, l.Schema, kindHead, schema)
		}
		if l.Kind == kindEnd {
			if got := hex.EncodeToString(sum.Sum(nil)); l.Lines != n || l.SHA256 != got {
				return corrupt("it names %d lines with the hash %.64s, before it are %d with %s", l.Lines, l.SHA256,
					n, got)
			}
			n++
			if in.Scan() {
				return corrupt("something follows the end")
			}
			return u, in.Err()
		}
		if err := u.take(l); err != nil {
			return corrupt("%w", err)
		}
		sum.Write(in.Bytes())
		sum.Write([]byte{'\n'})
		if n++; n > maxLines {
			return corrupt("more than %d lines", maxLines)
		}
	}
	if err := in.Err(); errors.Is(err, bufio.ErrTooLong) {
		return corrupt("it has more than %d bytes", maxLine)
	} else if err != nil {
		return Unit{}, fmt.Errorf("read an export: %w", err)
	}
	return corrupt("the end is missing")
}

// take adds what a line holds.
func (u *Unit) take(l line) error {
	switch l.Kind {
	case kindHead:
		u.Index = l.Index
		return nil
	case kindAggregator:
		if u.Aggregator != nil {
			return errors.New("a second aggregator batch")
		}
		u.Aggregator = new(batch.AggregatorBatch)
		return strict(l.Document, u.Aggregator)
	case kindSnos:
		var b batch.SnosBatch
		if err := strict(l.Document, &b); err != nil {
			return err
		}
		u.Snos = append(u.Snos, b)
		return nil
	case kindJob:
		var d struct {
			plainJob
			Metadata json.RawMessage
		}
		if err := strict(l.Document, &d); err != nil {
			return err
		}
		m, err := job.DecodeMetadata(d.Type, d.Metadata)
		if err != nil {
			return err
		}
		j := job.Job(d.plainJob)
		j.Metadata = m
		u.Jobs = append(u.Jobs, j)
		return nil
	}
	return fmt.Errorf("unknown kind %.40q", l.Kind)
}

// strict decodes JSON of which every field is known.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("something follows the value")
	}
	return nil
}
