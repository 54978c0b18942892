// Package rpcnode is what the clients of JSON-RPC nodes share: errors that show no secret, and reads that are
// repeated.
package rpcnode

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/outbound"
	"github.com/madara-orchestrator/orchestrator/shared/core/look"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

// Wrap adds what was done to an error and takes secrets out of its text, of which it keeps at most the number of bytes.
// errors.Is and errors.As find the cause; nothing prints it.
func Wrap(what string, err error, secrets redact.Known, most int) error {
	text := err.Error()
	var ue *url.Error
	if errors.As(err, &ue) { // its text has the whole URL, which the configuration has too
		text = ue.Err.Error()
	}
	return fmt.Errorf("%s: %w", what, &scrubbed{text: secrets.Text(text, most), err: err})
}

// Unanswered is Wrap for an error that is not the node's answer: look.ErrUnanswered, and look.ErrUnreached where the
// request was surely not made.
func Unanswered(what string, err error, secrets redact.Known, most int) error {
	wrapped := Wrap(what, err, secrets, most)
	if unreached(err) {
		return look.Unreached(wrapped)
	}
	return look.Unanswered(wrapped)
}

// unreached says whether no connection to the node came about.
func unreached(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns) || errors.As(err, &certificate)
}

// Unchecked is the error of a check that came before a request to change the chain: the request was not made.
func Unchecked(err error) error {
	if errors.Is(err, look.ErrUnanswered) {
		return look.Unreached(err)
	}
	return err
}

// Retry makes a read until it has an answer, again says that another try does not help, or ctx ends; at most once more
// than there are pauses, one of which lies before each further try.
func Retry(ctx context.Context, pauses []time.Duration, read func() error, again func(error) bool) error {
	for try := 0; ; try++ {
		err := read()
		if err == nil || try >= len(pauses) || !again(err) || outbound.Sleep(ctx, pauses[try]) != nil {
			return err
		}
	}
}

// scrubbed is an error whose text shows no secret.
type scrubbed struct {
	text string
	err  error
}

// Error gives the text without secrets.
func (s *scrubbed) Error() string { return s.text }

// Is and As look at the cause, which can't be unwrapped: its own text may show secrets.
func (s *scrubbed) Is(target error) bool { return errors.Is(s.err, target) }

// As finds what the node said; a url.Error, whose text shows the URL, is not given away.
func (s *scrubbed) As(target any) bool {
	if _, ok := target.(**url.Error); ok {
		return false
	}
	return errors.As(s.err, target)
}
