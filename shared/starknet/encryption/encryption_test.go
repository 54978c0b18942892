package encryption_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/encryption"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// segments are the recorded DA segments: those in KZG mode, and in calldata mode those within the output.
func segments(t testing.TB) map[string]starknettest.Run {
	t.Helper()
	out := map[string]starknettest.Run{}
	for _, r := range append(starknettest.OSRuns(t), starknettest.Aggregations(t)...) {
		words, err := output.UpdateWords(r.Output)
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		o, _, err := output.Parse(words)
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		if o.FullOutput {
			continue
		}
		if o.Kzg == nil {
			r.Segment = o.Data
		}
		out[r.Name] = r
	}
	return out
}

// Recorded segments are recognised, and opened by each member's key; the same state diff without encryption is what
// comes out.
func TestRecorded(t *testing.T) {
	t.Parallel()
	format, err := statediff.FormatOf("0.14.4")
	if err != nil {
		t.Fatal(err)
	}
	all, encrypted := segments(t), 0
	for name, r := range all {
		if got, want := encryption.Encrypted(r.Segment), len(r.PublicKeys) > 0; got != want {
			t.Errorf("%s: encrypted %t, want %t", name, got, want)
		}
		if len(r.PublicKeys) == 0 {
			continue
		}
		encrypted++
		s, err := encryption.Parse(r.Segment)
		if err != nil || len(s.PublicKeys) != len(r.PublicKeys) ||
			len(s.Words)+2*len(s.PublicKeys)+1 != len(r.Segment) {
			t.Fatalf("%s: %d keys, %d words, %v", name, len(s.PublicKeys), len(s.Words), err)
		}
		plain, ok := all[strings.Replace(name, "2keys", "nokeys", 1)]
		if !ok {
			t.Fatalf("%s has no counterpart without keys", name)
		}
		for _, key := range r.PrivateKeys {
			words, err := s.Open(key)
			if err != nil || len(words) != len(plain.Segment) {
				t.Errorf("%s: %d words with key %s, %v, want %d", name, len(words), key, err, len(plain.Segment))
			}
			if _, err := statediff.Decode(words, format); err != nil {
				t.Errorf("%s with key %s: %v", name, key, err)
			}
		}
		for _, key := range []felt.Felt{felt.FromUint64(2), felt.FromUint64(1 << 40), felt.Zero, felt.MinusOne()} {
			if words, err := s.Open(key); !errors.Is(err, encryption.ErrKey) {
				t.Errorf("%s: a stolen key %s opens %d words, %v", name, key, len(words), err)
			}
		}
	}
	if encrypted < 5 {
		t.Errorf("%d encrypted segments: the test shows little", encrypted)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	one := felt.FromUint64(1)
	for want, words := range map[string][]felt.Felt{
		"does not begin":      {felt.Zero, one, one, one},
		"number of keys":      nil,
		"from 1 to 1024":      {felt.FromUint64(1025), one, one, one},
		"and one encrypted":   {one, one, one},
		"public key 0 is 0x5": {one, felt.FromUint64(5), felt.MinusOne(), one},
		"public key 0 is 0x0": {one, felt.Zero, felt.MinusOne(), one},
		"its symmetric key 0x1": {one,
			felt.MustHex("0x1ef15c18599971b7beced415a40f0c7deacfd9b0d1819e03d723d8bc943cfca"), one, one},
	} {
		if _, err := encryption.Parse(words); !errors.Is(err, encryption.ErrMalformed) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", words, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, r := range starknettest.OSRuns(f) {
		if len(r.PublicKeys) > 0 && r.Segment != nil {
			f.Add(felt.Concat(r.Segment), []byte{3})
		}
	}
	f.Add([]byte{1}, []byte{})
	f.Add(append(make([]byte, 31), 1), []byte{1})
	f.Fuzz(func(t *testing.T, raw, key []byte) {
		var words []felt.Felt
		for len(raw) >= felt.Bytes && len(words) < 200 {
			w, err := felt.FromBytes(raw[:felt.Bytes])
			if err != nil {
				return
			}
			words, raw = append(words, w), raw[felt.Bytes:]
		}
		s, err := encryption.Parse(words)
		if err != nil {
			if !errors.Is(err, encryption.ErrMalformed) {
				t.Error(err)
			}
			return
		}
		if again := slices.Concat(words[:1], s.PublicKeys, s.SymmetricKeys, s.Words); !slices.Equal(again, words) {
			t.Errorf("%v becomes %v", words, again)
		}
		k, err := felt.FromBytes(key[:min(len(key), felt.Bytes)])
		if err != nil {
			return
		}
		if plain, err := s.Open(k); err == nil && len(plain) != len(s.Words) {
			t.Errorf("%d words of %d", len(plain), len(s.Words))
		}
	})
}
