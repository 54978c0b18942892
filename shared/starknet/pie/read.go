package pie

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Read reads a PIE of size bytes. Memory is read as a stream: only the program's and the output's words are held. It
// fails with ErrMalformed or ErrTooLarge, or with r's own error.
func Read(r io.ReaderAt, size int64, l Limits) (*PIE, error) {
	l = l.filled()
	if size > l.Zip {
		return nil, fmt.Errorf("%w: zip of %d bytes, at most %d", ErrTooLarge, size, l.Zip)
	}
	z, err := openArchive(r, size, l)
	if err != nil {
		return nil, err
	}
	m, err := readMetadata(z, l)
	if err != nil {
		return nil, err
	}
	p := &PIE{Program: m.program}
	for _, read := range []func() error{
		func() error { return p.readVersion(z, l) },
		func() error { return p.readResources(z, m, l) },
		func() error { return p.readTopology(z, m.output().Size, l) },
		func() error { return p.readMemory(z, m, l) },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// ReadStream reads a PIE of which there is no more than a stream, such as an object store's: it copies it to a file in
// dir ("" for the system's temporary folder), which is gone when ReadStream returns, also after a crash where the
// system lets an open file be removed.
func ReadStream(r io.Reader, dir string, l Limits) (_ *PIE, err error) {
	l = l.filled()
	f, err := os.CreateTemp(dir, "pie-*.zip")
	if err != nil {
		return nil, fmt.Errorf("copy PIE to disk: %w", err)
	}
	removed := os.Remove(f.Name()) == nil
	defer func() {
		err = errors.Join(err, f.Close())
		if !removed {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	n, err := io.Copy(f, io.LimitReader(r, l.Zip+1))
	if err != nil {
		return nil, fmt.Errorf("copy PIE to disk: %w", err)
	}
	if n > l.Zip {
		return nil, fmt.Errorf("%w: zip of more than %d bytes", ErrTooLarge, l.Zip)
	}
	return Read(f, n, l)
}
