package redact

import (
	"regexp"
	"strings"
)

var (
	// pem is a block of a key or certificate, also one whose line breaks are escaped or that is cut off.
	pem = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{0,40}(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}-----|$)`)
	// address is a URL up to white space or what encloses it in prose and JSON.
	address = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]{0,20}://)([^\s"'<>\\` + "`" + `]+)`)
	// login is user:password@ without a scheme before it.
	login = regexp.MustCompile(`[^\s"'<>/:@=]{1,200}:[^\s"'<>]{1,500}@`)
	// header is Authorization and its like, whose value has spaces: up to the line's or the string's end.
	header = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)` +
		`(\\*["']?[ \t]*[:=][ \t]*\\*["']?)[^\r\n"'\\]+`)
	// named is a value after a name that says that it is a secret; names may have more before and after.
	named = regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|` +
		`secret|password|passwd|passphrase|pwd|token|client[_-]?assertion|hmac)[a-z0-9_-]*)` +
		`(\\*["']?\s*(?:[:=]|%3[dD])\s*)(?:(\\*["'])[^"'\\]*|[^\s"'&\\]+)`)
	// signed is what a signed request carries (AWS Signature Version 4); "invalid signature: ..." is prose.
	signed = regexp.MustCompile(`(?i)([a-z0-9_-]*(?:signature|credential)\s*(?:=|%3d)\s*)[^\s"'&\\,]+`)
	// hexKey is a private key in hex; elsewhere hex may be a hash, which must show.
	hexKey = regexp.MustCompile(`(?i)\b(private key\s*[:=]?\s*)(?:0x)?[0-9a-f]{4,}`)
	bearer = regexp.MustCompile(`(?i)\b(bearer\s+|basic\s+)[a-z0-9._~+/=-]{4,}`)
	// awsKey is the id of an access key (IAM, "Unique identifiers"); jwt a signed token (RFC 7519).
	awsKey = regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`)
	jwt    = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`)
	hook   = regexp.MustCompile(`(/hooks/[a-z]{1,20}/)[^\s"'<>?#]+`)
)

// ordinary are words after "basic" that are prose and not base64.
var ordinary = regexp.MustCompile(`(?i)^basic\s+[a-z]+$`)

// patterns hides what a text shows of secrets that nobody named.
func patterns(s string) string {
	s = pem.ReplaceAllString(s, Hidden)
	s = address.ReplaceAllStringFunc(s, func(u string) string {
		m := address.FindStringSubmatch(u)
		return m[1] + host(m[2])
	})
	s = login.ReplaceAllString(s, Hidden+"@")
	s = hook.ReplaceAllString(s, "${1}"+Hidden)
	s = header.ReplaceAllString(s, "${1}${2}"+Hidden)
	s = named.ReplaceAllString(s, "${1}${2}${3}"+Hidden)
	s = signed.ReplaceAllString(s, "${1}"+Hidden)
	s = hexKey.ReplaceAllString(s, "${1}"+Hidden)
	s = bearer.ReplaceAllStringFunc(s, func(b string) string {
		if ordinary.MatchString(b) {
			return b
		}
		return b[:strings.LastIndexAny(b, " \t\r\n")+1] + Hidden
	})
	s = awsKey.ReplaceAllString(s, Hidden)
	return jwt.ReplaceAllString(s, Hidden)
}

// host is what may be shown of a URL after its scheme. A password with / ? or # that is not encoded looks like a path
// with an @ in it: then nobody can say which of the two it is, and nothing is shown.
func host(rest string) string {
	end := strings.IndexAny(rest, "/?#")
	at := strings.LastIndexByte(rest, '@')
	switch {
	case end >= 0 && at > end:
		return Hidden
	case end < 0:
		return trailing(rest[at+1:], rest)
	}
	shown := rest[at+1 : end]
	if strings.Trim(rest[end:], "/?#:,.;)") != "" {
		shown += "/..."
	}
	return trailing(shown, rest)
}

// trailing keeps the punctuation of prose that follows a URL: "Get https://host/path: refused".
func trailing(shown, rest string) string {
	last := rest[len(rest)-1:]
	if strings.IndexByte(":,;)", last[0]) >= 0 && !strings.HasSuffix(shown, last) {
		return shown + last
	}
	return shown
}

// Host returns scheme and host of a URL, with /... where it has more, which is what may be shown of it.
func Host(raw string) string {
	m := address.FindStringSubmatch(raw)
	if m == nil || m[0] != raw {
		return Hidden
	}
	return m[1] + host(m[2])
}
