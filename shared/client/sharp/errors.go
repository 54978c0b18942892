package sharp

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/httpcall"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
)

var (
	// ErrUnauthorized says that the gateway does not take the certificate or the customer id. Set others, and what was
	// tried goes on.
	ErrUnauthorized = errors.New("SHARP does not take certificate or customer id")
	// ErrExpired says that SHARP keeps a finished job's proof no more. It is ErrRejected too: the job must be done
	// again under another dedup id.
	ErrExpired = fmt.Errorf("SHARP keeps the proof no more: %w", proof.ErrRejected)
)

// StatusError is an answer of the gateway other than a success.
type StatusError = httpcall.StatusError

// translate gives an error of a request the port's and this package's meaning. It is the one place where that is done.
// Errors that stay as they are are transient failures.
func translate(err error) error {
	var s *StatusError
	if err == nil || !errors.As(err, &s) || s.Passing() || !s.API {
		return err
	}
	switch s.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrUnauthorized, err)
	}
	return fmt.Errorf("%w: %w", proof.ErrRejected, err)
}

// errUnsupported is for requests that SHARP has no way to take.
func errUnsupported(format string, args ...any) error {
	return fmt.Errorf("SHARP: %s: %w: %w", fmt.Sprintf(format, args...), proof.ErrRejected, errors.ErrUnsupported)
}
