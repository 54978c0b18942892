// Package jsonlimit bounds what decoding JSON from outside may take. A limit of bytes is not one of memory:
// `[{},{},...]` has three bytes an element, and a decoder makes a struct of each. So elements are counted while the
// text is read, before anything is made of them.
package jsonlimit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrTooLarge says that a text has more bytes or elements, or a longer string, than the reader allows.
var ErrTooLarge = errors.New("JSON is larger than allowed")

// Error is an ErrTooLarge that says what there is more of than allowed.
type Error struct{ Beyond string }

// Error says that the JSON is too large and in what.
func (e *Error) Error() string { return ErrTooLarge.Error() + ": " + e.Beyond }

// Is makes it ErrTooLarge.
func (e *Error) Is(target error) bool { return target == ErrTooLarge }

func beyond[N int | int64](format string, limit N) error { return &Error{fmt.Sprintf(format, limit)} }

// Limits bound a JSON text. Zero means no bound.
type Limits struct {
	Bytes int64 // of the text
	// Elements are the values and keys: each of { [ , : outside of strings counts 1, so an object of two fields counts
	// 4. What a decoder makes of one takes some hundred bytes at the most, since slices grow by copying.
	Elements int
	String   int // bytes of a string or a number
	// Cut shortens strings that are longer than String instead of failing: for readers that need no long string.
	// Numbers fail.
	Cut bool
}

// NewReader returns what r reads, and ErrTooLarge at the byte that passes a limit. It takes r for JSON and does not
// check that it is.
func NewReader(r io.Reader, l Limits) io.Reader { return &reader{r: r, scan: scan{l: l}} }

type reader struct {
	r    io.Reader
	scan scan
	err  error
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for r.err == nil && len(p) > 0 {
		n, err := r.r.Read(p)
		kept, limit := r.scan.pass(p[:n])
		if r.err = limit; limit == nil {
			r.err = err
		}
		if kept > 0 {
			return kept, nil
		}
	}
	return 0, r.err
}

// Check returns ErrTooLarge for a text that passes a limit.
func Check(b []byte, l Limits) error {
	l.Cut = false // b is the caller's
	s := scan{l: l}
	_, err := s.pass(b)
	return err
}

// Unmarshal is json.Unmarshal of a text within limits; ErrTooLarge for one that passes them.
func Unmarshal(b []byte, into any, l Limits) error {
	if err := Check(b, l); err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// scan is where a text is: within a string, and within an escape of it.
type scan struct {
	l        Limits
	bytes    int64
	elements int
	quoted   bool
	length   int // of the string so far
	escape   int // where in an escape: see afterBackslash
	cutting  bool
}

// Values of scan.escape, which else counts the digits of \uXXXX that are still to come.
const (
	afterBackslash = -1
	unicodeDigits  = 4
)

// pass looks at the next bytes, moves those that stay to the front and returns how many they are.
func (s *scan) pass(b []byte) (kept int, err error) {
	if s.bytes += int64(len(b)); s.l.Bytes > 0 && s.bytes > s.l.Bytes {
		return 0, beyond("more than %d bytes", s.l.Bytes)
	}
	for _, c := range b {
		keep := true
		if s.quoted {
			if keep, err = s.string(c); err != nil {
				return kept, err
			}
		} else {
			switch c {
			case '"':
				s.quoted, s.length, s.cutting = true, 0, false
			case '{', '[', ',', ':':
				s.length = 0
				if s.elements++; s.l.Elements > 0 && s.elements > s.l.Elements {
					return kept, beyond("more than %d elements", s.l.Elements)
				}
			case '}', ']', ' ', '\t', '\r', '\n':
				s.length = 0
			default:
				if s.length++; s.l.String > 0 && s.length > s.l.String {
					return kept, beyond("a number of more than %d bytes", s.l.String)
				}
			}
		}
		if keep {
			if s.l.Cut {
				b[kept] = c
			}
			kept++
		}
	}
	return kept, nil
}

// string takes a byte within a string and says whether it stays. A string is cut between two characters, never within
// an escape.
func (s *scan) string(c byte) (keep bool, err error) {
	switch {
	case s.escape == afterBackslash:
		if s.escape = 0; c == 'u' {
			s.escape = unicodeDigits
		}
	case s.escape > 0:
		s.escape--
	case c == '"':
		s.quoted, s.length = false, 0
		return true, nil
	default:
		if s.l.String > 0 && s.length >= s.l.String && !s.l.Cut {
			return false, beyond("a string of more than %d bytes", s.l.String)
		}
		s.cutting = s.cutting || s.l.String > 0 && s.length >= s.l.String
		if c == '\\' {
			s.escape = afterBackslash
		}
	}
	s.length++
	return !s.cutting, nil
}
