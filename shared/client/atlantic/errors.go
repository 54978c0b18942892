package atlantic

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/httpcall"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
)

var (
	// ErrUnauthorized says that Atlantic does not take the API key. Set another one, and what was tried goes on.
	ErrUnauthorized = errors.New("Atlantic does not take the API key")
	// ErrCredits says that the project has no credits left. Buy some, and what was tried goes on.
	ErrCredits = errors.New("the project at Atlantic has no credits left")
	// ErrExpired says that Atlantic keeps a finished task's result no more. It is ErrRejected too: the task must be
	// done again under another dedup id.
	ErrExpired = fmt.Errorf("Atlantic keeps the result no more: %w", proof.ErrRejected)
	// ErrUnauthenticated says that a webhook did not carry the secret.
	ErrUnauthenticated = errors.New("webhook does not carry the secret")
)

// StatusError is an answer of Atlantic other than a success.
type StatusError = httpcall.StatusError

// translate gives an error of a request the port's and this package's meaning. It is the one place where that is done.
// Errors that stay as they are are transient failures.
func translate(err error) error {
	var s *StatusError
	if err == nil || !errors.As(err, &s) || s.Passing() {
		return err
	}
	switch s.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrUnauthorized, err)
	case http.StatusPaymentRequired:
		return fmt.Errorf("%w: %w", ErrCredits, err)
	}
	switch s.Code {
	case "INVALID_API_KEY":
		return fmt.Errorf("%w: %w", ErrUnauthorized, err)
	case "INSUFFICIENT_CREDITS":
		return fmt.Errorf("%w: %w", ErrCredits, err)
	}
	if !s.API {
		return err // not Atlantic's host or path: a setting is wrong, not the request
	}
	return fmt.Errorf("%w: %w", proof.ErrRejected, err)
}

// missing says whether Atlantic itself says that there is no such thing.
func missing(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && s.Status == http.StatusNotFound && s.API
}
