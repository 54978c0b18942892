package sharp

import (
	"regexp"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"status":"UNKNOWN"}`: unknown,
		`{"status":"INVALID","invalid_reason":"NEW_REASON","error_log":null,"validation_done":null,"extra":1}`: invalid,

		`{"status":"IN_PROGRESS","validation_done":true}`: inProgress, `{"status":"ONCHAIN"}`: onchain,
		`{}`: "", `{"status":"DONE"}`: "", `[]`: "", `ok`: "", `{"status":7}`: "", `{"status":"FAILED"} x`: "",
	} {
		if s, err := decodeStatus([]byte(body)); (err == nil) != (want != "") || want != "" && s.Status != want {
			t.Errorf("decodeStatus of %s = %+v, %v", body, s, err)
		}
	}
	for body, ok := range map[string]bool{
		`{"code":"JOB_RECEIVED_SUCCESSFULLY"}`: true, `{"code":"JOB_RECEIVED_SUCCESSFULLY","message":null}`: true,
		`{"code":"SOMETHING_ELSE","message":"no"}`: false, `{}`: false, `<html>`: false,
		`[{"code":"JOB_RECEIVED_SUCCESSFULLY"}]`: false,
	} {
		if err := decodeReceived([]byte(body)); (err == nil) != ok {
			t.Errorf("decodeReceived of %s: %v", body, err)
		}
	}
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	if u := version5([16]byte{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30,
		0xc8}, "www.example.com"); u !=
		[16]byte{0x2e, 0xd6, 0x65, 0x7d, 0xe9, 0x27, 0x56, 0x8b, 0x95, 0xe1, 0x26, 0x65, 0xa8, 0xae, 0xa6, 0xa2} {
		t.Errorf("version5 = %x, want RFC 9562's example (appendix A.4)", u)
	}
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if a, b := keyOf("a-1"), keyOf("a-2"); a == b || a != keyOf("a-1") || !form.MatchString(a) {
		t.Errorf("keys %s and %s", a, b)
	}
	// A stored key must stay what it is: a change here makes jobs in flight be submitted twice.
	if got := keyOf("0123456789abcdef-1"); got != "339123d1-8665-5918-8767-0b101532e82d" {
		t.Errorf("keyOf = %s", got)
	}
}

// FuzzDecode feeds answers and tasks. What is accepted has a known status, or can be part of a query.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"status":"PROCESSED"}`, `{"code":"JOB_RECEIVED_SUCCESSFULLY"}`,
		"applicative/k/0x" + strings.Repeat("1", 64), "k", "null"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeStatus(b); err == nil && (s.Status == "" || s.Status != strings.ToUpper(s.Status)) {
			t.Errorf("status %q is accepted", s.Status)
		}
		_ = decodeReceived(b)
		key, fact, ok := parse(string(b))
		if ok && (key == "" || strings.ContainsAny(key, "/ \n&") || fact != "" && len(fact) != 66) {
			t.Errorf("%q is the task of %q, %q", b, key, fact)
		}
	})
}
