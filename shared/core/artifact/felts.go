package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
)

// ErrCorrupt says that an artifact is not what its name promises.
var ErrCorrupt = errors.New("artifact is corrupt")

// bytesPerFelt is the most that a felt takes in a JSON list: 0x, 64 digits, quotes, a comma, white space.
const bytesPerFelt = 80

// ReadFelts reads a JSON list of at most most hex felts. ErrCorrupt where it is none; ErrTooLarge, ErrNotFound as
// usual.
func ReadFelts(ctx context.Context, s Store, key string, most int) ([]felt.Felt, error) {
	r, err := s.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	defer r.Close()
	from := &source{r: r}
	words, err := decodeFelts(json.NewDecoder(jsonlimit.NewReader(from, jsonlimit.Limits{
		Bytes: int64(most)*bytesPerFelt + 2, String: bytesPerFelt,
	})), most)
	switch {
	case from.err != nil: // the store's, not the content's
		return nil, fmt.Errorf("read %s: %w", key, from.err)
	case errors.Is(err, ErrTooLarge), errors.Is(err, jsonlimit.ErrTooLarge):
		return nil, fmt.Errorf("%s has more than %d felts or bytes for them: %w", key, most, ErrTooLarge)
	case err != nil:
		return nil, fmt.Errorf("%s is not a JSON list of felts: %w: %w", key, ErrCorrupt, err)
	}
	return words, nil
}

// ReadFirstFelts reads the first n felts of a JSON list of hex felts, and no more of the artifact than that takes.
// ErrCorrupt where it has fewer or is not such a list; ErrNotFound as usual.
func ReadFirstFelts(ctx context.Context, s Store, key string, n int) ([]felt.Felt, error) {
	r, err := s.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	defer r.Close()
	failed := &source{r: io.LimitReader(r, int64(n)*bytesPerFelt+2)}
	d := json.NewDecoder(failed)
	words := make([]felt.Felt, 0, n)
	first, err := d.Token()
	if err == nil && first != json.Delim('[') {
		err = errors.New("it begins with another token than [")
	}
	for err == nil && len(words) < n {
		var f felt.Felt
		if err = d.Decode(&f); err == nil {
			words = append(words, f)
		}
	}
	if failed.err != nil {
		return nil, fmt.Errorf("read %s: %w", key, failed.err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not a JSON list of at least %d felts: %w: %w", key, n, ErrCorrupt, err)
	}
	return words, nil
}

// decodeFelts reads the list felt by felt, so that no more is held than its words.
func decodeFelts(d *json.Decoder, most int) ([]felt.Felt, error) {
	t, err := d.Token()
	if err != nil || t != json.Delim('[') {
		return nil, fmt.Errorf("%.40v where a list is due: %w", t, err)
	}
	words := []felt.Felt{}
	for d.More() {
		var w *felt.Felt
		if err := d.Decode(&w); err != nil {
			return nil, err
		}
		if w == nil {
			return nil, fmt.Errorf("word %d is null", len(words))
		}
		if len(words) == most {
			return nil, ErrTooLarge
		}
		words = append(words, *w)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("something follows the list: %w", err)
	}
	return words, nil
}

// source keeps why reading an object failed.
type source struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// WriteFelts stores a JSON list of hex felts.
func WriteFelts(ctx context.Context, s Store, key string, words []felt.Felt) error {
	if words == nil {
		words = []felt.Felt{}
	}
	b, err := json.Marshal(words)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	if err := s.Put(ctx, key, bytes.NewReader(b)); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}
