package redact_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

// maxShown is more than any text of the tests.
const maxShown = 1 << 20

func TestText(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"prose": {"batch 3 is not closed: 10 blocks", "batch 3 is not closed: 10 blocks"},
		"a hash": {"transaction 0x4c0883a69102937d6231471b5dbb6204fe512961708279a1",
			"transaction 0x4c0883a69102937d6231471b5dbb6204fe512961708279a1"},
		"host alone":            {"reach https://rpc.example: refused", "reach https://rpc.example: refused"},
		"host and port":         {"http://127.0.0.1:8545 is down", "http://127.0.0.1:8545 is down"},
		"key in the path":       {`Get "https://rpc.example/v3/0123abcd": EOF`, `Get "https://rpc.example/...": EOF`},
		"path and colon":        {"Get https://rpc.example/v3/key: refused", "Get https://rpc.example/...: refused"},
		"key in the query":      {"https://rpc.example?apikey=0123abcd", "https://rpc.example/..."},
		"login":                 {"https://ada:hunter2@rpc.example/x", "https://rpc.example/..."},
		"password with a slash": {"https://ada:hun/ter2@rpc.example/x", "https://[hidden]"},
		"password with a hash":  {"mongodb://ada:hun#ter2@db.example/", "mongodb://[hidden]"},
		"password with at":      {"redis://ada:hun@ter2@cache.example", "redis://cache.example"},
		"login without scheme":  {"dial ada:hunter2@rpc.example:27017", "dial [hidden]@rpc.example:27017"},
		"AWS secret key": {"aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
			"aws_secret_access_key=[hidden]"},
		"AWS signature": {"x?a=1&X-Amz-Signature=0123abcd&X-Amz-Expires=60",
			"x?a=1&X-Amz-Signature=[hidden]&X-Amz-Expires=60"},
		"AWS credential": {"X-Amz-Credential=AKIDEXAMPLE%2F20260101 and so on",
			"X-Amz-Credential=[hidden] and so on"},
		"AWS key id": {"key AKIAIOSFODNN7EXAMPLE is unknown", "key [hidden] is unknown"},
		"AWS authorization": {"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/2026, " +
			"Signature=0123abcd\nHost: x", "Authorization: [hidden] Host: x"},
		"bearer":              {"sent Bearer abc.def-ghi", "sent Bearer [hidden]"},
		"basic":               {"sent Basic YWRhOmh1bnRlcjI=", "sent Basic [hidden]"},
		"basic in prose":      {"basic authentication is off", "basic authentication is off"},
		"JSON":                {`{"password":"hun, ter2","x":1}`, `{"password":"[hidden]","x":1}`},
		"JSON in JSON":        {`"{\"token\":\"hunter2\",\"x\":1}"`, `"{\"token\":\"[hidden]\",\"x\":1}"`},
		"header in JSON":      {`{"x-api-key": "hunter2"}`, `{"x-api-key": "[hidden]"}`},
		"JWT":                 {"token of eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln here", "token of [hidden] here"},
		"private key in PEM":  {"x -----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY----- y", "x [hidden] y"},
		"PEM that is cut off": {"x -----BEGIN EC PRIVATE KEY-----\nMIIB", "x [hidden]"},
		"a webhook's path":    {"POST /hooks/atlantic/hunter2 failed", "POST /hooks/atlantic/[hidden] failed"},
		"control characters":  {"a\x1b[31mb\nc\x00", "a[31mb c"},
		"an image's digest":   {"image ghcr.io/x/snos@sha256:0123", "image ghcr.io/x/snos@sha256:0123"},
		"an e-mail":           {"sent to ops@example.org", "sent to ops@example.org"},
		"the name of a secret": {"secret mychain/wallet has no value: put it",
			"secret mychain/wallet has no value: put it"},
		"the name of a setting": {"ORCHESTRATOR_SNOS_TOKEN_SECRET names no secret",
			"ORCHESTRATOR_SNOS_TOKEN_SECRET names no secret"},
		"a key of the artifacts": {"look for snos/0000000001/pie.zip: not found",
			"look for snos/0000000001/pie.zip: not found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := redact.Text(tt.text, maxShown); got != tt.want {
				t.Errorf("%q\nis shown as %q\nwant        %q", tt.text, got, tt.want)
			}
		})
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"abc": "abc", "abcde": "abcd ...", "abcü": "abc ...", "\xff": "?"} {
		if got := redact.Clip(text, 4); got != want || !utf8.ValidString(got) {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	if got := redact.Text(strings.Repeat("x ", 1<<20), 10); got != "x x x x x  ..." {
		t.Errorf("%q", got)
	}
}

func TestHost(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://rpc.example": "https://rpc.example", "https://rpc.example/": "https://rpc.example",
		"https://rpc.example/v3/KEY":      "https://rpc.example/...",
		"https://u:p@rpc.example:1/x?k=v": "https://rpc.example:1/...", "https://u:p/q@rpc.example": "https://[hidden]",
		"": "[hidden]", "nonsense": "[hidden]",
	} {
		if got := redact.Host(raw); got != want {
			t.Errorf("%q is %q, want %q", raw, got, want)
		}
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	k := redact.OfURL("https://ada:hunter22@rpc.example/v3/starknet/shortk?api=Qu/ery=").With("0xAB12cd34ef56ab78",
		"line one\nline two of it")
	for text, want := range map[string]string{
		"the path /v3/starknet/shortk is gone":   "the path /v3/starknet/[hidden] is gone",
		"starknet_getNonce of v3":                "starknet_getNonce of v3",
		"key AB12CD34EF56AB78":                   "key [hidden]",
		"cut off: 0xab12cd34":                    "cut off: [hidden]",
		"Qu%2Fery%3D or qu%2fery%3d":             "[hidden] or [hidden]",
		"hunter22hunter22":                       "[hidden]",
		`"line one\nline two of it"`:             `"[hidden]"`,
		"only line two of it":                    "only [hidden]",
		"Basic YWRhOmh1bnRlcjIy":                 "Basic [hidden]",
		"0x1234567890abcdef1234567890abcdef1234": "0x1234567890abcdef1234567890abcdef1234",
	} {
		if got := k.Text(text, maxShown); got != want {
			t.Errorf("%q\nis shown as %q\nwant        %q", text, got, want)
		}
	}
	if got := (redact.Known{}).Text("nothing is known", maxShown); got != "nothing is known" {
		t.Errorf("%q", got)
	}
	if got := redact.New("", "a", "ab", "abc").Text("abc ab a", maxShown); got != "abc ab a" {
		t.Errorf("short secrets: %q", got)
	}
}

// shows returns four characters in a row of a secret that a text shows, unless they are shown without the secret too.
func shows(text, without, secret string) string {
	text, without, secret = strings.ToLower(text), strings.ToLower(without+redact.Hidden), strings.ToLower(secret)
	for i := range len(secret) - 3 {
		if part := secret[i : i+4]; strings.TrimSpace(part) != "" && strings.Contains(text, part) &&
			!strings.Contains(without, part) {
			return part
		}
	}
	return ""
}

// asciiSecret makes a secret of letters that stand for themselves within allowed.
func asciiSecret(raw []byte, allowed string) string {
	var b strings.Builder
	for _, c := range raw[:min(len(raw), 80)] {
		b.WriteByte(allowed[int(c)%len(allowed)])
	}
	return b.String()
}

const (
	lettersDigits = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
	hexDigits     = "0123456789abcdefABCDEF"
)

// FuzzText puts a secret into every form that text from outside has it in: no four characters in a row show.
func FuzzText(f *testing.F) {
	f.Add([]byte("hunter2hunter2"))
	f.Add([]byte("pa/ss#wo@rd:x"))
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14})
	f.Fuzz(func(t *testing.T, raw []byte) {
		for name, form := range map[string]struct{ allowed, template string }{
			"URL password":    {lettersDigits + "/#@:?&=%+.-_~!$*,;()", "dial https://ZZZZ:%s@ZZZ.ZZ/ZZ: ZZZ"},
			"URL user":        {lettersDigits + ".-_", "dial https://%s@ZZZ.ZZ/ZZ: ZZZ"},
			"database":        {lettersDigits + "/#@:?&=%+.-_~!$*,;()", "mongodb+srv://ZZZZ:%s@ZZZ.ZZ/?w=1"},
			"login":           {lettersDigits + "/#@:?&=%+.-_~!$*,;()", "dial ZZZZ:%s@ZZZ.ZZ:1"},
			"path":            {lettersDigits + ".-_@:%", "Post \"https://ZZZ.ZZ/ZZ/%s/ZZ\": ZZZ"},
			"query":           {lettersDigits + "/@:%+.-_", "https://ZZZ.ZZ?ZZ=%s#ZZ"},
			"query key":       {lettersDigits + "/%+.-_", "ZZ?api_key=%s&ZZ=1"},
			"form":            {lettersDigits + "/#@:?=%+.-_~!$*,;()", "ZZ=1&client_secret=%s"},
			"password":        {lettersDigits + "/#@:?=%+.-_~!$*,;()", "password=%s ZZ"},
			"password, colon": {lettersDigits + "/#@:?=%+.-_~!$*,;()", "passwd: %s"},
			"JSON":            {lettersDigits + "/#@:?&=%+.-_~!$*,;() ", `{"apiKey": "%s", "ZZ": 1}`},
			"JSON in JSON":    {lettersDigits + "/#@:?&=%+.-_~!$*,;() ", `"{\"refresh_token\":\"%s\"}"`},
			"header":          {lettersDigits + "/+=.-_~", "X-Api-Key: %s\r\nZZ: 1"},
			"bearer":          {lettersDigits + "/+=.-_~", "sent Bearer %s and ZZ"},
			"authorization":   {lettersDigits + "/+=.-_~ ,;:@#", "Authorization: %s\r\nZZ: 1"},
			"cookie":          {lettersDigits + "/+=.-_~ ,;:@#", "Cookie: %s\r\nZZ: 1"},
			"AWS signature":   {hexDigits, "ZZ?X-Amz-Credential=ZZ&X-Amz-Signature=%s"},
			"AWS secret":      {lettersDigits + "/+", "aws_secret_access_key = %s"},
			"AWS session":     {lettersDigits + "/+=", "X-Amz-Security-Token=%s&ZZ"},
			"AWS header":      {hexDigits, "AWS4-HMAC-SHA256 Credential=ZZ/ZZ, SignedHeaders=host, Signature=%s"},
			"private key":     {hexDigits, "private key: 0x%s"},
			"PEM": {lettersDigits + "/+=\n",
				"ZZ -----BEGIN RSA PRIVATE KEY-----\n%s\n-----END RSA PRIVATE KEY----- ZZ"},
			"webhook": {lettersDigits + ".-_~", "POST /hooks/atlantic/%s ZZ"},
		} {
			secret := asciiSecret(raw, form.allowed)
			text, without := fmt.Sprintf(form.template, secret), fmt.Sprintf(form.template, "")
			without += strings.NewReplacer("\r", " ", "\n", " ").Replace(without)
			got := redact.Text(text, maxShown)
			if part := shows(got, without+redact.Text(without, maxShown), strings.TrimSpace(secret)); part != "" {
				t.Errorf("%s: %q shows %q of the secret: %q", name, text, part, got)
			}
			if !utf8.ValidString(got) {
				t.Errorf("%s: %q is not UTF-8", name, got)
			}
		}
	})
}

