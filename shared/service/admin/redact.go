package admin

import (
	"errors"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// maxShown is the most of an error's text that is shown, in bytes.
const maxShown = 600

// Redact returns what may be shown of a text: see package redact.
func Redact(text string) string { return redact.Text(text, maxShown) }

// reasonOf is an error as it may be shown; "" for none.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return Redact(err.Error())
}

// either says whether err is one of the targets.
func either(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}
