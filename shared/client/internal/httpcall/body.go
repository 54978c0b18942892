package httpcall

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// errStalled says that a service went quiet.
var errStalled = errors.New("no byte came for too long")

// source is a request's body that remembers why reading it failed. The transport may go on reading after it returned.
type source struct {
	io.ReadCloser
	mu  sync.Mutex
	err error
}

// Read reads, and keeps the failure.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

func (s *source) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Exactly reads size bytes of r and fails where r has fewer or more.
func Exactly(r io.Reader, size int64) io.Reader { return &exactly{r: r, size: size} }

type exactly struct {
	r    io.Reader
	size int64
	read int64
}

// Read implements io.Reader.
func (e *exactly) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.read += int64(n)
	switch {
	case e.read > e.size:
		return 0, fmt.Errorf("input is longer than the %d bytes announced", e.size)
	case errors.Is(err, io.EOF) && e.read < e.size:
		return n, fmt.Errorf("input has %d bytes, announced were %d: %w", e.read, e.size, io.ErrUnexpectedEOF)
	}
	return n, err
}

// Frame is a body of head, what r reads, and tail; it closes c.
func Frame(head string, r io.Reader, tail string, c io.Closer) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(head), r, strings.NewReader(tail)), c}
}

// Base64 reads r in standard Base64, holding a few kB.
func Base64(r io.Reader) io.Reader { return &base64Reader{r: r} }

type base64Reader struct {
	r    io.Reader
	in   [48 << 10]byte // a multiple of 3
	out  [64 << 10]byte
	rest []byte // of out, not read yet
	err  error
}

// Read implements io.Reader.
func (b *base64Reader) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		n := 0
		for n < len(b.in) && b.err == nil {
			var m int
			m, b.err = b.r.Read(b.in[n:])
			n += m
		}
		if b.err != nil && !errors.Is(b.err, io.EOF) {
			return 0, b.err
		}
		base64.StdEncoding.Encode(b.out[:], b.in[:n])
		b.rest = b.out[:base64.StdEncoding.EncodedLen(n)]
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// download is an answer's body, bounded in size and in how long it may stall.
type download struct {
	*Caller
	op     string
	body   io.ReadCloser
	left   int64
	watch  *time.Timer
	cancel context.CancelFunc
}

// Read implements io.Reader.
func (d *download) Read(p []byte) (int, error) {
	d.watch.Reset(d.cfg.RequestTimeout)
	n, err := d.body.Read(p)
	stalled := !d.watch.Stop()
	if d.left -= int64(n); d.left < 0 {
		return 0, d.Malformed(d.op, "its answer is larger than allowed")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		if stalled {
			err = errStalled
		}
		return n, d.transportError(d.op, err)
	}
	return n, err
}

// Close implements io.Closer.
func (d *download) Close() error {
	d.watch.Stop()
	d.cancel()
	return d.body.Close()
}
