package fake

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

// Record is a request as a fake saw it.
type Record struct {
	Method, Path string
	Query        map[string]string
	Fields       map[string]string // texts of a form, or a JSON body's members that are texts
	File         string            // name of the form's file field
	FileName     string
	FileType     string
	FileSize     int64
	FileHash     string // sha256, hex
	Key          string // API key, or the client certificate's common name
	Status       int    // of the answer that the service meant to give
}

// Log keeps records. The zero value is ready. Safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	records []Record
	faults  []string
}

// maxRecords bounds a log; the oldest records are forgotten.
const maxRecords = 10_000

// Add keeps a record.
func (l *Log) Add(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) >= maxRecords {
		l.records = append(l.records[:0], l.records[maxRecords/2:]...)
	}
	l.records = append(l.records, r)
}

// Violation notes that a request is not as documented.
func (l *Log) Violation(r *http.Request, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.faults) < maxRecords {
		l.faults = append(l.faults, r.Method+" "+r.URL.Path+": "+fmt.Sprintf(format, args...))
	}
}

// Records are the requests so far, in the order in which they ended.
func (l *Log) Records() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Record(nil), l.records...)
}

// Violations are the ways in which requests were not as documented.
func (l *Log) Violations() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.faults...)
}

// Files keeps inputs and results in a folder of its own.
type Files struct{ dir string }

// NewFiles makes the folder. Close removes it.
func NewFiles(name string) (*Files, error) {
	dir, err := os.MkdirTemp("", "fake-"+name+"-")
	return &Files{dir}, err
}

// Close removes the files.
func (f *Files) Close() error { return os.RemoveAll(f.dir) }

// Path is a file's path.
func (f *Files) Path(name string) string { return filepath.Join(f.dir, name) }

// Save writes a file as a whole or not at all, and returns its size and hash.
func (f *Files) Save(name string, r io.Reader) (size int64, hash string, err error) {
	out, err := os.CreateTemp(f.dir, "part-")
	if err != nil {
		return 0, "", err
	}
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(out, h), r)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(out.Name(), f.Path(name))
	}
	if err != nil {
		_ = os.Remove(out.Name())
		return 0, "", err
	}
	return size, hex.EncodeToString(h.Sum(nil)), nil
}

// Remove removes a file; one that isn't there is no error.
func (f *Files) Remove(name string) { _ = os.Remove(f.Path(name)) }

// StartsWith says whether a file starts with a text.
func (f *Files) StartsWith(name, text string) bool {
	file, err := os.Open(f.Path(name))
	if err != nil {
		return false
	}
	defer file.Close()
	b := make([]byte, len(text))
	_, err = io.ReadFull(file, b)
	return err == nil && string(b) == text
}
