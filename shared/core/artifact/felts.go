package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// ErrCorrupt says that an artifact is not what its name promises.
var ErrCorrupt = errors.New("artifact is corrupt")

// bytesPerFelt is the most that a felt takes in a JSON list: 0x, 64 digits, quotes, a comma, white space.
const bytesPerFelt = 80

// ReadFelts reads a JSON list of at most most hex felts. ErrCorrupt where it is none; ErrTooLarge, ErrNotFound as usual.
func ReadFelts(ctx context.Context, s Store, key string, most int) ([]felt.Felt, error) {
	b, err := ReadAll(ctx, s, key, int64(most)*bytesPerFelt+2)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	var words []felt.Felt
	if err := json.Unmarshal(b, &words); err != nil {
		return nil, fmt.Errorf("%s is not a JSON list of felts: %w: %w", key, ErrCorrupt, err)
	}
	if len(words) > most {
		return nil, fmt.Errorf("%s has %d felts, at most %d: %w", key, len(words), most, ErrTooLarge)
	}
	return words, nil
}

// ReadFirstFelts reads the first n felts of a JSON list of hex felts, and no more of the artifact than that takes. ErrCorrupt where it has fewer or
// is not such a list; ErrNotFound as usual.
func ReadFirstFelts(ctx context.Context, s Store, key string, n int) ([]felt.Felt, error) {
	r, err := s.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	defer r.Close()
	failed := &keepError{r: io.LimitReader(r, int64(n)*bytesPerFelt+2)}
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

// keepError keeps what a reader failed with, other than its end.
type keepError struct {
	r   io.Reader
	err error
}

func (k *keepError) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		k.err = err
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
