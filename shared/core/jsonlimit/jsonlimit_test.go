package jsonlimit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		l    jsonlimit.Limits
		ok   bool
		want string // what is left of it; "": the text
	}{
		"no limits":                   {`[1,{"a":[2]}]`, jsonlimit.Limits{}, true, ""},
		"as many elements":            {`[1,{"a":[2]}]`, jsonlimit.Limits{Elements: 5}, true, ""},
		"one element more":            {`[1,{"a":[2]}]`, jsonlimit.Limits{Elements: 4}, false, ""},
		"elements of a string":        {`["[[[[{{{{,,,,::::"]`, jsonlimit.Limits{Elements: 1}, true, ""},
		"a quote in a string":         {`["a\"[[[["]`, jsonlimit.Limits{Elements: 1}, true, ""},
		"a backslash at the end":      {`["a\\",[]]`, jsonlimit.Limits{Elements: 3}, true, ""},
		"an escaped quote by code":    {`["a\u0022[[["]`, jsonlimit.Limits{Elements: 1}, true, ""},
		"many bytes":                  {`[1]`, jsonlimit.Limits{Bytes: 2}, false, ""},
		"as many bytes":               {`[1]`, jsonlimit.Limits{Bytes: 3}, true, ""},
		"a long string":               {`["abcd"]`, jsonlimit.Limits{String: 3}, false, ""},
		"as long a string":            {`["abc","abc"]`, jsonlimit.Limits{String: 3}, true, ""},
		"a long number":               {`[1,1234]`, jsonlimit.Limits{String: 3}, false, ""},
		"a long number is not cut":    {`[1,1234]`, jsonlimit.Limits{String: 3, Cut: true}, false, ""},
		"white space is not a number": {"[1,\n\t  \r 123 ]", jsonlimit.Limits{String: 3}, true, ""},
		"a string is cut":             {`["abcd",1]`, jsonlimit.Limits{String: 3, Cut: true}, true, `["abc",1]`},
		"strings are cut": {`{"abcd":"efgh","i":"jk"}`, jsonlimit.Limits{String: 2, Cut: true},
			true, `{"ab":"ef","i":"jk"}`},
		"cut before an escape":      {`["ab\"c"]`, jsonlimit.Limits{String: 2, Cut: true}, true, `["ab"]`},
		"not cut within an escape":  {`["a\"c"]`, jsonlimit.Limits{String: 2, Cut: true}, true, `["a\""]`},
		"not cut within a code":     {`["a\u00e9c"]`, jsonlimit.Limits{String: 3, Cut: true}, true, `["a\u00e9"]`},
		"a code that is cut":        {`["abc\u0022d",2]`, jsonlimit.Limits{String: 3, Cut: true}, true, `["abc",2]`},
		"elements count in objects": {`{"a":1,"b":2}`, jsonlimit.Limits{Elements: 4}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := tt.text
			if tt.want != "" {
				want = tt.want
			}
			for way, r := range map[string]io.Reader{"whole": strings.NewReader(tt.text),
				"byte by byte": iotest.OneByteReader(strings.NewReader(tt.text))} {
				b, err := io.ReadAll(jsonlimit.NewReader(r, tt.l))
				if (err == nil) != tt.ok || err != nil && !errors.Is(err, jsonlimit.ErrTooLarge) ||
					tt.ok && string(b) != want {
					t.Errorf("%s: %q, %v; want %q", way, b, err, want)
				}
			}
			if tt.l.Cut {
				return
			}
			var v any
			if err := jsonlimit.Unmarshal([]byte(tt.text), &v, tt.l); (err == nil) != tt.ok {
				t.Errorf("Unmarshal: %v", err)
			}
		})
	}
}

var longNumber = regexp.MustCompile(`[-+0-9.eEa-z]`)

// FuzzReader: what passes without cutting is the text itself, what is cut is still JSON with the same number of
// elements, and no string of it is longer than allowed.
func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"a":["\u00e9\"\\",{}],"b":-1.5e3}`), uint8(3))
	f.Add([]byte(`["`+strings.Repeat("x", 300)+`"]`), uint8(1))
	f.Add([]byte(`"\ud83d\ude00"`), uint8(6))
	f.Fuzz(func(t *testing.T, b []byte, most uint8) {
		if got, err := io.ReadAll(jsonlimit.NewReader(bytes.NewReader(b), jsonlimit.Limits{})); err != nil ||
			!bytes.Equal(got, b) {
			t.Fatalf("%q, %v", got, err)
		}
		if !json.Valid(b) {
			return
		}
		l := jsonlimit.Limits{String: int(most) + 1, Cut: true}
		if errors.Is(jsonlimit.Check(b, jsonlimit.Limits{String: l.String}), jsonlimit.ErrTooLarge) &&
			longNumber.Match(b) {
			return // may fail for its number
		}
		cut, err := io.ReadAll(iotest.OneByteReader(jsonlimit.NewReader(bytes.NewReader(bytes.Clone(b)), l)))
		if err != nil || !json.Valid(cut) {
			t.Fatalf("%q is cut to %q, %v", b, cut, err)
		}
		for n := range 50 {
			l := jsonlimit.Limits{Elements: n + 1}
			if (jsonlimit.Check(b, l) == nil) != (jsonlimit.Check(cut, l) == nil) {
				t.Fatalf("%q and %q have other elements", b, cut)
			}
		}
		longest := jsonlimit.Limits{String: l.String + len(`\uXXXX`)}
		if err := jsonlimit.Check(cut, longest); err != nil {
			t.Fatalf("%q: %v", cut, err)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	text := []byte(`[` +
		strings.Repeat(`{"key":"0x1234567890abcdef1234567890abcdef1234567890abcdef","value":"0x1"},`, 1<<14) + `0]`)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if err := jsonlimit.Check(text, jsonlimit.Limits{Elements: 1 << 20}); err != nil {
			b.Fatal(err)
		}
	}
}
