package config

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// plainFaults refuses URLs of services that hold a key where everybody may read it: settings are variables of the
// functions, which the console, the template and its history show.
func (c Config) plainFaults(f *faultList) {
	secrets := map[string]bool{}
	for _, s := range Settings() {
		secrets[s.Name] = len(s.Secrets) > 0
	}
	each(reflect.ValueOf(c), "", func(s Setting, v reflect.Value) {
		if !s.Service {
			return
		}
		for _, u := range texts(v) {
			if what := KeyIn(u); what != "" {
				instead := "give an address that needs none"
				if secrets[s.Name+"_SECRET"] {
					instead = "put the whole URL into a secret and name that in " + s.Name + "_SECRET"
				}
				f.check(false, s.Name, "it holds %s (not shown): %s", what, instead)
				return
			}
		}
	})
}

// texts are the values of a setting that is a text or a list of texts.
func texts(v reflect.Value) []string {
	if list, ok := v.Interface().([]string); ok {
		return SplitURLs(strings.Join(list, ","))
	}
	return []string{v.String()}
}

// SplitURLs are the URLs of a text with commas, or lines, between them.
func SplitURLs(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

var (
	uuid = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	// secretParameter is a query's name of what is a secret.
	secretParameter = regexp.MustCompile(`(?i)key|token|secret|auth|pass|sig|credential|project`)
)

// KeyIn says what of a URL looks like a secret, such as "a password" or "a key in its path"; "" where nothing does.
// Node providers put keys into paths (/v2/KEY, /v3/KEY) and queries (?apikey=KEY).
func KeyIn(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	if u.User != nil {
		return "a user or password"
	}
	for name, values := range u.Query() {
		for _, v := range values {
			if v != "" && secretParameter.MatchString(name) || KeyLike(v) {
				return "a key in its query"
			}
		}
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if KeyLike(part) {
			return "a key in its path"
		}
	}
	if KeyLike(u.Fragment) {
		return "a key behind its #"
	}
	return ""
}

// KeyLike says whether a word looks made by a machine to be secret: a UUID, 16 or more letters and digits mixed as in
// no name, or 20 or more characters with small and capital letters and digits.
func KeyLike(word string) bool {
	if uuid.MatchString(word) {
		return true
	}
	run := func(s string) (small, capital, digit bool) {
		for _, r := range s {
			small = small || r >= 'a' && r <= 'z'
			capital = capital || r >= 'A' && r <= 'Z'
			digit = digit || r >= '0' && r <= '9'
		}
		return small, capital, digit
	}
	if small, capital, digit := run(word); len(word) >= 20 && small && capital && digit {
		return true
	}
	for part := range strings.FieldsFuncSeq(word,
		func(r rune) bool { return r == '-' || r == '_' || r == '.' || r == '~' }) {
		if small, capital, digit := run(part); len(part) >= 16 && digit && (small || capital) {
			return true
		}
	}
	return false
}

// NodeURLs are the URLs of nodes that a secret holds, 1 to most, with commas or lines between them and each given once.
// The error shows none of them.
func NodeURLs(text string, most int) ([]string, error) {
	urls := SplitURLs(text)
	switch {
	case most == 1 && len(urls) != 1:
		return nil, errors.New("want an http or https URL as its value")
	case len(urls) == 0 || len(urls) > most:
		return nil, fmt.Errorf("it has %d URLs: want 1 to %d, with commas between them", len(urls), most)
	}
	for i, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("URL %d: want an http or https URL", i+1)
		}
		if slices.Contains(urls[:i], raw) {
			return nil, fmt.Errorf("URL %d is there before: give each node once", i+1)
		}
	}
	return urls, nil
}

// CheckWebsocket says whether a URL is one of a websocket. The error does not show it.
func CheckWebsocket(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return errors.New("want a ws or wss URL")
	}
	return nil
}
