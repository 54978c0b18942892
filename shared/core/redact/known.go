package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Bounds of what is looked for.
const (
	// shortest is the length in bytes from which a secret is looked for in a text; of a shorter one no four characters
	// can show.
	shortest = 4
	// run is how many bytes in a row of a secret, whose rest a service or a library has cut off, are hidden too. Fewer
	// would hide parts of hashes that happen to be the same.
	run = 8
	// maxForms bounds the bytes of all forms, whose parts are kept: keys and tokens have a few hundred, certificates
	// some thousand.
	maxForms = 1 << 20
)

// Known are secrets that a program has. The zero value knows none. Safe for concurrent use.
type Known struct {
	forms []string            // in lower case
	parts map[string]struct{} // their parts of run bytes
}

// New returns what knows these secrets.
func New(secrets ...string) Known { return Known{}.With(secrets...) }

// OfURL returns what knows the secrets of a URL: user and password, the values of its query, its fragment, and the
// segments of its path, because node providers put keys there.
func OfURL(raw string) Known { return Known{}.WithURL(raw) }

// With adds secrets.
func (k Known) With(secrets ...string) Known {
	out := Known{forms: slices.Clone(k.forms)}
	for _, s := range secrets {
		out.add(s)
		for line := range strings.Lines(s) { // a text in lines may be shown in part
			out.add(line)
		}
	}
	return out.ready()
}

// pathWords are segments of URLs of nodes that are words: a text may say them.
var pathWords = []string{
	"rpc", "json-rpc", "jsonrpc", "api", "node", "starknet", "ethereum", "mainnet", "testnet", "sepolia", "goerli",
	"holesky", "hoodi", "madara", "chain",
	"http", "https", "public", "gateway", "feeder_gateway", "feeder", "sharp", "atlantic", "runner", "snos", "health",
}

var versionWord = regexp.MustCompile(`^v?[0-9]{1,2}([._][0-9]{1,2}){0,2}$`)

// WithURL adds the secrets of a URL.
func (k Known) WithURL(raw string) Known {
	u, err := url.Parse(raw)
	if err != nil { // then its parts, however it may be taken apart
		return k.With(
			append(strings.FieldsFunc(raw, func(r rune) bool { return strings.ContainsRune("/:@?#&=", r) }), raw)...)
	}
	var found []string
	add := func(s string) {
		if !slices.Contains(pathWords, strings.ToLower(s)) && !versionWord.MatchString(s) {
			found = append(found, s)
		}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		found = append(found, u.User.Username(), password, u.User.Username()+":"+password)
	}
	for key, values := range u.Query() {
		for _, v := range values {
			if add(v); v == "" { // a key alone: ?KEY
				add(key)
			}
		}
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		add(part)
	}
	add(u.Fragment)
	add(u.Opaque)
	return k.With(found...)
}

// add adds the forms in which a service or a library may say a secret back.
func (k *Known) add(s string) {
	s = strings.TrimSpace(s)
	bare := strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	if len(bare) < shortest {
		return
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		quoted = []byte(`""`) // a string always marshals
	}
	for _, f := range append(encoded(s), bare, s, url.QueryEscape(s), url.PathEscape(s), hex.EncodeToString([]byte(s)),
		string(quoted[1:len(quoted)-1]),
		strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)) {
		if f = lower(f); len(f) >= shortest && !slices.Contains(k.forms, f) {
			k.forms = append(k.forms, f)
		}
	}
}

// encoded are the characters that base64 of any text with the secret in it has, for each of its three places in a group
// of three bytes.
func encoded(s string) []string {
	var out []string
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			b := e.EncodeToString(append(make([]byte, before), s...))
			// A character has 6 bits. Those at the ends that hold bits of what stands before or behind are not the
			// secret's alone.
			if first, last := (before*8+5)/6, (before+len(s))*8/6; first < last {
				out = append(out, b[first:last])
			}
		}
	}
	return out
}

// ready orders the forms and takes them apart.
func (k Known) ready() Known {
	slices.SortFunc(k.forms, func(a, b string) int { return len(b) - len(a) })
	k.parts = map[string]struct{}{}
	left := maxForms
	for _, f := range k.forms {
		if left -= len(f); left < 0 {
			break
		}
		for i := 0; i+run <= len(f); i++ {
			k.parts[f[i:i+run]] = struct{}{}
		}
	}
	return k
}

// Text returns what may be shown of a text that may have the secrets in it: no form of them, nothing that the function
// Text hides, and at most most bytes.
func (k Known) Text(text string, most int) string {
	return Clip(plain(k.hide(patterns(bounded(text)))), most)
}

// hide replaces all that the secrets cover of a text.
func (k Known) hide(s string) string {
	low := lower(s)
	covered := make([]bool, len(s))
	any := false
	cover := func(from, to int) {
		for i := from; i < to; i++ {
			covered[i] = true
		}
		any = true
	}
	for _, f := range k.forms {
		for from := 0; ; {
			i := strings.Index(low[from:], f)
			if i < 0 {
				break
			}
			cover(from+i, from+i+len(f))
			from += i + 1
		}
	}
	for i := 0; i+run <= len(low); i++ {
		if _, ok := k.parts[low[i:i+run]]; ok {
			cover(i, i+run)
		}
	}
	if !any {
		return s
	}
	var out strings.Builder
	for i := range len(s) {
		switch {
		case !covered[i]:
			out.WriteByte(s[i])
		case i == 0 || !covered[i-1]:
			out.WriteString(Hidden)
		}
	}
	return out.String()
}

// lower makes ASCII letters small and leaves the length as it is.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
