package appchain

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// Limits of recordings.
const (
	maxFile  = 256 << 20
	maxTotal = 1 << 30
	maxFiles = 100_000
)

// Load reads a recording and splits it into contiguous runs, in ascending order. path is a JSON file with one state
// update or a list of them, a folder of such files, or a tar.gz (or the folder that holds it and no such file). A
// file's name gives the number of its first block (178.json); a program output beside the updates gives the number and
// hash of the block before; nonces are read from a folder "nonces" in the recording or beside it.
func Load(path string) ([]Recording, error) {
	files, err := gather(path)
	if err != nil {
		return nil, fmt.Errorf("read recording %s: %w", path, err)
	}
	runs, err := assemble(files)
	if err != nil {
		return nil, fmt.Errorf("read recording %s: %w", path, err)
	}
	return runs, nil
}

// gather reads the files of a recording by name.
func gather(root string) (map[string][]byte, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		files := map[string][]byte{}
		if err := gatherDir(files, root, ""); err != nil {
			return nil, err
		}
		if tars, err := filepath.Glob(filepath.Join(root, "*.tar.gz")); err == nil &&
			len(files) == 0 && len(tars) == 1 {
			return gather(tars[0])
		}
		return files, nestNonces(files, filepath.Dir(root))
	case strings.HasSuffix(root, ".tar.gz"), strings.HasSuffix(root, ".tgz"):
		f, err := os.Open(root)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return untar(f)
	}
	b, err := readFile(root)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{filepath.Base(root): b}
	return files, nestNonces(files, filepath.Dir(filepath.Dir(root)))
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f, maxFile)
}

func readBounded(r io.Reader, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("more than %d bytes", most)
	}
	return b, err
}

// gatherDir reads a folder and those below it, up to a depth of 3.
func gatherDir(files map[string][]byte, dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	total := 0
	for _, e := range entries {
		name := path.Join(prefix, e.Name())
		switch {
		case len(files) >= maxFiles || total > maxTotal:
			return errors.New("too many or too large files")
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir() && strings.Count(name, "/") < 3:
			err = gatherDir(files, filepath.Join(dir, e.Name()), name)
		case relevant(name):
			files[name], err = readFile(filepath.Join(dir, e.Name()))
			total += len(files[name])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// nestNonces adds the folder "nonces" of the parent folder where there is one.
func nestNonces(files map[string][]byte, parent string) error {
	dir := filepath.Join(parent, "nonces")
	if _, err := os.Stat(dir); err != nil {
		return nil // there is none
	}
	return gatherDir(files, dir, "nonces")
}

func relevant(name string) bool {
	return strings.HasSuffix(name, ".json") || path.Base(name) == outputName
}

// Names of a recording's other files.
const (
	outputName   = "program_output.txt"
	squashedName = "squashed_state_update.json"
	statefulName = "stateful_compressed_state_update.json"
)

func untar(r io.Reader) (map[string][]byte, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	left := int64(maxTotal)
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeReg || strings.HasPrefix(path.Base(name), ".") || !relevant(name) {
			if left -= h.Size; left < 0 {
				return nil, errors.New("archive is too large")
			}
			continue
		}
		b, err := readBounded(t, min(maxFile, left))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if left -= int64(len(b)); len(files) >= maxFiles {
			return nil, errors.New("archive has too many files")
		}
		files[name] = b
	}
}

// assemble turns files into runs.
func assemble(files map[string][]byte) ([]Recording, error) {
	var runs []Recording
	nonces := map[uint64]map[felt.Felt]felt.Felt{}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		dir, base := path.Split(name)
		number, numbered := numberOf(base)
		switch {
		case path.Base(dir) == "nonces" && numbered:
			m, err := parseNonces(files[name])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			nonces[number] = m
		case numbered || base == "state_updates.json" || len(files) == 1 && strings.HasSuffix(base, ".json"):
			r, err := parseUpdates(files[name], number, numbered)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			r.From = name
			if out, ok := files[dir+outputName]; ok {
				r.useOutput(out)
			}
			if sq, ok := files[dir+squashedName]; ok {
				if err := r.useSquashed(sq, files[dir+statefulName]); err != nil {
					return nil, fmt.Errorf("%s: %w", dir+squashedName, err)
				}
			}
			runs = append(runs, r.split()...)
		}
	}
	if len(runs) == 0 {
		return nil, errors.New("no state updates in it")
	}
	slices.SortFunc(runs, func(a, b Recording) int { return cmp.Compare(a.Updates[0].Number, b.Updates[0].Number) })
	runs, err := join(runs)
	for i := range runs {
		runs[i].Nonces = nonces
	}
	return runs, err
}

// numberOf reads the number of a file name such as 178.json.
func numberOf(base string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimSuffix(base, ".json"), 10, 63)
	return n, err == nil
}

// parseUpdates reads one state update or a list. number is the first one's, if known.
func parseUpdates(raw []byte, number uint64, known bool) (Recording, error) {
	items := []json.RawMessage{raw}
	if t := bytes.TrimLeft(raw, " \t\r\n"); len(t) > 0 && t[0] == '[' {
		if err := json.Unmarshal(raw, &items); err != nil {
			return Recording{}, err
		}
	}
	if len(items) == 0 {
		return Recording{}, errors.New("the list of state updates is empty")
	}
	r := Recording{Numbered: known}
	if !known {
		number = 1 // block 0 has no state before it, which a recording mostly has
	}
	for i, item := range items {
		var said struct {
			Number *uint64 `json:"block_number"`
		}
		if err := json.Unmarshal(item, &said); err != nil {
			return Recording{}, fmt.Errorf("state update %d: %w", i, err)
		}
		if said.Number != nil {
			number, r.Numbered = *said.Number, true
		}
		u, err := appchain.ParseStateUpdate(number, item)
		if err != nil {
			return Recording{}, err
		}
		if i == 0 && !r.Numbered && u.OldRoot.IsZero() {
			u.Number = 0
		}
		r.Updates = append(r.Updates, u)
		number = u.Number + 1
		if number == 0 {
			return Recording{}, errors.New("block number overflows")
		}
	}
	return r, nil
}

// follows says whether b is the block after a.
func follows(a, b block.StateUpdate) bool {
	return b.Number == a.Number+1 && b.OldRoot == a.NewRoot && b.BlockHash != a.BlockHash
}

// split cuts a recording where blocks do not follow each other.
func (r Recording) split() []Recording {
	var out []Recording
	start := 0
	for i := range r.Updates {
		if i+1 == len(r.Updates) || !follows(r.Updates[i], r.Updates[i+1]) {
			part := r
			part.Updates = r.Updates[start : i+1]
			if start > 0 {
				part.ParentHash, part.Before = felt.Zero, nil
			}
			out = append(out, part)
			start = i + 1
		}
	}
	return out
}

// join puts runs together that follow each other, and refuses two recordings of one block.
func join(runs []Recording) ([]Recording, error) {
	out := runs[:1]
	for _, r := range runs[1:] {
		last := &out[len(out)-1]
		_, end := last.bounds()
		switch first, _ := r.bounds(); {
		case follows(last.Updates[len(last.Updates)-1], r.Updates[0]):
			last.Updates = append(slices.Clip(last.Updates), r.Updates...)
			last.From += ", " + r.From
		case first <= end && last.Numbered && r.Numbered:
			return nil, fmt.Errorf("block %d is recorded twice: %s and %s", first, last.From, r.From)
		default:
			out = append(out, r)
		}
	}
	return out, nil
}
