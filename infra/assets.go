package main

import (
	"archive/zip"
	"compress/flate"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Zips are the paths of the functions' code, by name.
type Zips map[string]string

// maxZip is the most that a function's code may have, in bytes: it bounds the cold start.
const maxZip = 15 << 20

// Build compiles all functions for provided.al2023 on arm64 and zips them into dir: the same sources and the same Go give
// the same bytes.
func Build(root, dir string) (Zips, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", abs+"/", "./functions/...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the functions: %w\n%s", err, out)
	}
	zips := Zips{}
	for _, f := range resource.Functions() {
		path := filepath.Join(abs, f.Name+".zip")
		if err := pack(filepath.Join(abs, f.Name), path); err != nil {
			return nil, fmt.Errorf("zip function %s: %w", f.Name, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if info.Size() > maxZip {
			return nil, fmt.Errorf("function %s has %d bytes zipped, at most %d: look at what it links (TestLinks)", f.Name, info.Size(), maxZip)
		}
		zips[f.Name] = path
	}
	return zips, nil
}

// pack writes a zip with the program as bootstrap. Times and modes are fixed, so that the bytes depend on the program alone.
func pack(program, path string) error {
	in, err := os.Open(program)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	z := zip.NewWriter(out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, in); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return out.Close()
}
