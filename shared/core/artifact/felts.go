package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

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
		return nil, fmt.Errorf("%s is no JSON list of felts: %w: %w", key, ErrCorrupt, err)
	}
	if len(words) > most {
		return nil, fmt.Errorf("%s has %d felts, at most %d: %w", key, len(words), most, ErrTooLarge)
	}
	return words, nil
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
