package pie

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
)

// walker goes through a JSON text token by token, so that no more is held than what its caller keeps: a list of a
// million short numbers would cost a multiple of its text otherwise.
type walker struct{ d *json.Decoder }

const (
	maxDepth  = 32  // of values that are passed over
	maxKeys   = 200 // of objects whose keys are not counted by what they hold
	maxDigits = 80  // of numbers; felts have 77
	maxName   = 200 // characters of keys and strings
	// bytes of a string, which are more than maxName characters however they are escaped; longer ones are cut to it
	maxToken = 4 << 10
)

// walk reads one JSON object of a file by its keys. Every function reads its key's value; what has none is passed over.
func walk(a *archive, name string, most int64, keys map[string]func(*walker) error) error {
	f, err := a.open(name, most)
	if err != nil {
		return err
	}
	defer f.Close()
	// The decoder holds a whole string or number: of what is passed over they may have any length.
	w := &walker{json.NewDecoder(jsonlimit.NewReader(f, jsonlimit.Limits{String: maxToken, Cut: true}))}
	w.d.UseNumber()
	if err := w.fields(keys); err != nil {
		return malformed(err, name)
	}
	if _, err := w.d.Token(); !errors.Is(err, io.EOF) {
		return malformed(fmt.Errorf("more than one value: %w", err), name)
	}
	return nil
}

func (w *walker) delim(want json.Delim) error {
	t, err := w.d.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%.40v where %s begins", t, map[json.Delim]string{'{': "an object", '[': "a list"}[want])
	}
	return nil
}

// optional at the end of a key that is given to fields says that it may be missing.
const optional = "?"

// fields reads an object with known keys. A key that is there twice, or a known one that is missing, is an error.
func (w *walker) fields(keys map[string]func(*walker) error) error {
	seen := map[string]bool{}
	err := w.object(maxKeys, func(key string) error {
		read, ok := keys[key]
		if !ok {
			read, ok = keys[key+optional]
		}
		if !ok {
			return w.skip()
		}
		seen[key] = true
		return read(w)
	})
	if err != nil {
		return err
	}
	for key := range keys {
		if !strings.HasSuffix(key, optional) && !seen[key] {
			return fmt.Errorf("no key %s", key)
		}
	}
	return nil
}

// object reads an object with at most most keys, none of them twice: readers differ in which of two they take.
func (w *walker) object(most int, value func(key string) error) error {
	if err := w.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for w.d.More() {
		key, err := w.text()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("key %.40q is there twice", key)
		}
		if len(seen) == most {
			return fmt.Errorf("%w: object of more than %d keys", ErrTooLarge, most)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	_, err := w.d.Token()
	return err
}

// list reads a list of at most most items.
func (w *walker) list(most int, item func(i int) error) error {
	if err := w.delim('['); err != nil {
		return err
	}
	for i := 0; w.d.More(); i++ {
		if i == most {
			return fmt.Errorf("%w: list of more than %d items", ErrTooLarge, most)
		}
		if err := item(i); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
	}
	_, err := w.d.Token()
	return err
}

// skip passes over a value.
func (w *walker) skip() error {
	for depth := 0; ; {
		t, err := w.d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxDepth {
				return fmt.Errorf("%w: values nested deeper than %d", ErrTooLarge, maxDepth)
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func (w *walker) text() (string, error) {
	t, err := w.d.Token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok || len(s) > maxName {
		return "", fmt.Errorf("%.40v is not a text of at most %d characters", t, maxName)
	}
	return s, nil
}

func (w *walker) number() (string, error) {
	t, err := w.d.Token()
	if err != nil {
		return "", err
	}
	n, ok := t.(json.Number)
	if !ok {
		return "", fmt.Errorf("%.40v is not a number", t)
	}
	if len(n) > maxDigits {
		return "", fmt.Errorf("number of %d digits, at most %d", len(n), maxDigits)
	}
	return n.String(), nil
}

// count reads a number below 2^bits.
func (w *walker) count(bits int) (uint64, error) {
	s, err := w.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%.40s is not a number below 2^%d", s, bits)
	}
	return n, nil
}

func (w *walker) integer() (*big.Int, error) {
	s, err := w.number()
	if err != nil {
		return nil, err
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return nil, fmt.Errorf("%.40s is not an integer", s)
	}
	return n, nil
}

func (w *walker) felt() (felt.Felt, error) {
	n, err := w.integer()
	if err != nil {
		return felt.Zero, err
	}
	return felt.FromBig(n)
}
