package starknet

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// secrets are the parts of a node's URL that may be an API key or a password.
type secrets []string

// keyLength is how long a path segment must be to count as a possible key: longer than the names in providers' paths.
const keyLength = 12

// secretsOf collects the whole URL, user, password, query, and the values and long segments of path and query.
func secretsOf(raw string, u *url.URL) secrets {
	found := secrets{raw}
	add := func(s string) {
		if len(s) > 2 {
			found = append(found, s)
			if e := url.QueryEscape(s); e != s {
				found = append(found, e)
			}
		}
	}
	if u.User != nil {
		p, _ := u.User.Password()
		add(base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + p))) // as basic authentication sends it
		add(u.User.String())
		add(u.User.Username())
		add(p)
	}
	add(u.RawQuery)
	for _, values := range u.Query() {
		for _, v := range values {
			add(v)
		}
	}
	for _, part := range strings.Split(u.Path, "/") {
		if len(part) >= keyLength {
			add(part)
		}
	}
	return found
}

func (s secrets) scrub(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// maxText bounds an error's text in bytes: a node's trace of nested calls is no help beyond that.
const maxText = 2000

// wrap adds what was done to an error and takes secrets out of its text.
func (n *Node) wrap(method string, err error) error {
	text := err.Error()
	var ue *url.Error
	if errors.As(err, &ue) { // its text has the whole URL
		text = ue.Err.Error()
	}
	return fmt.Errorf("Starknet node: %s: %w", method, &scrubbed{text: clip(n.secrets.scrub(text), maxText), err: err})
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

// clip cuts a text off at n bytes.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "..."
	}
	return s
}
