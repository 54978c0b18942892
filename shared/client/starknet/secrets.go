package starknet

import (
	"errors"
	"fmt"
	"net/url"
)

// maxText bounds an error's text in bytes: a node's trace of nested calls does not help beyond that.
const maxText = 2000

// wrap adds what was done to an error and takes secrets out of its text.
func (n *Node) wrap(method string, err error) error {
	text := err.Error()
	var ue *url.Error
	if errors.As(err, &ue) { // its text has the whole URL
		text = ue.Err.Error()
	}
	return fmt.Errorf("Starknet node: %s: %w", method, &scrubbed{text: n.secrets.Text(text, maxText), err: err})
}

// scrubbed is an error whose text shows no secret.
type scrubbed struct {
	text string
	err  error
}

// Error gives the text without secrets.
func (s *scrubbed) Error() string { return s.text }

// Is looks at the cause, which can't be unwrapped: its own text may show secrets.
func (s *scrubbed) Is(target error) bool { return errors.Is(s.err, target) }

// As finds what the node said; a url.Error, whose text shows the URL, is not given away.
func (s *scrubbed) As(target any) bool {
	if _, ok := target.(**url.Error); ok {
		return false
	}
	return errors.As(s.err, target)
}
