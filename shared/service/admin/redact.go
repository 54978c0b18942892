package admin

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

var (
	urlPattern    = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]{0,20}://)([^\s"'<>]+)`)
	bearerPattern = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}`)
	secretPattern = regexp.MustCompile(`(?i)\b([a-z0-9_-]*(?:api[_-]?key|secret|password|passwd|token|authorization|private[_-]?key))(["']?\s*[:=]\s*["']?)[^\s"',;&]+`)
)

// hidden stands for what is not shown.
const hidden = "[hidden]"

// maxShown is the most of an error's text that is shown, in bytes.
const maxShown = 600

// Redact returns a text that may be shown: of URLs only scheme and host, because keys of node providers are in paths
// and queries, no value after the name of a secret, no control characters, and at most 600 bytes.
func Redact(text string) string {
	text = urlPattern.ReplaceAllStringFunc(text, func(u string) string {
		m := urlPattern.FindStringSubmatch(u)
		rest, tail := m[2], ""
		if end := strings.IndexAny(rest, "/?#"); end >= 0 {
			if end < len(rest)-1 {
				tail = "/..."
			}
			rest = rest[:end]
		}
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = rest[at+1:]
		}
		if strings.HasSuffix(m[2], ":") && tail != "" { // "Get https://host/path: refused"
			tail += ":"
		}
		return m[1] + rest + tail
	})
	text = bearerPattern.ReplaceAllString(text, "$1 "+hidden)
	text = secretPattern.ReplaceAllString(text, "$1$2"+hidden)
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
			return -1
		}
		return r
	}, text)
	if len(text) > maxShown {
		cut := maxShown
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + " ..."
	}
	return text
}

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
