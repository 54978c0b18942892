// Package redact takes secrets out of texts that leave the program: errors, logs, alerts, answers. It is the only place
// with such rules.
//
// Secrets are known where a client has them: Known finds them in every form in which a service or a library may say
// them back. Everywhere else Text knows them by what stands around them.
package redact

import (
	"strings"
	"unicode/utf8"
)

// Hidden stands for what is not shown.
const Hidden = "[hidden]"

// maxText bounds what is looked at of a text in bytes: no error is of use beyond that.
const maxText = 64 << 10

// Text returns what may be shown of a text: of URLs scheme and host, because node providers put keys into paths and
// queries; no value after the name of a secret; no keys in known forms; no control characters; at most most bytes.
func Text(text string, most int) string { return Clip(plain(patterns(bounded(text))), most) }

// Clip cuts a text off at n bytes, between two characters.
func Clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + " ..."
}

func bounded(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxText)], "?") }

// plain makes line breaks spaces and drops other control characters: a text goes into one line of a log.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
}
