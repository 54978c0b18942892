package pie

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
)

// Files of a PIE (cairo-lang, vm/cairo_pie.py). Early PIEs have no version.
const (
	versionFile    = "version.json"
	metadataFile   = "metadata.json"
	memoryFile     = "memory.bin"
	additionalFile = "additional_data.json"
	resourcesFile  = "execution_resources.json"
)

// archive is a PIE's zip with a common allowance for what is unpacked of it.
type archive struct {
	files map[string]*zip.File
	left  int64
}

// metered gives out no more than a number of bytes while it is on: zip.NewReader holds every entry of a directory that
// it finds, whatever number of them the zip claims to have.
type metered struct {
	io.ReaderAt
	left int64
	on   bool
}

var errDirectory = fmt.Errorf("%w: the zip's directory", ErrTooLarge)

// ReadAt implements io.ReaderAt.
func (m *metered) ReadAt(p []byte, off int64) (int, error) {
	n, err := m.ReaderAt.ReadAt(p, off)
	if m.on {
		if m.left -= int64(n); m.left < 0 {
			return 0, errDirectory
		}
	}
	return n, err
}

// openArchive reads the zip's directory. There must be the files of a PIE and no others: of two files with one name
// another reader might take the other.
func openArchive(r io.ReaderAt, size int64, l Limits) (*archive, error) {
	m := &metered{ReaderAt: r, left: l.Directory, on: true}
	z, err := zip.NewReader(m, size)
	if m.left < 0 {
		return nil, fmt.Errorf("%w has more than %d bytes", errDirectory, l.Directory)
	}
	if err != nil {
		return nil, malformed(err, "zip")
	}
	m.on = false
	if len(z.File) > l.Files {
		return nil, fmt.Errorf("%w: %d files, at most %d", ErrTooLarge, len(z.File), l.Files)
	}
	a := &archive{files: map[string]*zip.File{}, left: l.Total}
	for _, f := range z.File {
		switch f.Name {
		case versionFile, metadataFile, memoryFile, additionalFile, resourcesFile:
		default:
			return nil, fmt.Errorf("%w: file %.80q is none of a PIE's", ErrMalformed, f.Name)
		}
		if a.files[f.Name] != nil {
			return nil, fmt.Errorf("%w: %s is there twice", ErrMalformed, f.Name)
		}
		a.files[f.Name] = f
	}
	for _, name := range []string{metadataFile, memoryFile, additionalFile, resourcesFile} {
		if a.files[name] == nil {
			return nil, fmt.Errorf("%w: no %s", ErrMalformed, name)
		}
	}
	return a, nil
}

// open returns a file that gives ErrTooLarge beyond most bytes, whatever the zip's directory claims.
func (a *archive) open(name string, most int64) (io.ReadCloser, error) {
	f := a.files[name]
	if most = min(most, a.left); f.UncompressedSize64 > uint64(most) {
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d", ErrTooLarge, name, f.UncompressedSize64, most)
	}
	r, err := f.Open()
	if err != nil {
		return nil, malformed(err, name)
	}
	return &bounded{ReadCloser: r, left: most, archive: a, name: name}, nil
}

// bounded fails instead of reading beyond its limit.
type bounded struct {
	io.ReadCloser
	left    int64
	archive *archive
	name    string
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.archive.left -= int64(n)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("%w: %s unpacks to more than it may", ErrTooLarge, b.name)
	}
	return n, err
}

// malformed wraps an error of reading what as ErrMalformed, unless it says ErrTooLarge or ErrMalformed already.
func malformed(err error, what string) error {
	if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrMalformed) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrMalformed, what, err)
}
