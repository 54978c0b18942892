package da

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// ErrUnreadable says that a DA segment is not a state diff that a reader could decode.
var ErrUnreadable = errors.New("the DA segment is not a state diff")

// ErrNotCompared says that the app chain's node leaves out what is compared: whether the segment is right is not known.
var ErrNotCompared = errors.New("the DA segment can't be compared with the chain")

// Blocks are those whose changes a DA segment has.
type Blocks struct {
	From, To uint64
	EndHash  felt.Felt // of the last one; zero where it is not known
}

// Compare compares a DA segment with what the app chain says that blocks changed. The error is a *MismatchError or
// ErrUnreadable where it is another diff; any other, such as ErrNotCompared, says that something can't be read.
type Compare func(ctx context.Context, segment []felt.Felt, b Blocks) error

// Once compares the segment under a key, unless it is the one that was compared already: noted is its sum. Where it is
// another diff the error is permanent (package job): no retry helps while the segment is what it is.
func (c Compare) Once(ctx context.Context, noted *string, key string, segment []felt.Felt, b Blocks) error {
	digest := sha256.Sum256(felt.Concat(segment))
	sum := hex.EncodeToString(digest[:])
	if sum == *noted {
		return nil
	}
	err := c(ctx, segment, b)
	if err == nil {
		*noted = sum
		return nil
	}
	err = fmt.Errorf("compare DA segment %s with its blocks: %w", key, err)
	if differs := new(MismatchError); errors.As(err, &differs) || errors.Is(err, ErrUnreadable) {
		return job.Permanent(err)
	}
	return err
}

// MismatchError says where a DA segment differs from what the batch's blocks changed.
type MismatchError struct {
	What      string    // such as "storage slot", "nonce" or "class hash"
	Contract  felt.Felt // 0 for declared classes
	Key       felt.Felt // of a slot; a declared class' hash
	Published *felt.Felt
	State     *felt.Felt // by the chain's state updates; nil, as of Published: there is none
}

// Error names contract, key and both values.
func (e *MismatchError) Error() string {
	where := e.What
	if !e.Contract.IsZero() {
		where += " of contract " + e.Contract.String()
	}
	if !e.Key.IsZero() {
		where += ", " + e.Key.String()
	}
	return fmt.Sprintf("the DA segment is not the state diff of the batch's blocks: %s: the segment has %s, the "+
		"chain's state updates have %s", where, orNone(e.Published), orNone(e.State))
}

func orNone(f *felt.Felt) string {
	if f == nil {
		return "none"
	}
	return f.String()
}
