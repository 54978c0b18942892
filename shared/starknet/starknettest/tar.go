package starknettest

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"testing"
)

// ReadTar returns the member with a base name (or, with a slash in it, the end of a path) of a recorded tar.gz.
func ReadTar(t testing.TB, member string, archive ...string) []byte {
	t.Helper()
	f, err := os.Open(Data(t, archive...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("no member %s in %v", member, archive)
		}
		if err != nil {
			t.Fatal(err)
		}
		if dir, base := path.Split(h.Name); base != member && path.Join(path.Base(dir), base) != member {
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// ReadTarJSON decodes a member of a recorded tar.gz.
func ReadTarJSON(t testing.TB, member string, v any, archive ...string) {
	t.Helper()
	if err := json.Unmarshal(ReadTar(t, member, archive...), v); err != nil {
		t.Fatalf("%s: %v", member, err)
	}
}