// FuzzKnown hides a secret that the program knows in any text, in every form in which it may be said back.
func FuzzKnown(f *testing.F) {
	f.Add("hunter2hunter2", "before ", " behind")
	f.Add(`pa/ss"wo\rd#@:`, "{\"x\":\"", "\"}")
	f.Add("0x4c0883a69102937d6231471b5dbb6204fe512961708279", "key", "")
	f.Add("ключ от кошелька", "é", "€")
	f.Fuzz(func(t *testing.T, secret, before, behind string) {
		secret = strings.TrimSpace(secret)
		if !utf8.ValidString(secret+before+behind) || len(secret) < 4 || len(secret) > 500 ||
			len(before)+len(behind) > 1000 ||
			strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r == utf8.RuneError }) {
			return
		}
		quoted, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		known := redact.New(secret)
		inside := []byte(before + secret + behind)
		for name, said := range map[string]string{
			"as it is": secret, "twice": secret + secret, "query": url.QueryEscape(secret),
			"path": url.PathEscape(secret), "quoted": strconv.Quote(secret),
			"JSON": string(quoted), "hex": hex.EncodeToString([]byte(secret)), "large": strings.ToUpper(secret),
		} {
			if name == "large" && strings.ContainsFunc(secret, func(r rune) bool { return r > '~' }) {
				continue // hex and the like are written large, other alphabets not
			}
			got := known.Text(before+said+behind, maxShown)
			if part := shows(got, before+behind+redact.Text(before+" "+behind, maxShown), secret); part != "" {
				t.Errorf("%s: %q shows %q of the secret: %q", name, before+said+behind, part, got)
			}
		}
		// Of base64 the characters that hold bits of the secret alone.
		all := base64.StdEncoding.EncodeToString(inside)
		from, to := (len(before)*8+5)/6, (len(before)+len(secret))*8/6
		got := known.Text("X-Reason: "+all, maxShown)
		if part := shows(got, "X-Reason: "+all[:from]+" "+all[to:], all[from:to]); part != "" {
			t.Errorf("%q in base64 shows %q of %q: %q", inside, part, all[from:to], got)
		}
	})
}
